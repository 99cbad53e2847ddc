use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{StampNames, WriteIds, own};
use crate::arbitrary::{config, value};
use crate::item::RawItem;
use crate::protocol::log::{History, KeyStamp, Lane, Log, Version, WriteId};
use crate::protocol::rules::LANES;

fn names() -> StampNames {
    StampNames::new("_w")
}

fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Every attribute that the stamp reads, and the version.
fn all_names() -> Vec<String> {
    let names = names();
    let lanes = names.lanes.iter().flat_map(|lane| [lane.head.clone(), lane.older.clone()]);
    lanes.chain([names.birth.clone(), names.keyed.clone(), names.tombstone.clone(), "version".to_owned()]).collect()
}

/// What may stand where an id, a key's stamp or a version belongs: often what should, and sometimes anything.
fn stored() -> impl Strategy<Value = Option<AttributeValue>> {
    prop_oneof![
        3 => Just(None),
        4 => any::<u128>().prop_map(|id| Some(bytes(id.to_be_bytes()))),
        1 => any::<u64>().prop_map(|id| Some(bytes((u128::MAX - u128::from(id)).to_be_bytes()))),
        1 => vec(any::<u8>(), 0..40).prop_map(|other| Some(bytes(other))),
        1 => "[-+]?[0-9]{1,21}(\\.[0-9]{1,3})?([eE]-?[0-9]{1,3})?".prop_map(|number| Some(AttributeValue::N(number))),
        1 => value().prop_map(Some),
    ]
}

/// An item of anyone's, mostly with a log, or something like one.
fn item() -> impl Strategy<Value = RawItem> {
    let values = vec(stored(), all_names().len());
    values.prop_map(|values| {
        all_names().into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
    })
}

fn time() -> impl Strategy<Value = SystemTime> {
    // To the year 10000, and rarely before 1970.
    let span = prop_oneof![9 => 0..253_402_300_800_000_i64, 1 => -1_000_000_000_000..0_i64];
    span.prop_map(|millis| {
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
    })
}

fn log() -> impl Strategy<Value = Log> {
    let id = || (0..u128::MAX >> 1).prop_map(WriteId);
    let keyed = proptest::option::of((any::<[u8; 8]>(), any::<[u8; 8]>()));
    let lanes = proptest::array::uniform8((id(), id()).prop_map(|(head, older)| Lane { head, older }));
    (id(), keyed, lanes).prop_map(|(birth, keyed, lanes)| Log {
        birth,
        keyed: keyed.map(|(key, content)| KeyStamp { key, content }),
        lanes,
    })
}

fn write(log: &Log, item: &mut RawItem) {
    let names = names();
    item.insert(names.birth.clone(), log.birth.attribute());
    if let Some(keyed) = log.keyed {
        item.insert(names.keyed.clone(), keyed.attribute());
    }
    for (lane, names) in log.lanes.iter().zip(&names.lanes) {
        item.insert(names.head.clone(), lane.head.attribute());
        item.insert(names.older.clone(), lane.older.attribute());
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn what_cannot_be_used_has_a_name_and_nothing_else_has(item in item()) {
        let names = names();
        let seen = names.read(&item, "version");
        // An item with a log has been counted by each write of it, so one without a version is no write's.
        let uncounted = seen.version == Version::Absent && seen.log().is_some();
        let usable = seen.version != Version::Unusable && seen.history != History::Unreadable && !uncounted;
        let named = names.unusable(&item, "version");
        prop_assert_eq!(usable, named.is_none(), "{:?} {:?}", seen, named);
        if let Some(named) = named {
            prop_assert!(item.contains_key(named) || (uncounted && named == "version"), "{} isn't there", named);
        }
    }

    #[test]
    fn a_log_without_a_version_is_the_version_s_fault(log in log(), foreign in crate::arbitrary::item()) {
        let (names, mut item) = (names(), foreign);
        item.remove("version");
        write(&log, &mut item);
        prop_assert_eq!(names.unusable(&item, "version"), Some("version"));
    }

    #[test]
    fn a_log_is_read_as_it_was_written(log in log(), foreign in crate::arbitrary::item()) {
        let mut item = foreign;
        write(&log, &mut item);
        prop_assert_eq!(names().read(&item, "version").history, History::Log(log));
    }

    #[test]
    fn a_later_format_is_not_read(log in log(), birth in any::<[u8; 16]>(), lane in 0..LANES) {
        let (names, mut item) = (names(), RawItem::new());
        write(&log, &mut item);
        let mut later = birth;
        later[0] = 0xFF;
        item.insert(names.birth.clone(), bytes(later));
        prop_assert_eq!(names.read(&item, "version").history, History::Unreadable);
        prop_assert_eq!(names.unusable(&item, "version"), Some("_wb"));

        write(&log, &mut item);
        let head = &names.lanes[lane].head;
        item.insert(head.clone(), bytes(later));
        prop_assert_eq!(names.read(&item, "version").history, History::Unreadable);
        prop_assert_eq!(names.unusable(&item, "version"), Some(head.as_str()));
    }

    #[test]
    fn another_store_prefix_is_another_log(item in item()) {
        let seen = StampNames::new("_other").read(&item, "version");
        prop_assert_eq!(seen.history, History::Foreign);
    }

    #[test]
    fn ids_grow_whatever_the_clock_does(times in vec(time(), 1..20)) {
        let ids = WriteIds::default();
        let mut last = WriteId::NIL;
        for now in times {
            let id = ids.next(now, WriteId::NIL).expect("ids are left");
            prop_assert!(id > last, "{:?} after {:?}", id, last);
            prop_assert_eq!(id.uuid().get_version_num(), 7);
            last = id;
        }
    }

    #[test]
    fn an_id_is_above_the_one_it_has_to_be_above(now in time(), floor in any::<u128>(), near in any::<bool>()) {
        // Near to now, or anywhere up to the end of the format.
        let ids = WriteIds::default();
        let floor = if near { WriteId(ids.next(now, WriteId::NIL).expect("ids are left").0 ^ (floor & 0xFFFF_FFFF)) } else { WriteId(floor) };
        match ids.next(now, floor) {
            Some(id) => {
                prop_assert!(id > floor);
                prop_assert!(id.0.to_be_bytes()[0] != 0xFF, "{:?} would be of a later format", id);
                let stored = names().read(&[("_wb".to_owned(), id.attribute())].into(), "version");
                prop_assert_eq!(stored.log().map(|log| log.birth), Some(id));
            }
            None => prop_assert!(floor.0 >= 0xFEFF_FFFF_FFFF << 80, "{:?} could follow", floor),
        }
    }
}

#[test]
fn a_version_is_a_whole_number_that_can_be_counted_up() {
    let read = |version: AttributeValue| names().read(&[("version".to_owned(), version)].into(), "version").version;
    let number = |text: &str| read(AttributeValue::N(text.to_owned()));
    assert_eq!(number("0"), Version::Number(0));
    assert_eq!(number("9223372036854775806"), Version::Number(Version::LAST));
    for text in ["9223372036854775807", "18446744073709551616", "-1", "1.5", "1E+2", "NaN", ""] {
        assert_eq!(number(text), Version::Unusable, "{text}");
    }
    assert_eq!(read(AttributeValue::S("1".to_owned())), Version::Unusable);
    assert_eq!(read(AttributeValue::Null(true)), Version::Unusable);
    assert_eq!(names().read(&RawItem::new(), "version").version, Version::Absent);
}

#[test]
fn no_id_follows_the_last_of_the_format() {
    let ids = WriteIds::default();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let before_last = WriteId(0xFEFF_FFFF_FFFE << 80);
    assert!(ids.next(now, before_last).is_some_and(|id| id > before_last));
    assert_eq!(ids.next(now, WriteId((0xFF00_0000_0000_u128 << 80) - 1)), None);
    assert_eq!(ids.next(now, WriteId(u128::MAX)), None);
    let beyond = SystemTime::UNIX_EPOCH + Duration::from_millis(0xFF00_0000_0000);
    assert_eq!(ids.next(beyond, WriteId::NIL), None, "a clock that far ahead makes no id");
}

#[test]
fn copies_of_a_process_that_draw_the_same_make_ids_of_their_own() {
    let drawn = uuid::Uuid::from_u128(0x0123_4567_89AB_7CDE_8F01_2345_6789_ABCD);
    let ids: std::collections::HashSet<_> = (0..100).map(|_| own(drawn)).collect();
    assert!(ids.len() > 90, "{} of 100", ids.len());
    assert!(ids.iter().all(|id| id.as_u128() >> 32 == drawn.as_u128() >> 32), "order and format stay");
}

#[test]
fn a_stamp_has_67_bytes_by_one_process_340_at_most_and_19_more_of_a_key() {
    let names = names();
    let size = |lanes: usize, keyed: bool| {
        let id = WriteId(1 << 100).attribute();
        let mut item =
            RawItem::from([("version".to_owned(), AttributeValue::N("7".into())), (names.birth.clone(), id.clone())]);
        for lane in &names.lanes[..lanes] {
            item.insert(lane.head.clone(), id.clone());
            item.insert(lane.older.clone(), id.clone());
        }
        if keyed {
            item.insert(names.keyed.clone(), id);
        }
        let sizes =
            item.iter().map(|(name, value)| name.len() + crate::value::check(name, value).expect("is in order"));
        sizes.sum::<usize>()
    };
    assert_eq!(size(1, false), 67);
    assert_eq!(size(LANES, false), 340);
    assert_eq!(size(1, true) - size(1, false), 19);
}
