//! Which searches of ties make up a scope.

use super::{Delivery, Meddle, Search, Start, Verb};

type Script = &'static [(Verb, Start)];

const SCRIPTS: [Script; 9] = [
    &[(Verb::UpdateIfUnchanged, Start::Item)],
    &[(Verb::DeleteAt, Start::Item)],
    &[(Verb::Upsert, Start::Item)],
    &[(Verb::Insert, Start::Nothing)],
    &[(Verb::Insert, Start::Tombstone)],
    &[(Verb::Upsert, Start::Foreign)],
    &[(Verb::Delete, Start::Item)],
    &[(Verb::Update, Start::Item), (Verb::UpdateIfUnchanged, Start::Item)],
    &[(Verb::Delete, Start::Item), (Verb::CheckUnchanged, Start::Item)],
];
/// What a meddler can make refuse, and what leaves nothing; for searches that grow fast.
const REFUSABLE: [Script; 2] = [SCRIPTS[0], SCRIPTS[1]];
const MEDDLES: [Option<Meddle>; 5] =
    [None, Some(Meddle::Update), Some(Meddle::Delete), Some(Meddle::Insert), Some(Meddle::Replace)];
const ALONE: [&[Delivery]; 2] = [&[Delivery::Run], &[Delivery::Write]];
const PAIRS: [&[Delivery]; 3] =
    [&[Delivery::Run, Delivery::Run], &[Delivery::Run, Delivery::Write], &[Delivery::Write, Delivery::Write]];
const TRIPLES: [&[Delivery]; 2] =
    [&[Delivery::Run, Delivery::Run, Delivery::Write], &[Delivery::Run, Delivery::Write, Delivery::Write]];

/// Two attempts and two faults of these workers on what they write, with what another does to the last item; time stands still.
fn search(deliveries: &[Delivery], script: Script, meddle: Option<Meddle>) -> Search {
    Search {
        deliveries: deliveries.to_vec(),
        script: script.to_vec(),
        clocks: vec![0; deliveries.len()],
        meddler: meddle.map(|meddle| (script.len() - 1, meddle)),
        tokens: true,
        attempts: 2,
        faults: 2,
        ticks: 1,
        forgets: false,
        takers: 0,
    }
}

pub(super) fn small() -> Vec<Search> {
    let mut all = Vec::new();
    for (script, deliveries) in SCRIPTS.into_iter().flat_map(|script| ALONE.map(|deliveries| (script, deliveries))) {
        all.extend(MEDDLES.map(|meddle| Search { attempts: 3, ..search(deliveries, script, meddle) }));
        let update = search(deliveries, script, Some(Meddle::Update));
        all.push(Search { attempts: 1, takers: 1, tokens: false, ..update });
    }
    for deliveries in ALONE {
        let update = search(deliveries, SCRIPTS[0], Some(Meddle::Update));
        all.push(Search { ticks: 5, forgets: true, ..update });
    }
    for deliveries in PAIRS {
        let calm = search(deliveries, SCRIPTS[0], None);
        all.extend([[0, 2], [2, 0]].map(|clocks| Search {
            faults: 1,
            ticks: 2,
            clocks: clocks.to_vec(),
            ..calm.clone()
        }));
        all.extend(REFUSABLE.map(|script| Search {
            faults: 1,
            ticks: 2,
            ..search(deliveries, script, Some(Meddle::Update))
        }));
        all.push(calm);
        all.push(Search { faults: 1, ticks: 5, forgets: true, ..search(deliveries, SCRIPTS[2], None) });
    }
    all
}

pub(super) fn large() -> Vec<Search> {
    let mut all = Vec::new();
    for (script, deliveries) in SCRIPTS.into_iter().flat_map(|script| ALONE.map(|deliveries| (script, deliveries))) {
        all.extend(MEDDLES.map(|meddle| Search { attempts: 3, faults: 3, ..search(deliveries, script, meddle) }));
        all.extend(MEDDLES.map(|meddle| Search { takers: 2, ..search(deliveries, script, meddle) }));
        all.push(Search { ticks: 5, forgets: true, takers: 1, ..search(deliveries, script, None) });
    }
    for script in SCRIPTS {
        let others = [Delivery::Write, Delivery::OtherWrite];
        all.extend(PAIRS.map(|deliveries| search(deliveries, script, Some(Meddle::Update))));
        all.push(search(&others, script, Some(Meddle::Update)));
    }
    for deliveries in PAIRS {
        all.push(Search { faults: 1, ticks: 2, takers: 1, attempts: 1, ..search(deliveries, SCRIPTS[0], None) });
        all.push(Search { ticks: 2, ..search(deliveries, SCRIPTS[0], None) });
    }
    all.extend(TRIPLES.map(|deliveries| Search { faults: 1, ..search(deliveries, SCRIPTS[0], Some(Meddle::Update)) }));
    all
}
