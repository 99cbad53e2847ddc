//! What is sent, held against what the protocol says of it, on an engine.

use super::*;
use crate::call::Reply;
use crate::item::RawItem;
use crate::protocol::claim::Demand;
use crate::record::Kept;
use crate::store::Store;
use crate::testing::Embedded;

const NOW: Millis = 1_800_000_000_000;
const ME: WriteId = WriteId(5 << 64);

fn stored(record: &Record) -> RawItem {
    let status = match record.status {
        Status::Running { .. } => IN_PROGRESS,
        Status::Completed => COMPLETED,
        Status::Unreadable => "HALF DONE",
    };
    let mut item = RawItem::from([
        (ID.to_owned(), AttributeValue::S("key".into())),
        (STATUS.to_owned(), AttributeValue::S(status.into())),
        (EXPIRATION.to_owned(), number(record.expires / 1000)),
    ]);
    if let Status::Running { until: Some(until) } = record.status {
        item.insert(LEASE.to_owned(), number(until));
    }
    if record.differs {
        item.insert(VALIDATION.to_owned(), AttributeValue::S("another".into()));
    }
    if let Some(owner) = record.owner {
        item.insert(OWNER.to_owned(), owner.attribute());
    }
    item
}

/// Every kind of record there is.
fn records() -> Vec<Option<Record>> {
    let mut records = vec![None];
    let statuses = [0, NOW - 1, NOW, NOW + 1].map(|until| Status::Running { until: Some(until) });
    let statuses = statuses.into_iter().chain([Status::Running { until: None }, Status::Completed, Status::Unreadable]);
    for status in statuses {
        for owner in [None, Some(WriteId(ME.0 - 1)), Some(ME), Some(WriteId(ME.0 + 1))] {
            for expires in [NOW - 1000, NOW, NOW + 1000] {
                records.extend([false, true].map(|differs| Some(Record { owner, status, expires, differs })));
            }
        }
    }
    records
}

#[tokio::test]
async fn conditions_on_an_engine_say_what_the_protocol_says() {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    let records_table = store.records("records");
    records_table.create_if_missing().await.expect("the table is made");
    let core = records_table.core();
    let operation = Operation { id: "key".into(), validation: Some("this".into()), kept: Duration::from_secs(60) };
    let sdk = engine.client();
    let complete = Change::Complete { ending: Ending::Answer(Kept::Text("1".into())), at: NOW };
    let mut met = 0;
    for record in records() {
        let requests = [
            (Demand::Claim { now: NOW }, claim_request(core, &operation, ME, NOW, NOW + 10)),
            (Demand::Hold, change_request(core, &operation, ME, &complete)),
            (
                Demand::Extend { until: NOW },
                change_request(core, &operation, ME, &Change::Extend { until: NOW, now: NOW }),
            ),
            (Demand::Hold, change_request(core, &operation, ME, &Change::Release)),
        ];
        for (demand, request) in requests {
            let key = AttributeValue::S("key".into());
            sdk.delete_item().table_name("records").key(ID, key).send().await.expect("the engine answers");
            if let Some(record) = &record {
                let item = stored(record);
                assert_eq!(operation.read(&item).record, *record, "read as it was stored");
                sdk.put_item().table_name("records").set_item(Some(item)).send().await.expect("the engine takes it");
            }
            let mut retry = store.caller().begin();
            let reply = store.caller().send(&mut outgoing(core, request), &mut retry).await;
            let is_met = demand.is_met_by(record.as_ref(), ME);
            assert_eq!(matches!(reply, Reply::Done { .. }), is_met, "{demand:?} of {record:?}: {reply:?}");
            met += usize::from(is_met);
        }
    }
    assert!(met > 20, "{met} were met");
}

/// A record that its owner has released, of this validation.
fn released(validation: Option<&str>) -> RawItem {
    let status = Status::RELEASED;
    let mut item = stored(&Record { owner: Some(WriteId(1)), status, expires: NOW + 1000, differs: false });
    item.extend(validation.map(|validation| (VALIDATION.to_owned(), AttributeValue::S(validation.into()))));
    item
}

#[tokio::test]
async fn a_record_of_another_payload_or_of_a_write_is_not_claimed() {
    let engine = Embedded::start().await;
    let store = Store::new(engine.config().build());
    let records_table = store.records("records");
    records_table.create_if_missing().await.expect("the table is made");
    let (core, sdk) = (records_table.core(), engine.client());
    let (payload, write) = (Some("this".to_owned()), Some("write:this".to_owned()));
    for (stored, claimed_by) in [
        (None, vec![None, payload.clone()]),
        (Some("this"), vec![None, payload.clone()]),
        (Some("another"), vec![None]),
        (Some("write:this"), vec![write.clone()]),
        (Some("write:another"), vec![]),
    ] {
        for validation in [None, payload.clone(), write.clone()] {
            let item = released(stored);
            sdk.put_item()
                .table_name("records")
                .set_item(Some(item.clone()))
                .send()
                .await
                .expect("the engine takes it");
            let operation = Operation { id: "key".into(), validation, kept: Duration::from_secs(60) };
            let request = claim_request(core, &operation, ME, NOW, NOW + 10);
            let mut retry = store.caller().begin();
            let reply = store.caller().send(&mut outgoing(core, request), &mut retry).await;
            let is_claimed = claimed_by.contains(&operation.validation);
            assert_eq!(matches!(reply, Reply::Done { .. }), is_claimed, "{stored:?} by {operation:?}: {reply:?}");
            assert_eq!(operation.read(&item).record.differs, !is_claimed, "{stored:?} by {operation:?}");
        }
    }
}

#[test]
fn what_other_programs_store_is_read_without_a_panic_and_never_taken_for_free() {
    let of = |name: &str, value: AttributeValue| {
        let mut item = stored(&Record {
            owner: None,
            status: Status::Running { until: Some(1) },
            expires: Millis::MAX,
            differs: false,
        });
        item.remove(EXPIRATION);
        item.insert(name.to_owned(), value);
        Entry::read(&item).record
    };
    let text = |text: &str| AttributeValue::S(text.into());
    for (name, value) in [
        (LEASE, text("soon")),
        (LEASE, AttributeValue::N("-1".into())),
        (LEASE, AttributeValue::N("1.5".into())),
        (STATUS, text("FAILED")),
        (STATUS, AttributeValue::Bool(true)),
        (OWNER, text("me")),
        (OWNER, AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([1, 2]))),
    ] {
        let record = of(name, value.clone());
        assert_eq!(record.status, Status::Unreadable, "{name} {value:?}");
        assert!(!Demand::Claim { now: NOW }.is_met_by(Some(&record), ME), "{name} {value:?}");
    }
    for expiration in [text("never"), AttributeValue::N("1e400".into()), AttributeValue::Null(true)] {
        assert_eq!(of(EXPIRATION, expiration).expires, Millis::MAX);
    }
}
