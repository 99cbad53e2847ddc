use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    Projection as Projected, ProjectionType, ScalarAttributeType,
};
use serde::{Deserialize, Serialize};

use super::*;
use crate::expr::Path;
use crate::item::{RawItem, Schema};
use crate::meter::Meter;
use crate::store::Store;
use crate::template::{Template, TemplatePart};
use crate::testing::Embedded;
use crate::versioned::Versioned;

/// Whatever an owner has: items of other types among them.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    owner: String,
    sk: String,
    team: String,
    rank: String,
}

impl Item for Note {
    type Key = (String, String);
    const SCHEMA: Schema = Schema::new("owner").sort_key("sk").table("notes");
}

static NOTES: Template =
    Template::new(&[TemplatePart::Literal("NOTE#"), TemplatePart::Attribute { name: "id", width: 0 }]);

struct World {
    sdk: Client,
    notes: Table<Note>,
    meter: Meter,
    _engine: Embedded,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let sdk = engine.client();
        let element = |name: &str, key_type| {
            KeySchemaElement::builder().attribute_name(name).key_type(key_type).build().expect("is whole")
        };
        let mut request = sdk.create_table().table_name("notes").billing_mode(BillingMode::PayPerRequest);
        for name in ["owner", "sk", "team", "rank"] {
            let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            request = request.attribute_definitions(definition.build().expect("is whole"));
        }
        let index = GlobalSecondaryIndex::builder()
            .index_name("by_team")
            .key_schema(element("team", KeyType::Hash))
            .key_schema(element("rank", KeyType::Range))
            .projection(Projected::builder().projection_type(ProjectionType::All).build());
        let request = request.key_schema(element("owner", KeyType::Hash)).key_schema(element("sk", KeyType::Range));
        request.global_secondary_indexes(index.build().expect("is whole")).send().await.expect("the table is made");
        let meter = Meter::new();
        let notes = Store::new(engine.config().build()).table::<Note>().metered(&meter);
        Self { sdk, notes, meter, _engine: engine }
    }

    async fn put(&self, owner: &str, sk: &str, team: &str, rank: &str) {
        let note = Note { owner: owner.into(), sk: sk.into(), team: team.into(), rank: rank.into() };
        let item: RawItem = serde_dynamo::to_item(note).expect("is an item");
        self.sdk.put_item().table_name("notes").set_item(Some(item)).send().await.expect("the engine takes it");
    }

    /// The notes among what the owner has.
    fn of(&self, owner: &str) -> Query<Note, String> {
        let mut partition = Partition::of_table(&owner.to_owned());
        partition.template = Some(&NOTES);
        self.notes.query(partition)
    }

    fn by_team(&self, team: &str) -> Query<Note, String> {
        let mut partition = Partition::of_table(&"of no matter".to_owned());
        (partition.index, partition.is_strong) = (Some("by_team"), false);
        partition.key = ("team", AttributeValue::S(team.to_owned()));
        partition.sort = Some("rank");
        self.notes.query(partition)
    }

    fn requests(&self) -> u64 {
        self.meter.of("query").requests
    }
}

fn keys(notes: &[Versioned<Note>]) -> Vec<&str> {
    notes.iter().map(|note| note.sk.as_str()).collect()
}

#[tokio::test]
async fn a_template_keeps_every_condition_to_its_own_items() {
    let world = World::new().await;
    for sk in ["MOTE#z", "NOTE#", "NOTE#a", "NOTE#b", "NOTE#b#x", "NOTE#c", "NOTE$", "NOTE", "NOTES", "ORDER#1"] {
        world.put("eve", sk, "t", "r").await;
    }
    let eve = || world.of("eve");
    type Narrow = fn(Query<Note, String>) -> Query<Note, String>;
    let cases: [(Narrow, &[&str]); 10] = [
        (|notes| notes, &["NOTE#a", "NOTE#b", "NOTE#c"]),
        (|notes| notes.eq("b"), &["NOTE#b"]),
        (|notes| notes.lt("b"), &["NOTE#a"]),
        (|notes| notes.le("b"), &["NOTE#a", "NOTE#b"]),
        (|notes| notes.gt("b"), &["NOTE#c"]),
        (|notes| notes.ge("b"), &["NOTE#b", "NOTE#c"]),
        (|notes| notes.between("a", "b"), &["NOTE#a", "NOTE#b"]),
        (|notes| notes.begins_with("b"), &["NOTE#b"]),
        (|notes| notes.lt("a"), &[]),
        (|notes| notes.gt("c"), &[]),
    ];
    for (position, (narrow, expected)) in cases.into_iter().enumerate() {
        let notes = narrow(eve()).items().collect().await.expect("is read");
        assert_eq!(keys(&notes), expected, "{position}");
        let notes = narrow(eve()).descending().page_size(1).items().collect().await.expect("is read");
        assert_eq!(keys(&notes), expected.iter().rev().copied().collect::<Vec<_>>(), "{position}");
        assert_eq!(narrow(eve()).count().await.expect("is counted"), expected.len() as u64, "{position}");
        let limited = narrow(eve()).limit(2).page_size(1).count().await.expect("is counted");
        assert_eq!(limited, expected.len().min(2) as u64, "{position}");
    }
    let refused = eve().eq("").items().collect().await.expect_err("is refused");
    assert!(refused.is_invalid() && refused.to_string().contains("`id`"), "{refused}");
}

#[tokio::test]
async fn the_item_before_another_takes_one_request_that_reads_two() {
    let world = World::new().await;
    for number in 1..=5 {
        world.put("bob", &format!("NOTE#{number}"), "t", "r").await;
    }
    let before = world.of("bob").lt("4").descending().limit(1).items().collect().await.expect("is read");
    assert_eq!((keys(&before), world.requests()), (vec!["NOTE#3"], 1));
    let after = world.of("bob").gt("4").limit(1).items().collect().await.expect("is read");
    assert_eq!((keys(&after), world.requests()), (vec!["NOTE#5"], 2));
}

#[tokio::test]
async fn a_query_of_an_index_goes_on_among_equal_sort_keys() {
    let world = World::new().await;
    for number in 0..30 {
        world.put(&format!("owner-{number:02}"), "s", "red", ["low", "high"][number % 2]).await;
    }
    let (mut seen, mut token) = (std::collections::BTreeSet::new(), None::<StartToken>);
    for _ in 0..5 {
        let query = world.by_team("red").descending().limit(7);
        let query = match &token {
            Some(token) => query.start_after(token.to_string().parse().expect("is a token")),
            None => query,
        };
        let page = query.page().await.expect("is read");
        assert!(page.items().iter().all(|note| seen.insert(note.owner.clone())), "no item comes twice");
        token = page.next_token().cloned();
    }
    assert_eq!((seen.len(), token), (30, None));
    assert_eq!(world.by_team("red").begins_with("lo").count().await.expect("is counted"), 15);
    assert_eq!(world.by_team("red").lt("low").count().await.expect("is counted"), 15);
}

#[tokio::test]
async fn a_query_of_an_index_has_keys_and_consistency_of_its_own() {
    let world = World::new().await;
    world.put("eve", "s", "red", "low").await;
    let (owner, team) = (Path::<Note, String>::new("owner"), Path::<Note, String>::new("team"));
    let strong = world.by_team("red").consistency(Consistency::Strong).items().collect().await;
    let strong = strong.expect_err("is refused");
    assert!(strong.is_invalid() && strong.to_string().contains("global index"), "{strong}");
    let error = world.by_team("red").filter(team.eq("red")).count().await.expect_err("is refused");
    assert!(error.is_invalid() && error.to_string().contains("key attribute `team`"), "{error}");
    assert_eq!(world.by_team("red").filter(owner.eq("eve")).count().await.expect("is counted"), 1);
    let error = world.by_team("red").start_after(token(&world).await).items().collect().await.expect_err("is refused");
    assert!(error.to_string().contains("another query"), "{error}");
}

async fn token(world: &World) -> StartToken {
    for sk in ["NOTE#1", "NOTE#2"] {
        world.put("zoe", sk, "t", "r").await;
    }
    world.of("zoe").limit(1).page().await.expect("is read").next_token().expect("there is more").clone()
}
