//! By what a repetition is recognised: digests that outlive the program which stored them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::{Error, ErrorKind, Item, Store, Table, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::world::{World, seven};

/// As the first version of a program has it.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    id: String,
    status: String,
    placed: u64,
    paid: u64,
}

/// As the next one has it, with an index more.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "orders", index(name = "by-status", partition_key = "STATUS#{status}", sort_key = placed))]
struct Indexed {
    #[item(partition_key)]
    id: String,
    status: String,
    placed: u64,
    paid: u64,
}

async fn orders(world: &World) -> Table<Order> {
    let orders = world.store.table::<Order>();
    orders.create_if_missing().await.expect("the table is made");
    orders
}

fn order(placed: u64, paid: u64) -> Order {
    Order { id: "a".into(), status: "open".into(), placed, paid }
}

fn indexed(store: &Store) -> (Table<Indexed>, Indexed) {
    (store.table(), Indexed { id: "a".into(), status: "open".into(), placed: 1, paid: 0 })
}

#[tokio::test]
async fn a_write_is_the_same_once_its_type_has_an_index_more() {
    let world = World::new().await;
    let (before, records) = (orders(&world).await, &world.records);
    let next = world.other_store();
    let ((after, item), records_after) = (indexed(&next), &next.records("records"));
    let (f, g) = (Order::FIELDS, Indexed::FIELDS);

    before.insert(&order(1, 0)).idempotency_key(records, "insert").send().await.expect("is inserted");
    before.upsert(&order(1, 0)).idempotency_key(records, "upsert").send().await.expect("is written");
    before.update("a").set(f.status, "sent").idempotency_key(records, "update").send().await.expect("is written");
    let either = before.update("a").set(f.status, "sent").or_insert(&order(1, 0));
    either.idempotency_key(records, "either").send().await.expect("is written");

    let either = after.update("a").set(g.status, "sent").or_insert(&item);
    let repeated = [
        after.insert(&item).idempotency_key(records_after, "insert").send().await,
        after.upsert(&item).idempotency_key(records_after, "upsert").send().await,
        after.update("a").set(g.status, "sent").idempotency_key(records_after, "update").send().await,
        either.idempotency_key(records_after, "either").send().await,
    ];
    for (verb, repeated) in ["insert", "upsert", "update", "either"].into_iter().zip(repeated) {
        assert!(repeated.unwrap_or_else(|error| panic!("{verb}: {error}")).is_replayed(), "{verb}");
    }
}

#[tokio::test]
async fn a_newer_one_by_another_field_is_another_write() {
    let world = World::new().await;
    let (orders, records) = (orders(&world).await, &world.records);
    let f = Order::FIELDS;
    let upsert = |item: Order| orders.upsert_newer(&item, f.placed).idempotency_key(records, "k").send();
    upsert(order(1, 1)).await.expect("is written");
    assert!(upsert(order(1, 1)).await.expect("has been").is_replayed());
    let by_another = orders.upsert_newer(&order(1, 1), f.paid).idempotency_key(records, "k").send().await;
    assert_eq!(by_another.unwrap_err().kind(), ErrorKind::KeyReused);
}

/// What a set's own order is, differs each time.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "posts")]
struct Post {
    #[item(partition_key)]
    id: String,
    #[serde(with = "serde_dynamo::string_set")]
    tags: HashSet<String>,
}

#[tokio::test]
async fn the_order_of_a_set_makes_no_other_content() {
    let world = World::new().await;
    let (posts, records) = (world.store.table::<Post>(), &world.records);
    posts.create_if_missing().await.expect("the table is made");
    let tags = || (0..40).map(|tag| tag.to_string());
    for repetition in 0..5 {
        let post = Post { id: "a".into(), tags: tags().collect() };
        let written = posts.insert(&post).idempotency_key(records, "k").send().await.expect("is the same");
        assert_eq!(written.is_replayed(), repetition > 0);
        let update = posts.update("a").union(Post::FIELDS.tags, tags().collect::<HashSet<_>>());
        let written = update.idempotency_key(records, "update").send().await.expect("is the same");
        assert_eq!(written.is_replayed(), repetition > 0);
        let (set, map): (BTreeSet<_>, HashMap<_, _>) = (tags().collect(), tags().zip(0..).collect());
        let run = records.once("run").payload(&(set, map)).run(seven).await.expect("is the same");
        assert_eq!(run.is_replayed(), repetition > 0);
    }
}

/// One of each type of attribute.
#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "samples")]
struct Sample {
    #[item(partition_key)]
    id: String,
    count: i64,
    rate: f64,
    is_open: bool,
    lines: Vec<String>,
    limits: BTreeMap<String, Option<u64>>,
    #[serde(with = "serde_dynamo::string_set")]
    tags: BTreeSet<String>,
    #[serde(with = "serde_dynamo::number_set")]
    sizes: BTreeSet<u64>,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    note: Option<String>,
}

fn sample(id: &str) -> Sample {
    Sample {
        id: id.into(),
        count: 7,
        rate: 0.5,
        is_open: true,
        lines: vec!["one".into(), "two".into()],
        limits: [("eur".into(), Some(100)), ("usd".into(), None)].into(),
        tags: ["a".into(), "b".into()].into(),
        sizes: [1, 2].into(),
        bytes: vec![0, 255],
        note: None,
    }
}

/// Whoever repeats a write under its key, or an event under its payload, may be a later version of the program, on a later version of this crate.
/// By another digest than these, all that was recorded before the upgrade is `KeyReused` when it is repeated, for as long as records are
/// kept: 24 hours, and more. So a difference here isn't to be written down as the new state of things; it is to be undone.
#[tokio::test]
async fn what_repetitions_are_recognised_by_stays_the_same() {
    let world = World::new().await;
    let (samples, records) = (world.store.table::<Sample>(), &world.records);
    samples.create_if_missing().await.expect("the table is made");
    let f = Sample::FIELDS;
    let done = |written: Result<Written<Sample>, Error>| drop(written.expect("is written"));
    let set = |values: [&str; 1]| values.map(str::to_owned).into_iter().collect::<BTreeSet<String>>();

    done(samples.insert(&sample("a")).idempotency_key(records, "insert").send().await);
    done(samples.upsert(&sample("a")).idempotency_key(records, "upsert").send().await);
    let newer = Sample { count: 8, ..sample("a") };
    done(samples.upsert_newer(&newer, f.count).idempotency_key(records, "upsert_newer").send().await);
    let update = || samples.update("a");
    let either = update().add(f.count, 1).or_insert(&sample("a"));
    let limit = || f.limits.key("eur");
    for (key, update) in [
        ("set", update().set(f.note, "new").set(f.lines.at(0), "zero").set(limit(), 50)),
        ("add", update().add(f.count, -1)),
        ("remove", update().remove(f.note)),
        ("append", update().append(f.lines, vec!["three".to_owned()])),
        ("union", update().union(f.tags, set(["c"]))),
        ("difference", update().difference(f.tags, set(["a"]))),
        ("when", update().add(f.rate, 0.25).when((f.count.ge(1) & f.note.not_exists()) | !f.lines.size().lt(1))),
        ("or_insert", either),
    ] {
        done(update.idempotency_key(records, key).send().await);
    }
    let found = samples.get("a").send().await.expect("is read").expect("is there");
    let save = samples.save(found.with(|sample| sample.count += 1));
    done(save.idempotency_key(records, "save").send().await);
    done(samples.modify("a", |sample| sample.count += 1).idempotency_key(records, "modify").send().await);
    done(samples.delete("a").idempotency_key(records, "delete").send().await);
    let transact = world.store.transact().with(samples.insert(&sample("b"))).with(samples.delete("c"));
    let transact = transact.with(samples.check("d").absent());
    transact.idempotency_key(records, "transact").send().await.expect("is written");
    let check = world.store.transact().with(samples.check("b").when(f.count.eq(7))).with(samples.insert(&sample("e")));
    check.idempotency_key(records, "check").send().await.expect("is written");
    let payload = json!({"b": [1, 2.5, null, true], "a": {"text": "x"}});
    records.once("payload").payload(&payload).run(seven).await.expect("runs");

    let mut found = Vec::new();
    for (key, _) in DIGESTS {
        let validation = world.attribute(key, "validation").await;
        let Some(AttributeValue::S(digest)) = validation else { panic!("{key}: {validation:?}") };
        found.push((key, digest));
    }
    let expected: Vec<_> = DIGESTS.into_iter().map(|(key, digest)| (key, digest.to_owned())).collect();
    assert_eq!(found, expected);

    samples.insert(&sample("f")).keyed("event-1").send().await.expect("is inserted");
    let get = world.sdk.get_item().table_name("samples").key("id", AttributeValue::S("f".into())).send().await;
    let item = get.expect("the engine answers").item.expect("is there");
    let digest: String = item["_wk"].as_b().expect("is binary").as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digest, KEYED, "of the table, the item's key and the idempotency key; and of the content");
}

const DIGESTS: [(&str, &str); 17] = [
    ("insert", "write:d48de941fbb60b6bbe662a6e5d0e66d44e25acc21c8bc44073ad46981b32fa26"),
    ("upsert", "write:5055e101b4735d74fe8eb4e916de17ff7165f78e0f11dc4264a2a824ed1e605a"),
    ("upsert_newer", "write:2296c78828760582202f8e9937838e58098fe16a26be126e590deaf2ea678251"),
    ("set", "write:9ef8599a737f2d52802749a5535003978ba2a0cbb547d605f82fc7de1c6a1df5"),
    ("add", "write:91a0410a60bee0d44fdaa679e9d09c73a909bb70e748358e2878fabe3d896040"),
    ("remove", "write:670feb7fc520b4014d2cb1caea5225e7260fb97a6bbc4c0be53379ad67deeae9"),
    ("append", "write:d66e08560f0745e682ab7717e317d53231eded5c7d4b392ace63e02d8f32f619"),
    ("union", "write:f799058579800810e03bccdfa169c119e7272305329b49f2fa4792687e605c66"),
    ("difference", "write:16318cc4aef692940d1c5cea3f13a41320ed0a164fb36673cb977497e9319618"),
    ("when", "write:6255effbb249e251b395fc532e2c82342796d65451be4572fc132913ca8eec99"),
    ("or_insert", "write:c286984934e1cf8873d475f4cd5b90ace06f28a5ddcb6e89379ac38af5ea234c"),
    ("save", "write:5f3726a5174f719b6be1880da1c588813ff2b9b1009fb36b4afb32803a01119e"),
    ("modify", "write:aecb8931685122907de884b16d878d21c7ae62f5d3105a01e0bae9b66fef2dbd"),
    ("delete", "write:1f230c7fff39c598f4472b4311dd783c3dc78296ca862e628faad0549b0f128a"),
    ("transact", "write:e9c219cd3dcc23f5a516904dbbff7d3839ad20d21fe3707884b61962de9b0dca"),
    ("check", "write:56564798c2b13bc2536170048495afc890b68551628b20b13d64d17ee51b0325"),
    ("payload", "fb4955250cd8c5a4ee3a2a9ed3d8b35e659e4f07b5c3f0118750ee590dfff777"),
];
const KEYED: &str = "fed37d190688fdcb1541b958add9ef26";
