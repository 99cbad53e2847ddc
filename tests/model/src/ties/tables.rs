//! The tables of the search of ties: the record, the items, and what a request does to them.

use super::{
    Arrived, BIRTH, Delivery, KEPT, MEDDLER, Meddle, Phase, Request, SPREAD, Search, Sent, Start, State, Stored, Verb,
};
use crate::protocol::call::{Attempt, Call};
use crate::protocol::claim::{Demand, Millis, Record, Status};
use crate::protocol::guard::{Birth, Expect, Guard};
use crate::protocol::log::{History, Lane, Log, Seen, Version, WriteId};
use crate::protocol::transaction::Part;
use crate::table::{Effect, Row, apply};

impl Start {
    pub(super) fn row(self) -> Option<Row> {
        let lanes =
            std::array::from_fn(|lane| Lane { head: if lane == 0 { BIRTH } else { WriteId::NIL }, ..Lane::EMPTY });
        let (version, history) = match self {
            Self::Nothing => return None,
            Self::Foreign => (Version::Absent, History::Foreign),
            Self::Item | Self::Tombstone => {
                (Version::Number(1), History::Log(Log { birth: BIRTH, keyed: None, lanes }))
            }
        };
        Some(Row { seen: Seen { version, history, tombstone: self == Self::Tombstone }, value: 0 })
    }
}

impl Verb {
    pub(super) fn part(self, id: WriteId) -> Part {
        let expect = match self {
            Self::Insert => Expect::Absent,
            Self::Upsert => Expect::Any,
            Self::Update | Self::UpdateIfUnchanged => Expect::Exists,
            Self::Delete => Expect::Gone,
            Self::DeleteAt => Expect::At { version: 1, birth: Birth::Known(BIRTH) },
            Self::CheckUnchanged => return Part::Check(Expect::Exists),
        };
        let call = Call::new(expect, None, 0, self == Self::UpdateIfUnchanged, id);
        match self {
            Self::Delete | Self::DeleteAt => Part::Delete(call),
            _ => Part::Write(call),
        }
    }

    /// Whether the part's own condition, the library's aside, holds.
    pub(super) fn holds(self, row: Option<&Row>) -> bool {
        match self {
            Self::UpdateIfUnchanged => row.is_some_and(|row| row.value == 0),
            Self::CheckUnchanged => row.is_some_and(|row| !row.seen.tombstone && row.value == 0),
            Self::Insert | Self::Upsert | Self::Update | Self::Delete | Self::DeleteAt => true,
        }
    }

    pub(super) fn effect(self, value: usize) -> Option<Effect> {
        match self {
            Self::CheckUnchanged => None,
            Self::Delete | Self::DeleteAt => Some(Effect::Delete),
            _ => Some(Effect::Write(u8::try_from(value).expect("few workers") + 1)),
        }
    }
}

impl Stored {
    /// As a worker of this payload sees it.
    pub(super) fn seen_by(self, payload: bool) -> Record {
        Record { differs: self.payload != payload, ..self.record }
    }
}

impl Search {
    pub(super) fn delay(&self, state: &mut State, request: Request) {
        if self.may_arrive(state, &request) {
            let place = state.late.partition_point(|other| *other < request);
            state.late.insert(place, request);
        }
    }

    /// Whether it can still arrive: what claims doesn't come later than a record is kept.
    pub(super) fn may_arrive(&self, state: &State, request: &Request) -> bool {
        let made = match request.sent {
            Sent::Claim { now, .. } => now,
            Sent::Commit { at, .. } if self.deliveries[request.delivery] != Delivery::Run => at,
            Sent::Commit { .. } | Sent::Release { .. } | Sent::Extend { .. } => return true,
        };
        state.now + self.clocks[request.delivery] < self.kept_until(made)
    }

    pub(super) fn kept_until(&self, at: Millis) -> Millis {
        if self.forgets { at + KEPT } else { Millis::MAX }
    }

    pub(super) fn payload(&self, delivery: usize) -> bool {
        self.deliveries[delivery] == Delivery::OtherWrite
    }

    pub(super) fn record(&self, state: &State, delivery: usize) -> Option<Record> {
        state.record.map(|stored| stored.seen_by(self.payload(delivery)))
    }

    /// Lets a request reach the tables.
    pub(super) fn arrive(&self, state: &mut State, request: &Request) -> Arrived {
        let delivery = request.delivery;
        let before = self.record(state, delivery);
        let (demand, owner) = match request.sent {
            Sent::Claim { owner, now, .. } => (Demand::Claim { now }, owner),
            Sent::Release { owner } => (Demand::Hold, owner),
            Sent::Extend { owner, until } => (Demand::Extend { until }, owner),
            Sent::Commit { owner, at, .. } => match self.deliveries[delivery] {
                Delivery::Run => (Demand::Hold, owner),
                Delivery::Write | Delivery::OtherWrite => (Demand::Claim { now: at }, owner),
            },
        };
        if state.completed.contains(request) {
            return Arrived::Done(None);
        }
        let is_met = demand.is_met_by(before.as_ref(), owner);
        let attempts: &[Option<Attempt>] = match &request.sent {
            Sent::Commit { attempts, .. } => attempts,
            _ => &[],
        };
        let failed: Vec<_> = attempts
            .iter()
            .enumerate()
            .filter_map(|(part, attempt)| {
                let row = state.rows[part].as_ref();
                let seen = row.map(|row| &row.seen);
                let allows = attempt.is_none_or(|attempt| attempt.guard.allows(attempt.id, attempt.lane, seen));
                (!(allows && self.script[part].0.holds(row))).then(|| (part, seen.cloned()))
            })
            .collect();
        if !(failed.is_empty() && is_met) {
            return Arrived::Failed(failed, (!is_met).then_some(before));
        }
        if let (Demand::Claim { now }, Some(record)) = (demand, before)
            && record.expires <= now
        {
            Self::forget(state);
        }
        let (status, expires) = match (&request.sent, before) {
            (Sent::Claim { now, lease, .. }, _) => (Status::Running { until: Some(*lease) }, self.kept_until(*now)),
            (Sent::Commit { at, .. }, _) => (Status::Completed, self.kept_until(*at)),
            (Sent::Release { .. }, Some(record)) => (Status::RELEASED, record.expires),
            (Sent::Extend { until, .. }, Some(record)) => (Status::Running { until: Some(*until) }, record.expires),
            (Sent::Release { .. } | Sent::Extend { .. }, None) => unreachable!("there is nothing to change"),
        };
        let record = Record { owner: Some(owner), status, expires, differs: false };
        state.record = Some(Stored { record, payload: self.payload(delivery) });
        if let Sent::Commit { attempts, .. } = &request.sent {
            self.commit(state, delivery, attempts);
            if self.tokens {
                let place = state.completed.partition_point(|other| other < request);
                state.completed.insert(place, request.clone());
            }
        }
        Arrived::Done(before)
    }

    pub(super) fn commit(&self, state: &mut State, delivery: usize, attempts: &[Option<Attempt>]) {
        for (part, attempt) in attempts.iter().enumerate() {
            let (Some(attempt), Some(effect)) = (attempt, self.script[part].0.effect(delivery)) else { continue };
            state.rows[part] = apply(state.rows[part].take(), attempt, effect, None);
            state.facts[delivery].made[part] = state.rows[part].as_ref().and_then(|row| match row.seen.version {
                Version::Number(version) => Some((version, row.seen.log()?.birth)),
                Version::Absent | Version::Unusable => None,
            });
        }
        state.effects += 1;
        state.facts[delivery].applied += 1;
    }

    /// What happened before doesn't count any more.
    pub(super) fn forget(state: &mut State) {
        state.effects = 0;
        for worker in &mut state.workers {
            worker.forgotten |= worker.phase != Phase::Idle;
        }
    }

    pub(super) fn meddle(&self, state: &mut State) {
        let Some((item, meddle)) = self.meddler else { return };
        let id = WriteId(state.newest / SPREAD * SPREAD + SPREAD + MEDDLER as u128);
        state.newest = state.newest.max(id.0);
        state.has_meddled = true;
        let row = state.rows[item].take();
        let attempt = Attempt { id, lane: 0, guard: Guard::Open };
        state.rows[item] = match (meddle, &row) {
            (Meddle::Update, Some(_)) | (Meddle::Insert, None) => apply(row, &attempt, Effect::Write(9), None),
            (Meddle::Delete, _) => None,
            (Meddle::Replace, _) => apply(None, &attempt, Effect::Write(9), None),
            (Meddle::Update, None) | (Meddle::Insert, Some(_)) => row,
        };
    }
}
