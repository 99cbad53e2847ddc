//! The guards in two tellings: what `Guard::allows` says, and what the engine makes of the rendered condition.

use std::sync::LazyLock;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{condition, stamp_new, update};
use crate::arbitrary::config;
use crate::call::Request;
use crate::expr::{Changes, RawPath, Rendering};
use crate::item::RawItem;
use crate::protocol::call::Attempt;
use crate::protocol::guard::Guard;
use crate::protocol::log::{History, KeyStamp, Lane, Log, Seen, Version, WriteId};
use crate::protocol::rules::LANES;
use crate::rows::{Rows, TABLE};

static ROWS: LazyLock<Rows> = LazyLock::new(Rows::new);

/// So few that they often meet.
fn id() -> impl Strategy<Value = WriteId> {
    (1..9_u128).prop_map(WriteId)
}

fn version() -> impl Strategy<Value = Option<AttributeValue>> {
    let number = |text: String| Some(AttributeValue::N(text));
    prop_oneof![
        1 => Just(None),
        9 => (0..5_u64).prop_map(move |version| number(version.to_string())),
        1 => (0..3_u64).prop_map(move |below| number((Version::LAST + 1 - below).to_string())),
        1 => proptest::sample::select(vec!["-1", "1.5", "9223372036854775808", "1E+30", "0.1"]).prop_map(move |odd| number(odd.into())),
        1 => proptest::sample::select(vec![AttributeValue::S("1".into()), AttributeValue::Null(true), AttributeValue::Bool(true)])
            .prop_map(Some),
    ]
}

/// A lane's head and older entry, as far as they are stored.
type StoredLane = (Option<u128>, Option<u128>);

fn lanes() -> impl Strategy<Value = Vec<StoredLane>> {
    let entry = || proptest::option::of(0..9_u128);
    vec((entry(), entry()), LANES)
}

/// What may be wrong with a log: a later format, no id, an entry beside no birth.
fn damage() -> impl Strategy<Value = Option<(&'static str, Option<AttributeValue>)>> {
    let bytes = |bytes: &[u8]| Some(AttributeValue::B(Blob::new(bytes)));
    let name = proptest::sample::select(vec!["_wb", "_w0", "_w1p", "_w3", "_wk"]);
    let value = proptest::sample::select(vec![
        None,
        bytes(&[0xFF; 16]),
        bytes(&[]),
        bytes(&[0; 15]),
        Some(AttributeValue::S("no id".into())),
        Some(AttributeValue::N("3".into())),
    ]);
    prop_oneof![7 => Just(None), 1 => (name, value).prop_map(Some)]
}

fn stored() -> impl Strategy<Value = Option<RawItem>> {
    let logged = (id(), lanes(), proptest::bool::weighted(0.3), proptest::option::of(Just([7; 8])), damage());
    let item = (version(), proptest::option::weighted(0.8, logged)).prop_map(|(version, logged)| {
        let mut item = RawItem::new();
        let format = ROWS.table.core().format();
        item.extend(version.map(|version| ("version".to_owned(), version)));
        if let Some((birth, lanes, tombstone, keyed, damage)) = logged {
            item.insert(format.stamp.birth.clone(), birth.attribute());
            for ((head, older), names) in lanes.into_iter().zip(&format.stamp.lanes) {
                item.extend(head.map(|id| (names.head.clone(), WriteId(id).attribute())));
                item.extend(older.map(|id| (names.older.clone(), WriteId(id).attribute())));
            }
            if tombstone {
                item.insert(format.stamp.tombstone.clone(), AttributeValue::Bool(true));
            }
            item.extend(keyed.map(|key| (format.stamp.keyed.clone(), KeyStamp { key, content: key }.attribute())));
            match damage {
                Some((name, Some(value))) => drop(item.insert(name.to_owned(), value)),
                Some((name, None)) => drop(item.remove(name)),
                None => {}
            }
        }
        item
    });
    prop_oneof![1 => Just(None), 8 => item.prop_map(Some)]
}

fn guard() -> impl Strategy<Value = Guard> {
    let version = || prop_oneof![6 => 0..5_u64, 1 => Just(Version::LAST)];
    prop_oneof![
        1 => Just(Guard::Absent),
        3 => proptest::option::of(id()).prop_map(|birth| Guard::Born { birth }),
        3 => Just(Guard::Open),
        4 => (version(), proptest::option::of(id())).prop_map(|(version, birth)| Guard::At { version, birth }),
        3 => (version(), id()).prop_map(|(version, birth)| Guard::Revive { version, birth }),
        3 => proptest::option::of(version()).prop_map(|version| Guard::Adopt { version }),
        2 => proptest::option::of(id()).prop_map(|birth| Guard::Fence { birth }),
    ]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (guard(), id(), 0..LANES as u8).prop_map(|(guard, id, lane)| Attempt { id, lane, guard })
}

/// A fit: an attempt made for the very item, so that it often applies.
fn fitting(item: Option<&RawItem>, attempt: Attempt, fit: bool) -> Attempt {
    let Some(seen) = item.filter(|_| fit).map(|item| ROWS.table.core().format().read(item)) else { return attempt };
    let stored = match seen.version {
        Version::Number(version) => Some(version),
        _ => None,
    };
    let born = seen.log().map(|log| log.birth);
    let version = stored.unwrap_or_default();
    let guard = match attempt.guard {
        Guard::Born { birth } => Guard::Born { birth: birth.and(born) },
        Guard::At { birth, .. } => Guard::At { version, birth: birth.and(born) },
        Guard::Revive { birth, .. } => Guard::Revive { version, birth: born.unwrap_or(birth) },
        Guard::Adopt { .. } => Guard::Adopt { version: stored },
        Guard::Fence { birth } => Guard::Fence { birth: birth.and(born) },
        guard => guard,
    };
    Attempt { guard, id: WriteId(attempt.id.0 + 8), ..attempt }
}

/// Sends the attempt as a verb would; whether it applied.
fn send(attempt: &Attempt) -> bool {
    let core = ROWS.table.core();
    let applied = if attempt.guard == Guard::Absent {
        let mut item = Rows::key();
        stamp_new(core, attempt, &mut item);
        item.insert("hit".to_owned(), AttributeValue::Bool(true));
        let mut rendering = Rendering::new();
        let condition = condition(core, attempt, None, &mut rendering);
        let (names, _) = rendering.finish(&[&condition]).expect("is within the limits");
        let put = ROWS.client.put_item().table_name(TABLE).set_item(Some(item)).condition_expression(condition);
        let put = put.set_expression_attribute_names(Some(names));
        ROWS.wait(put.send())
            .map(drop)
            .map_err(|error| error.into_service_error().is_conditional_check_failed_exception())
    } else {
        let mut changes = Changes::new();
        if !matches!(attempt.guard, Guard::Fence { .. }) {
            changes.set_raw(RawPath::from("hit"), AttributeValue::Bool(true));
        }
        let request =
            update(core, &Rows::key(), attempt, changes, None, ReturnValue::None).expect("is within the limits");
        let Request::Update(request) = request else { panic!("an update is one") };
        ROWS.wait(request.send())
            .map(drop)
            .map_err(|error| error.into_service_error().is_conditional_check_failed_exception())
    };
    match applied {
        Ok(()) => true,
        Err(true) => false,
        Err(false) => panic!("{attempt:?} is no request that the engine takes"),
    }
}

/// The stamp that a write leaves.
fn pushed(attempt: &Attempt, before: Option<&Seen>) -> Seen {
    let fence = matches!(attempt.guard, Guard::Fence { .. });
    let log = before.and_then(Seen::log);
    let mut lanes = log.map_or([Lane::EMPTY; LANES], |log| log.lanes);
    let lane = &mut lanes[usize::from(attempt.lane)];
    *lane = Lane { head: attempt.id, older: lane.head };
    let version = match before.map_or(Version::Absent, |seen| seen.version) {
        version if fence => version,
        // The last version that can be made is one that can't be counted up.
        Version::Number(Version::LAST) => Version::Unusable,
        Version::Number(version) => Version::Number(version + 1),
        _ => Version::Number(1),
    };
    let log = Log { birth: log.map_or(attempt.id, |log| log.birth), keyed: log.and_then(|log| log.keyed), lanes };
    Seen { version, history: History::Log(log), tombstone: before.is_some_and(|seen| seen.tombstone) }
}

/// What a condition can't see, since it compares and doesn't parse: that a version has a fraction, and that something in the
/// log is no id. Reads report such items; a write whose guard happens to hold goes through.
fn is_beyond_conditions(seen: &Seen, item: &RawItem) -> bool {
    let fraction = matches!(item.get("version"), Some(AttributeValue::N(number)) if number.contains('.'));
    seen.history == History::Unreadable || (seen.version == Version::Unusable && fraction)
}

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn a_rendered_guard_means_what_the_guard_means(stored in stored(), attempt in attempt(), fit in proptest::bool::weighted(0.7)) {
        let attempt = fitting(stored.as_ref(), attempt, fit);
        let format = ROWS.table.core().format();
        let _turn = ROWS.turn();
        ROWS.store(stored);
        // As the engine has it: it writes numbers in its own way.
        let stored = ROWS.stored();
        let before = stored.as_ref().map(|item| format.read(item));
        let allowed = attempt.guard.allows(attempt.id, attempt.lane, before.as_ref());
        let applied = send(&attempt);

        let after = ROWS.stored();
        if !applied {
            prop_assert!(!allowed, "the engine refuses {:?} on {:?}", attempt, before);
            prop_assert_eq!(after, stored, "a refused write changes nothing");
            return Ok(());
        }
        if let (Some(seen), Some(item)) = (&before, &stored) && is_beyond_conditions(seen, item) {
            prop_assert!(!allowed || matches!(attempt.guard, Guard::Fence { .. }), "a fence alone passes over the version");
            return Ok(());
        }
        prop_assert!(allowed, "the engine applies {:?} on {:?}", attempt, before);
        let after = after.expect("was written");
        prop_assert_eq!(after.contains_key("hit"), !matches!(attempt.guard, Guard::Fence { .. }));
        prop_assert_eq!(format.read(&after), pushed(&attempt, before.as_ref()));
        if let Some(made) = attempt.guard.makes() {
            prop_assert_eq!(format.read(&after).version, if made > Version::LAST { Version::Unusable } else { Version::Number(made) });
        }
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_later_format_is_left_alone(attempt in attempt(), version in 0..5_u64, birth in any::<[u8; 15]>()) {
        let later = [&[0xFF], &birth[..]].concat();
        let item: RawItem = [
            ("_wb".to_owned(), AttributeValue::B(Blob::new(later))),
            ("version".to_owned(), AttributeValue::N(version.to_string())),
        ].into();
        let _turn = ROWS.turn();
        ROWS.store(Some(item.clone()));
        prop_assert!(!send(&attempt), "{:?}", attempt);
        prop_assert_eq!(ROWS.stored(), Some(item));
    }
}
