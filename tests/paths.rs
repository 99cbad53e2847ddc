//! What conditions and changes do through each kind of path, held against what is stored afterwards, on the engine in this process.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};
use dynamo_once::testing::Embedded;
use dynamo_once::{AttributeType, Condition, Document, Error, ErrorKind, Item, Path, Store, Table, Update};
use serde::{Deserialize, Serialize};

type RawItem = HashMap<String, AttributeValue>;

/// Nested in every way that there is, under names that an expression can't hold as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Item)]
#[item(table = "orders")]
struct Order {
    #[item(partition_key)]
    shop: String,
    #[item(sort_key)]
    number: u64,
    #[serde(rename = "size.of-it")]
    address: Address,
    billing: Option<Address>,
    parcels: Vec<Parcel>,
    #[serde(default)]
    returns: Option<Vec<Parcel>>,
    limits: HashMap<String, u64>,
    rates: BTreeMap<Currency, Vec<f64>>,
    #[serde(default, alias = "meta")]
    extra: Extra,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
#[serde(rename_all = "camelCase")]
struct Address {
    #[serde(rename = "status")]
    city: String,
    #[serde(alias = "zip")]
    postal_code: Option<String>,
    at: Box<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Box<Address>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Position {
    x: i32,
    y: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Parcel {
    lines: Vec<Line>,
    weights: [u32; 2],
    #[serde(with = "serde_dynamo::string_set", default, skip_serializing_if = "HashSet::is_empty")]
    marks: HashSet<String>,
    #[serde(with = "serde_bytes")]
    seal: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Document)]
struct Line {
    product: String,
    quantity: u32,
    notes: Vec<Option<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Document)]
struct Extra {
    #[serde(default)]
    visits: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Currency {
    Eur,
    Usd,
}

fn address(city: &str) -> Address {
    Address { city: city.into(), postal_code: None, at: Box::new(Position { x: 1, y: -2 }), next: None }
}

fn parcel() -> Parcel {
    let line =
        |product: &str, quantity| Line { product: product.into(), quantity, notes: vec![None, Some("n".into())] };
    Parcel {
        lines: vec![line("tea", 1), line("milk", 3)],
        weights: [10, 20],
        marks: HashSet::from(["fragile".to_owned()]),
        seal: vec![0xCA, 0xFE],
    }
}

fn order() -> Order {
    Order {
        shop: "s".into(),
        number: 7,
        address: Address { next: Some(Box::new(address("Ulm"))), ..address("Bonn") },
        billing: None,
        parcels: vec![parcel(), Parcel { lines: vec![], ..parcel() }],
        returns: None,
        limits: HashMap::from([("eur".to_owned(), 100), ("a.b[0]".to_owned(), 5)]),
        rates: BTreeMap::from([(Currency::Eur, vec![1.0, 1.5])]),
        extra: Extra { visits: 1 },
    }
}

struct World {
    orders: Table<Order>,
    sdk: Client,
    _engine: Embedded,
}

impl World {
    async fn new() -> Self {
        let engine = Embedded::start().await;
        let orders = Store::new(engine.config().build()).table::<Order>();
        orders.create_if_missing().await.expect("the table is made");
        orders.insert(&order()).send().await.expect("is inserted");
        Self { orders, sdk: engine.client(), _engine: engine }
    }

    fn update(&self) -> Update<Order> {
        self.orders.update(("s", 7))
    }

    /// The same as [`order`], but for what is done to it here.
    async fn is(&self, change: impl FnOnce(&mut Order)) {
        let mut expected = order();
        change(&mut expected);
        let found = self.orders.get(("s", 7)).send().await.expect("is read").expect("is there");
        assert_eq!(*found, expected);
    }

    async fn stored(&self) -> RawItem {
        let get = self.sdk.get_item().table_name("orders").key("shop", S("s".into())).key("number", N("7".into()));
        get.consistent_read(true).send().await.expect("the engine answers").item.expect("is there")
    }

    async fn holds(&self, condition: Condition<Order>) -> bool {
        let shown = format!("{condition:?}");
        match self.update().set(Order::FIELDS.extra, Extra { visits: 1 }).when(condition).send().await {
            Ok(_) => true,
            Err(error) if error.is_condition_failed() => false,
            Err(error) => panic!("{shown}: {error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_condition_holds_where_it_should_through_every_kind_of_path() {
    let world = World::new().await;
    let f = Order::FIELDS;
    let line = |number| f.parcels.at(0).field(|parcel| parcel.lines.at(number));
    for (condition, expected) in [
        (f.shop.eq("s") & f.number.lt(8), true),
        (f.number.between(8, 9), false),
        (f.address.field(|a| a.city).eq("Bonn"), true),
        (f.address.field(|a| a.city).begins_with("Bo"), true),
        (f.address.field(|a| a.city).contains("onn"), true),
        (f.address.field(|a| a.city).size().eq(4), true),
        (f.address.field(|a| a.city).is_in(["Ulm", "Kiel"]), false),
        (f.address.field(|a| a.at).field(|at| at.y).lt(0), true),
        (f.address.field(|a| a.at.field(|at| at.y)).gt(0), false),
        (f.address.field(|a| a.next).field(|a| a.city).eq("Ulm"), true),
        (f.address.field(|a| a.next).field(|a| a.next).field(|a| a.city).exists(), false),
        (f.address.field(|a| a.postal_code).eq(None), true),
        (f.address.field(|a| a.postal_code).ne(None), false),
        (f.address.field(|a| a.postal_code).is_in([None, Some("1".to_owned())]), true),
        (f.billing.field(|a| a.city).not_exists(), true),
        (f.billing.field(|a| a.city).ne("Bonn"), true),
        (f.parcels.at(0).field(|p| p.lines).at(1).field(|l| l.quantity).ge(2), true),
        (line(0).field(|l| l.quantity).ge(2), false),
        (line(0).field(|l| l.product).eq("tea"), true),
        (line(2).exists(), false),
        (line(2).field(|l| l.quantity).not_exists(), true),
        (line(0).field(|l| l.notes).at(0).eq(None), true),
        (line(0).field(|l| l.notes).at(1).eq("n"), true),
        (line(0).field(|l| l.notes).at(1).eq(None), false),
        (line(0).field(|l| l.notes).at(2).eq(None), false),
        (f.parcels.at(0).field(|p| p.weights).at(1).eq(20), true),
        (f.parcels.at(0).field(|p| p.marks).contains("fragile"), true),
        (f.parcels.at(0).field(|p| p.seal).gt(vec![0xCA]), true),
        (f.parcels.at(1).field(|p| p.lines).size().eq(0), true),
        (f.parcels.at(1).field(|p| p.lines).attribute_type(AttributeType::List), true),
        (f.returns.at(0).field(|p| p.lines).exists(), false),
        (f.limits.key("eur").between(100, 100), true),
        (f.limits.key("a.b[0]").eq(5), true),
        (f.limits.key("a.b[1]").exists(), false),
        (f.rates.key(Currency::Eur).at(1).eq(1.5), true),
        (f.rates.key(Currency::Usd).exists(), false),
        (Path::<Order, BTreeMap<u8, u64>>::new("limits").key(7).exists(), false),
        (Path::<Order, BTreeMap<String, Position>>::new("size.of-it").key("at").field(|at| at.x).eq(1), true),
    ] {
        let shown = format!("{condition:?}");
        assert_eq!(world.holds(condition.clone()).await, expected, "{shown}");
        assert_eq!(world.holds(!condition).await, !expected, "NOT {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_is_made_through_every_kind_of_path_and_nowhere_else() -> Result<(), Error> {
    let world = World::new().await;
    let f = Order::FIELDS;
    let first = f.parcels.at(0);
    let update = world.update();
    let update = update
        .set(f.address.field(|a| a.city), "Kiel")
        .set(f.address.field(|a| a.postal_code), "24103")
        .add(f.address.field(|a| a.at).field(|at| at.x), -5)
        .set(f.address.field(|a| a.next).field(|a| a.at), Box::new(Position { x: 0, y: 0 }))
        .add(first.clone().field(|p| p.lines.at(1)).field(|l| l.quantity), 2)
        .append(first.clone().field(|p| p.lines.at(0)).field(|l| l.notes), vec![Some("more".into())])
        .set(first.clone().field(|p| p.weights).at(0), 11)
        .union(first.clone().field(|p| p.marks), HashSet::from(["heavy".to_owned()]))
        .set(first.field(|p| p.seal), vec![1])
        .remove(f.parcels.at(1))
        .set(f.limits.key("usd"), 90)
        .add(f.limits.key("new"), 1)
        .remove(f.limits.key("a.b[0]"))
        .append(f.rates.key(Currency::Eur), vec![2.0])
        .append(f.rates.key(Currency::Usd), vec![0.5]);
    update.when(f.limits.key("eur").ge(100)).send().await?;
    world
        .is(|order| {
            order.address.city = "Kiel".into();
            order.address.postal_code = Some("24103".into());
            order.address.at.x = -4;
            *order.address.next.as_mut().expect("is there").at = Position { x: 0, y: 0 };
            let parcel = &mut order.parcels[0];
            parcel.lines[1].quantity = 5;
            parcel.lines[0].notes.push(Some("more".into()));
            parcel.weights[0] = 11;
            parcel.marks.insert("heavy".into());
            parcel.seal = vec![1];
            order.parcels.truncate(1);
            order.limits = HashMap::from([("eur".into(), 100), ("usd".into(), 90), ("new".into(), 1)]);
            order.rates = BTreeMap::from([(Currency::Eur, vec![1.0, 1.5, 2.0]), (Currency::Usd, vec![0.5])]);
        })
        .await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_element_that_is_set_beyond_the_end_is_appended_and_one_that_is_removed_closes_the_gap() -> Result<(), Error>
{
    let world = World::new().await;
    let f = Order::FIELDS;
    let rates = f.rates.key(Currency::Eur);
    world.update().set(rates.clone().at(usize::from(u16::MAX)), 9.0).send().await?;
    world.is(|order| order.rates = BTreeMap::from([(Currency::Eur, vec![1.0, 1.5, 9.0])])).await;
    world.update().remove(rates.clone().at(0)).send().await?;
    world.update().remove(rates.at(7)).send().await?;
    world.is(|order| order.rates = BTreeMap::from([(Currency::Eur, vec![1.5, 9.0])])).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn none_is_removed_from_a_struct_and_stored_as_null_in_a_list() -> Result<(), Error> {
    let world = World::new().await;
    let f = Order::FIELDS;
    let notes = f.parcels.at(0).field(|p| p.lines.at(0)).field(|l| l.notes);
    let update = world.update().set(f.address.field(|a| a.postal_code), None).set(notes.at(1), None);
    update.set(f.address.field(|a| a.next), None).send().await?;
    world
        .is(|order| {
            order.address.next = None;
            order.parcels[0].lines[0].notes[1] = None;
        })
        .await;
    let stored = world.stored().await;
    let M(address) = &stored["size.of-it"] else { panic!("{stored:?}") };
    assert!(!address.contains_key("postalCode") && !address.contains_key("next"), "{address:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_under_an_older_name_is_removed_beside_the_new_one() -> Result<(), Error> {
    let world = World::new().await;
    let f = Order::FIELDS;
    let mut stored = world.stored().await;
    let Some(M(address)) = stored.get_mut("size.of-it") else { panic!("{stored:?}") };
    address.remove("postalCode");
    address.insert("zip".into(), S("1".into()));
    world.sdk.put_item().table_name("orders").set_item(Some(stored)).send().await.expect("the engine takes it");
    world.is(|order| order.address.postal_code = Some("1".into())).await;

    world.update().set(f.address.field(|a| a.postal_code), "2").send().await?;
    world.is(|order| order.address.postal_code = Some("2".into())).await;
    let stored = world.stored().await;
    let M(address) = &stored["size.of-it"] else { panic!("{stored:?}") };
    assert!(!address.contains_key("zip"), "{address:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_within_what_may_be_stored_under_another_name() {
    let world = World::new().await;
    let f = Order::FIELDS;
    let visits = f.extra.field(|extra| extra.visits);
    let upsert = world.orders.upsert_newer(&order(), visits.clone()).send().await.expect_err("is refused");
    assert!(
        upsert.is_invalid() && upsert.to_string().contains("`extra.visits` may be stored under an alias"),
        "{upsert}"
    );
    let zip = f.address.field(|a| a.postal_code).clone();
    let upsert = world.orders.upsert_newer(&order(), zip).send().await.expect_err("is refused");
    assert!(upsert.is_invalid() && upsert.to_string().contains("under an alias"), "{upsert}");
    for update in [
        world.update().set(visits.clone(), 2),
        world.update().add(visits.clone(), 1),
        world.update().remove(visits.clone()),
    ] {
        let error = update.send().await.expect_err("is refused");
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        let says = ["`extra.visits`", "within `extra`", "`meta`", "modify"];
        assert!(says.iter().all(|part| error.to_string().contains(part)), "{error}");
    }
    assert!(world.holds(visits.eq(1)).await);
}

#[tokio::test(start_paused = true)]
async fn one_update_names_a_path_or_what_lies_within_it_and_not_both() {
    let world = World::new().await;
    let f = Order::FIELDS;
    let city = || f.address.field(|a| a.city);
    for (update, path) in [
        (world.update().set(f.address, address("Ulm")).set(city(), "Kiel"), "size.of-it.status"),
        (world.update().set(city(), "Kiel").remove(f.address), "size.of-it"),
        (world.update().set(city(), "Kiel").remove(city()), "size.of-it.status"),
        (world.update().remove(f.parcels.at(0)).set(f.parcels.at(0).field(|p| p.seal), vec![]), "parcels[0].seal"),
        (world.update().add(f.limits.key("eur"), 1).set(f.limits.key("eur"), 1), "limits.eur"),
    ] {
        let error = update.send().await.expect_err(path);
        assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
        assert!(error.to_string().contains(&format!("names `{path}` twice")), "{error}");
    }
    let apart = world.update().set(f.parcels.at(0).field(|p| p.seal), vec![]).remove(f.parcels.at(1));
    apart.add(f.limits.key("eur"), 1).add(f.limits.key("usd"), 1).send().await.expect("these lie apart");
}

#[tokio::test(start_paused = true)]
async fn a_change_within_what_is_not_stored_is_rejected_by_the_service() {
    let world = World::new().await;
    let f = Order::FIELDS;
    for update in [
        world.update().set(f.billing.field(|a| a.city), "Ulm"),
        world.update().add(f.address.field(|a| a.next).field(|a| a.next).field(|a| a.at.field(|at| at.x)), 1),
        world.update().append(f.returns.at(0).field(|p| p.lines), vec![]),
    ] {
        let error = update.send().await.expect_err("has no parent");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some("ValidationException")), "{error:?}");
    }
    world.is(|_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn paths_that_dynamodb_does_not_take_are_refused_before_sending() {
    /// As deep as one likes.
    #[derive(Debug, Clone, Serialize, Deserialize, Document)]
    struct Tree {
        child: Option<Box<Tree>>,
        leaf: u64,
    }
    let world = World::new().await;
    let f = Order::FIELDS;
    let deep = |steps| {
        let tree = Path::<Order, Tree>::new("tree").field(|tree| tree.child);
        (0..steps).fold(tree, |tree, _| tree.field(|tree| tree.child))
    };
    let numbers = Path::<Order, BTreeMap<Vec<u8>, u64>>::new("numbers");
    for (path, says) in [
        (f.limits.key(""), "empty key"),
        (deep(30).field(|tree| tree.leaf), "32 levels"),
        (deep(40).field(|tree| tree.leaf), "32 levels"),
        (numbers.key(vec![1]), "isn't stored as text"),
    ] {
        for error in [
            world.update().add(path.clone(), 1).send().await,
            world.update().remove(path.clone()).send().await,
            world.update().set(f.extra, Extra::default()).when(path.clone().exists()).send().await,
            world
                .update()
                .set(f.extra, Extra::default())
                .when(path.clone().size().ge(1) | path.clone().eq(1))
                .send()
                .await,
        ] {
            let error = error.expect_err(says);
            assert!(error.is_invalid() && error.attempts() == 0, "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
    assert!(world.holds(deep(29).field(|tree| tree.leaf).not_exists()).await, "32 levels are taken");
    let within = Tree { child: None, leaf: 1 };
    let error =
        world.update().set(deep(30), Box::new(within)).send().await.expect_err("the leaf is one level too deep");
    assert!(error.is_invalid() && error.to_string().contains("32 levels"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn as_many_paths_as_an_expression_holds_are_taken_and_no_more() {
    let world = World::new().await;
    let f = Order::FIELDS;
    let many =
        |count| (0..count).fold(world.update(), |update, key: u64| update.set(f.limits.key(key.to_string()), key));
    many(150).send().await.expect("these are few enough");
    world.is(|order| order.limits.extend((0..150).map(|key| (key.to_string(), key)))).await;
    let error = many(300).send().await.expect_err("these are too many");
    assert!(error.is_invalid() && error.attempts() == 0 && error.to_string().contains("300"), "{error:?}");
    let asked = (0..200).map(|index| f.parcels.at(index).exists());
    let asked = asked.reduce(Condition::or).expect("is one at least");
    let error = world.update().set(f.extra, Extra::default()).when(asked).send().await.expect_err("asks too much");
    assert!(error.is_invalid() && error.attempts() == 0 && error.to_string().contains("300"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_struct_does_not_have_is_named_by_hand_but_for_what_is_the_library_s() -> Result<(), Error> {
    let world = World::new().await;
    let mut stored = world.stored().await;
    stored.insert("legacy".into(), M(HashMap::from([("counts".to_owned(), AttributeValue::L(vec![N("3".into())]))])));
    world.sdk.put_item().table_name("orders").set_item(Some(stored)).send().await.expect("the engine takes it");
    let first = Path::<Order, BTreeMap<String, Vec<u64>>>::new("legacy").key("counts").at(0);
    world.update().add(first.clone(), 1).when(first.clone().eq(3)).send().await?;
    assert!(world.holds(first.eq(4)).await);
    world.is(|_| {}).await;

    for (name, says) in [("shop", "key attribute"), ("version", "library's"), ("_w0", "library's")] {
        let within = Path::<Order, BTreeMap<String, u64>>::new(name).key("x");
        let error = world.update().set(within, 1).send().await.expect_err(says);
        assert!(error.is_invalid() && error.attempts() == 0 && error.to_string().contains(says), "{error:?}");
    }
    Ok(())
}
