//! The rows for a call that is not suspicious: its first attempt fails its condition, and it is refused on the spot, with
//! one request and no read.

use dynamo_once::ErrorKind::{AlreadyExists, ConditionFailed, KeyReused, Malformed, NotFound, VersionConflict};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::testing::Reply;

use crate::account::{Account, Verb};
use crate::peer::{BIRTH, HOUR, NIL, Play, Raw, Sent, Stored, foreign, id, number, stored};

#[tokio::test(start_paused = true)]
async fn without_an_item_what_needs_one_is_not_found() {
    for verb in [Verb::Update, Verb::UpdateWhen, Verb::UpdateAt, Verb::UpdateAtVersion, Verb::Save, Verb::Modify] {
        Play::of(verb).none_stands().ends(Err(NotFound)).await;
    }
    Play::of(Verb::DeleteAt).none_stands().ends(Err(NotFound)).await;
    Play::of(Verb::Delete).none_stands().ends(Ok(Applied)).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_item_what_needs_none_is_sent_again() {
    for verb in Verb::ALL.into_iter().filter(|verb| verb.inserts() || verb.upserts()) {
        let ended = Play::of(verb).none_stands().applied().ends(Ok(Applied)).await;
        assert_eq!(ended.sent[0], ended.sent[1], "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn own_id_in_the_log_reports_replayed() {
    // Something on the way has repeated the request, and answered with its second execution.
    let ours: [fn(&[Sent]) -> Raw; 3] = [
        |sent| stored().lane(sent[0].lane, sent[0].id, NIL),
        |sent| stored().lane(sent[0].lane, sent[0].id + HOUR, sent[0].id),
        |sent| stored().lane(sent[0].lane, sent[0].id + 1, sent[0].id).and("version", number(9)),
    ];
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.deletes()) {
        for stands in ours {
            let ended = Play::of(verb).stands(stands).ends(Ok(Replayed)).await;
            let item = ended.result.expect("is replayed").item().expect("is an account");
            assert_eq!(item.expect("as it stands").balance, 15);
        }
    }
    for verb in [Verb::Insert, Verb::Keyed, Verb::Upsert, Verb::UpsertNewer] {
        // Pushed out of its lane by two later writes, and still the birth.
        let later = |sent: &[Sent]| stored().born(sent[0].id).lane(sent[0].lane, sent[0].id + 2, sent[0].id + 1);
        let ended = Play::of(verb).stands(later).ends(Ok(Replayed)).await;
        assert_eq!(ended.result.expect("is replayed").version(), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn own_id_on_another_lane_is_not_taken_for_this_call() {
    let stands = |sent: &[Sent]| stored().lane((sent[0].lane + 1) % 8, sent[0].id, NIL);
    Play::of(Verb::Insert).stands(stands).ends(Err(AlreadyExists)).await;
}

#[tokio::test(start_paused = true)]
async fn keyed_insert_recognises_its_key_whoever_used_it() {
    let ours = |sent: &[Sent]| stored().and("_wk", key_stamp(sent));
    let replayed = Play::of(Verb::Keyed).stands(ours).ends(Ok(Replayed)).await.result.expect("is replayed");
    assert_eq!(replayed.item().expect("is an account").expect("as it stands").balance, 15);

    let other_content = |sent: &[Sent]| stored().and("_wk", altered(key_stamp(sent), 15));
    let refused = Play::of(Verb::Keyed).stands(other_content).ends(Err(KeyReused)).await.error();
    assert_eq!(refused.current::<Account>().expect("is an account").expect("as it stands").balance, 15);

    let other_key = |sent: &[Sent]| stored().and("_wk", altered(key_stamp(sent), 0));
    Play::of(Verb::Keyed).stands(other_key).ends(Err(AlreadyExists)).await;
    Play::of(Verb::Insert).stands(|_| stored().and("_wk", id(7))).ends(Err(AlreadyExists)).await;
}

pub(crate) fn key_stamp(sent: &[Sent]) -> aws_sdk_dynamodb::types::AttributeValue {
    dynamo_once::testing::item(&sent[0].body["Item"])["_wk"].clone()
}

/// The same but for one byte: of the first eight, another key; of the others, other content.
pub(crate) fn altered(
    stamp: aws_sdk_dynamodb::types::AttributeValue,
    byte: u32,
) -> aws_sdk_dynamodb::types::AttributeValue {
    id(crate::peer::id_of(&stamp).expect("sixteen bytes") ^ (1 << (8 * (15 - byte))))
}

#[tokio::test(start_paused = true)]
async fn log_of_another_format_is_refused() {
    let later_format = stored().born(BIRTH | 0xFF << 120);
    let leftover = foreign().and("_w3", id(BIRTH));
    let short = stored().and("_w5", number(1));
    for verb in Verb::ALL {
        for item in [&later_format, &leftover, &short] {
            let item = item.clone();
            let refused = Play::of(verb).stands(|_| item).ends(Err(Malformed)).await.error();
            assert!(refused.raw_current().is_some_and(|raw| raw["balance"] == number(15)), "{verb}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn insert_on_an_item_is_refused_with_it() {
    for verb in [Verb::Insert, Verb::Keyed] {
        for item in [stored(), foreign()] {
            let refused = Play::of(verb).stands(|_| item).ends(Err(AlreadyExists)).await.error();
            assert_eq!(refused.attempts(), 1);
            assert_eq!(refused.current::<Account>().expect("is an account").expect("as it stands").balance, 15);
        }
        // Born after the call's id was made, or written since: not ours all the same.
        let later = |sent: &[Sent]| stored().born(sent[0].id + 1).lane(sent[0].lane, sent[0].id + 9, sent[0].id + 8);
        Play::of(verb).stands(later).ends(Err(AlreadyExists)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn insert_on_an_item_whose_version_is_nonsense_is_refused_as_ever() {
    let nonsense = stored().and("version", aws_sdk_dynamodb::types::AttributeValue::S("seven".into()));
    Play::of(Verb::Insert).stands(|_| nonsense).ends(Err(AlreadyExists)).await;
}

#[tokio::test(start_paused = true)]
async fn another_version_is_a_conflict() {
    for verb in [Verb::UpdateAt, Verb::UpdateAtVersion, Verb::Save, Verb::DeleteAt] {
        for version in [2, 4] {
            let conflict = Play::of(verb).stands(move |_| stored().and("version", number(version)));
            let conflict = conflict.ends(Err(VersionConflict)).await.error();
            assert_eq!(conflict.attempts(), 1, "{verb}");
            let stands = conflict.current::<Account>().expect("is an account").expect("as it stands");
            assert_eq!(stands.version(), version);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_birth_is_a_conflict() {
    for verb in [Verb::UpdateAt, Verb::Save, Verb::DeleteAt] {
        for birth in [BIRTH - HOUR, BIRTH + HOUR] {
            Play::of(verb).stands(move |_| stored().born(birth)).ends(Err(VersionConflict)).await;
        }
        Play::of(verb).stands(|_| foreign().and("version", number(3))).ends(Err(VersionConflict)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn modify_after_a_conflict_writes_once_more_and_reads_no_more() {
    let conflict = |_: &[Sent]| stored().and("version", number(4)).and("balance", number(40));
    let ended = Play::of(Verb::Modify).stands(conflict).applied().ends(Ok(Applied)).await;
    let [first, second] = &ended.sent[..] else { panic!("two writes") };
    assert!(first.id < second.id);
    assert!(second.body.to_string().contains(r#"{"N":"41"}"#), "the change is made on the item that stands");
}

#[tokio::test(start_paused = true)]
async fn own_condition_that_does_not_hold_is_refused() {
    let poor: fn(&[Sent]) -> Raw = |_| stored().and("balance", number(5));
    let newer: fn(&[Sent]) -> Raw = |_| stored().and("balance", number(20));
    for (verb, item) in [(Verb::UpdateWhen, poor), (Verb::UpsertNewer, newer)] {
        let refused = Play::of(verb).stands(item).ends(Err(ConditionFailed)).await.error();
        assert_eq!(refused.attempts(), 1);
        assert!(refused.current::<Account>().expect("is an account").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn version_that_cannot_be_counted_up_is_refused() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let nonsense = [
        AttributeValue::S("seven".into()),
        number(-1),
        number(1.5),
        number(i64::MAX),
        number(u64::MAX),
        number(0), // beside a log, whose first write made version 1
    ];
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.inserts()) {
        for version in &nonsense {
            let item = stored().and("version", version.clone());
            let play = Play::of(verb).stands(|_| item);
            match verb {
                Verb::Modify => {}
                _ if verb.at_version() => drop(play.ends(Err(VersionConflict)).await),
                _ => drop(play.ends(Err(Malformed)).await),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tombstone_is_treated_as_absent() {
    let tombstone = || stored().and("_wt", number(1));
    for verb in [Verb::Update, Verb::UpdateWhen, Verb::UpdateAt, Verb::UpdateAtVersion, Verb::Save, Verb::DeleteAt] {
        let refused = Play::of(verb).stands(move |_| tombstone()).ends(Err(NotFound)).await.error();
        assert!(refused.current::<Account>().expect("can be read").is_none(), "{verb}");
    }
    Play::of(Verb::Modify).stands(move |_| tombstone()).ends(Err(NotFound)).await;
    Play::of(Verb::Delete).stands(move |_| tombstone()).ends(Ok(Applied)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_ask_for_the_item_that_fails_their_condition() {
    for verb in Verb::ALL {
        let ended = Play::of(verb).reply(Reply::ok(serde_json::json!({}))).ends(Ok(Applied)).await;
        assert_eq!(ended.sent[0].body["ReturnValuesOnConditionCheckFailure"], "ALL_OLD", "{verb}");
    }
}
