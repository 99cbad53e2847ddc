use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::{btree_set, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Names, Rendering, Values};
use crate::arbitrary::{config, item, items, name, value, with_sets_sorted};
use crate::expr::condition::{Comparator, Node, Operand};
use crate::expr::diff;
use crate::expr::path::RawPath;
use crate::expr::update::Changes;
use crate::item::RawItem;
use crate::rows::{Rows, TABLE};

static ROWS: LazyLock<Rows> = LazyLock::new(Rows::new);

#[derive(Debug, Clone)]
enum Step {
    Child(String),
    Index(usize),
}

fn path() -> impl Strategy<Value = RawPath> {
    let step = prop_oneof![name().prop_map(Step::Child), (0..100_usize).prop_map(Step::Index)];
    (name(), vec(step, 0..3)).prop_map(|(top, steps)| {
        steps.into_iter().fold(RawPath::from(top), |path, step| match step {
            Step::Child(name) => path.child(name),
            Step::Index(index) => path.index(index),
        })
    })
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![path().prop_map(Operand::Path), path().prop_map(Operand::Size)]
}

fn node() -> impl Strategy<Value = Node> {
    use Comparator::{Eq, Ge, Gt, Le, Lt, Ne};
    let comparator = proptest::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge]);
    let function = proptest::sample::select(vec!["begins_with", "contains", "attribute_type"]);
    let leaf = prop_oneof![
        (operand(), comparator, value())
            .prop_map(|(operand, comparator, value)| Node::Compare(operand, comparator, value)),
        (operand(), value(), value()).prop_map(|(operand, low, high)| Node::Between(operand, low, high)),
        (path(), vec(value(), 1..4)).prop_map(|(path, values)| Node::In(path, values)),
        path().prop_map(Node::Exists),
        path().prop_map(Node::NotExists),
        (function, path(), value()).prop_map(|(function, path, value)| Node::Function(function, path, value)),
    ];
    joined(leaf, 4)
}

/// A value that others are less or greater than.
fn scalar() -> impl Strategy<Value = AttributeValue> {
    value().prop_filter("has an order", |value| value.is_s() || value.is_n() || value.is_b())
}

/// What the typed API makes: no operand of a type that its operator doesn't take.
fn typed_node() -> impl Strategy<Value = Node> {
    use Comparator::{Eq, Ge, Gt, Le, Lt, Ne};
    let size = (0..100_u64).prop_map(|size| AttributeValue::N(size.to_string()));
    let order = || proptest::sample::select(vec![Lt, Le, Gt, Ge]);
    let code = proptest::sample::select(vec!["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"]);
    let leaf = prop_oneof![
        (path(), proptest::sample::select(vec![Eq, Ne]), value()).prop_map(|(path, comparator, value)| Node::Compare(
            Operand::Path(path),
            comparator,
            value
        )),
        (path(), order(), scalar()).prop_map(|(path, comparator, value)| Node::Compare(
            Operand::Path(path),
            comparator,
            value
        )),
        (path(), order(), size).prop_map(|(path, comparator, size)| Node::Compare(
            Operand::Size(path),
            comparator,
            size
        )),
        (path(), scalar()).prop_map(|(path, bound)| Node::Between(Operand::Path(path), bound.clone(), bound)),
        (path(), vec(value(), 1..4)).prop_map(|(path, values)| Node::In(path, values)),
        path().prop_map(Node::Exists),
        path().prop_map(Node::NotExists),
        (path(), "[a-c]{1,2}").prop_map(|(path, start)| Node::Function("begins_with", path, AttributeValue::S(start))),
        (path(), scalar()).prop_map(|(path, part)| Node::Function("contains", path, part)),
        (path(), code).prop_map(|(path, code)| Node::Function("attribute_type", path, AttributeValue::S(code.into()))),
    ];
    joined(leaf, 4)
}

fn joined(leaf: impl Strategy<Value = Node> + 'static, depth: u32) -> impl Strategy<Value = Node> {
    leaf.prop_recursive(depth, 12, 2, |node| {
        prop_oneof![
            (node.clone(), node.clone()).prop_map(|(one, other)| one.and(other)),
            (node.clone(), node.clone()).prop_map(|(one, other)| one.or(other)),
            node.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

fn changes() -> impl Strategy<Value = Changes> {
    vec((path(), proptest::option::of(value())), 0..5).prop_map(|all| {
        let mut changes = Changes::new();
        for (path, value) in all {
            match value {
                Some(value) => changes.set_raw(path, value),
                None => changes.remove_raw(path),
            }
        }
        changes
    })
}

/// The placeholders in an expression, in their order; what else is in it has to be DynamoDB's own words.
fn placeholders(text: &str) -> Vec<&str> {
    const WORDS: [&str; 16] = [
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "attribute_exists",
        "attribute_not_exists",
        "begins_with",
        "contains",
        "attribute_type",
        "size",
        "if_not_exists",
    ];
    let is_token = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '#' | ':');
    let tokens = text.split(|letter| !is_token(letter)).filter(|token| !token.is_empty());
    let (found, words): (Vec<_>, Vec<_>) = tokens.partition(|token| token.starts_with(['#', ':']));
    for word in words {
        assert!(WORDS.contains(&word) || word.parse::<usize>().is_ok(), "{word} stands in {text}");
    }
    assert!(text.is_ascii(), "{text}");
    found
}

/// What the paths of an expression name, in their order.
fn named(text: &str, names: &Names) -> Vec<String> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '#' | '.' | '[' | ']');
    let paths = text.split(|letter| !is_path(letter)).filter(|token| token.starts_with('#'));
    paths
        .map(|path| {
            path.split('.')
                .map(|segment| {
                    let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
                    format!("<{}>{index}", names[name])
                })
                .collect()
        })
        .collect()
}

fn shown(path: &RawPath) -> String {
    use crate::expr::path::Segment;
    path.segments()
        .iter()
        .map(|segment| match segment {
            Segment::Name(name) => format!("<{name}>"),
            Segment::Index(index) => format!("[{index}]"),
        })
        .collect()
}

fn paths_of(node: &Node, paths: &mut Vec<String>) {
    match node {
        Node::Compare(Operand::Path(path) | Operand::Size(path), ..)
        | Node::Between(Operand::Path(path) | Operand::Size(path), ..)
        | Node::In(path, _)
        | Node::Exists(path)
        | Node::NotExists(path)
        | Node::Function(_, path, _) => paths.push(shown(path)),
        Node::And(one, other) | Node::Or(one, other) => {
            paths_of(one, paths);
            paths_of(other, paths);
        }
        Node::Not(node) => paths_of(node, paths),
    }
}

fn values_of(node: &Node, values: &mut Vec<AttributeValue>) {
    match node {
        Node::Compare(_, _, value) | Node::Function(_, _, value) => values.push(value.clone()),
        Node::Between(_, low, high) => values.extend([low.clone(), high.clone()]),
        Node::In(_, all) => values.extend(all.iter().cloned()),
        Node::Exists(_) | Node::NotExists(_) => {}
        Node::And(one, other) | Node::Or(one, other) => {
            values_of(one, values);
            values_of(other, values);
        }
        Node::Not(node) => values_of(node, values),
    }
}

/// What of a row is there: its attributes by name, nested ones as `m.name`.
type Present = HashSet<String>;

fn holds(node: &Node, present: &Present) -> bool {
    match node {
        Node::Exists(path) => present.contains(&path.to_string()),
        Node::NotExists(path) => !present.contains(&path.to_string()),
        Node::And(one, other) => holds(one, present) && holds(other, present),
        Node::Or(one, other) => holds(one, present) || holds(other, present),
        Node::Not(node) => !holds(node, present),
        _ => panic!("asks for more than presence"),
    }
}

const PRESENT: [&str; 6] = ["a", "status", "_b", "c.d", "m.size", "m.e[0]"];

/// Whether parts of a row are there, joined in every way.
fn presence() -> impl Strategy<Value = Node> {
    let path = proptest::sample::select(vec![
        RawPath::from("a"),
        RawPath::from("status"),
        RawPath::from("_b"),
        RawPath::from("c.d"),
        RawPath::from("m").child("size".to_owned()),
        RawPath::from("m").child("e".to_owned()).index(0),
    ]);
    let leaf = (path, any::<bool>()).prop_map(|(path, is)| if is { Node::Exists(path) } else { Node::NotExists(path) });
    joined(leaf, 5)
}

fn row(present: &Present) -> RawItem {
    let mut row = RawItem::new();
    let mut map = RawItem::new();
    for name in present {
        match name.strip_prefix("m.") {
            Some("e[0]") => drop(map.insert("e".to_owned(), AttributeValue::L(vec![AttributeValue::Bool(true)]))),
            Some(name) => drop(map.insert(name.to_owned(), AttributeValue::Bool(true))),
            None => drop(row.insert(name.clone(), AttributeValue::Bool(true))),
        }
    }
    row.insert("m".to_owned(), AttributeValue::M(map));
    row
}

/// A field for each verb of an update, under names that an expression can't hold as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, dynamo_once_derive::Item)]
struct Tally {
    #[item(partition_key)]
    id: String,
    #[serde(rename = "count", skip_serializing_if = "Option::is_none")]
    hits: Option<i64>,
    #[serde(rename = "_tags", default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    tags: BTreeSet<String>,
    #[serde(rename = "a.b", skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

#[derive(Debug, Clone)]
enum Verb {
    Set,
    Remove,
    Grow,
    Shrink,
}

fn verb() -> impl Strategy<Value = Verb> {
    proptest::sample::select(vec![Verb::Set, Verb::Remove, Verb::Grow, Verb::Shrink])
}

fn tally() -> impl Strategy<Value = Tally> {
    let hits = option::of((-99..99_i32).prop_map(i64::from));
    let tags = btree_set("[a-d]", 0..4);
    (hits, tags, option::of(vec(0..9_i64, 0..3)), option::of("[a-c]{0,2}"))
        .prop_map(|(hits, tags, parts, status)| Tally { id: "row".to_owned(), hits, tags, parts, status })
}

/// What becomes of the stored one where each field is changed by its verb and the other's value; and the changes.
fn change(stored: &Tally, other: &Tally, verbs: &[Option<Verb>; 4]) -> (Tally, Changes) {
    let f = Tally::FIELDS;
    let (mut after, mut changes) = (stored.clone(), Changes::new());
    let [hits, tags, parts, status] = verbs;
    match (hits, other.hits) {
        (Some(Verb::Remove), _) => {
            after.hits = None;
            changes.remove(f.hits);
        }
        (Some(Verb::Set), Some(value)) => {
            after.hits = Some(value);
            changes.set(f.hits, value);
        }
        (Some(Verb::Grow | Verb::Shrink), Some(delta)) => {
            after.hits = Some(stored.hits.unwrap_or(0) + delta);
            changes.add(f.hits, delta);
        }
        _ => {}
    }
    match tags {
        Some(Verb::Remove) => {
            after.tags.clear();
            changes.remove(f.tags);
        }
        Some(verb) if !other.tags.is_empty() => match verb {
            Verb::Grow => {
                after.tags.extend(other.tags.iter().cloned());
                changes.union(f.tags, &other.tags);
            }
            Verb::Shrink => {
                after.tags.retain(|tag| !other.tags.contains(tag));
                changes.difference(f.tags, &other.tags);
            }
            _ => {
                after.tags.clone_from(&other.tags);
                changes.set(f.tags, other.tags.clone());
            }
        },
        _ => {}
    }
    match (parts, &other.parts) {
        (Some(Verb::Remove), _) => {
            after.parts = None;
            changes.remove(f.parts);
        }
        (Some(Verb::Set), Some(value)) => {
            after.parts = Some(value.clone());
            changes.set(f.parts, value.clone());
        }
        (Some(Verb::Grow), Some(more)) => {
            after.parts.get_or_insert_default().extend(more);
            changes.append(f.parts, &Some(more.clone()));
        }
        _ => {}
    }
    if status.is_some() {
        after.status.clone_from(&other.status);
        match &other.status {
            Some(value) => changes.set(f.status, value.clone()),
            None => changes.remove(f.status),
        }
    }
    (after, changes)
}

/// Runs an update against the row of [`ROWS`]; `false` where its condition fails.
fn run(update: String, condition: Option<String>, (names, values): (Names, Values)) -> bool {
    let request = ROWS.client.update_item().table_name(TABLE).set_key(Some(Rows::key()));
    let request = request.update_expression(update).set_condition_expression(condition);
    let request = request
        .set_expression_attribute_names((!names.is_empty()).then_some(names))
        .set_expression_attribute_values((!values.is_empty()).then_some(values));
    match ROWS.wait(request.send()) {
        Ok(_) => true,
        Err(error) => {
            let error = error.into_service_error();
            assert!(error.is_conditional_check_failed_exception(), "{error:?}");
            false
        }
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn clauses_of_one_request_share_no_placeholder_by_accident(
        node in node(), changes in changes(), stamp in vec((name(), value()), 0..3), names_again in vec(name(), 0..3)
    ) {
        let mut rendering = Rendering::new();
        let sets = stamp.iter().map(|(name, value)| {
            let (name, value) = (rendering.name(name), rendering.value(value.clone()));
            format!("{name} = {value}")
        });
        let sets: Vec<_> = sets.collect();
        let condition = rendering.condition(&node);
        let update = rendering.update(changes.clone(), sets);
        let names_again: Vec<_> = names_again.into_iter().map(|name| (rendering.name(&name).to_string(), name)).collect();
        let (names, values) = rendering.finish(&[&condition, &update]).expect("is within the limits");

        let both = [placeholders(&condition), placeholders(&update)].concat();
        let (used_names, used_values): (Vec<_>, Vec<_>) = both.into_iter().partition(|token| token.starts_with('#'));
        let again = names_again.iter().map(|(placeholder, _)| placeholder.as_str());
        let used: HashSet<&str> = used_names.into_iter().chain(again).collect();
        prop_assert_eq!(used, names.keys().map(String::as_str).collect::<HashSet<_>>(), "each name is given and used");
        prop_assert_eq!(used_values.len(), values.len(), "each value has a placeholder of its own");
        prop_assert_eq!(used_values.iter().copied().collect::<HashSet<_>>().len(), values.len());
        prop_assert!(used_values.iter().all(|used| values.contains_key(*used)));
        prop_assert_eq!(names.values().collect::<HashSet<_>>().len(), names.len(), "each name has one placeholder");
        for (placeholder, name) in names_again {
            prop_assert_eq!(&names[&placeholder], &name);
        }

        // Behind the placeholders stands what was asked for, in its order.
        let (mut paths, mut wanted) = (Vec::new(), Vec::new());
        paths_of(&node, &mut paths);
        values_of(&node, &mut wanted);
        prop_assert_eq!(named(&condition, &names), paths);
        let given: Vec<_> =
            placeholders(&condition).into_iter().filter(|token| token.starts_with(':')).map(|token| values[token].clone()).collect();
        prop_assert_eq!(given, wanted);
        let stamped = stamp.iter().map(|(name, _)| format!("<{name}>"));
        let (sets, removes): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change.action, crate::expr::update::Action::Set(_)));
        let changed = sets.iter().chain(&removes).map(|change| shown(&change.path));
        prop_assert_eq!(named(&update, &names), stamped.chain(changed).collect::<Vec<_>>());
    }

    #[test]
    fn conditions_hold_where_their_tree_says_so(
        node in presence(), present in hash_set(proptest::sample::select(PRESENT.map(str::to_owned).to_vec()), 0..6)
    ) {
        let _turn = ROWS.turn();
        ROWS.store(Some(row(&present)));
        let mut rendering = Rendering::new();
        let condition = rendering.condition(&node);
        let mut changes = Changes::new();
        changes.set_raw(RawPath::from("hit"), AttributeValue::Bool(true));
        let update = rendering.update(changes, vec![]);
        let maps = rendering.finish(&[&condition, &update]).expect("is within the limits");
        prop_assert_eq!(run(update, Some(condition), maps), holds(&node, &present), "{:?} of {:?}", node, present);
    }

    #[test]
    fn the_engine_takes_every_condition_that_the_types_allow(node in typed_node(), stored in item()) {
        let _turn = ROWS.turn();
        let mut stored = stored;
        stored.remove("id");
        ROWS.store(Some(stored));
        let mut rendering = Rendering::new();
        let condition = rendering.condition(&node);
        let negated = rendering.condition(&Node::Not(Box::new(node)));
        let either = format!("{condition} OR {negated}");
        let mut changes = Changes::new();
        changes.set_raw(RawPath::from("hit"), AttributeValue::Bool(true));
        let update = rendering.update(changes, vec![]);
        let maps = rendering.finish(&[&either, &update]).expect("is within the limits");
        prop_assert!(run(update, Some(either), maps), "a condition or its negation holds");
    }

    #[test]
    fn changes_of_every_verb_do_what_they_say_in_one_expression(
        stored in tally(), other in tally(), verbs in proptest::array::uniform4(option::weighted(0.7, verb()))
    ) {
        let (after, changes) = change(&stored, &other, &verbs);
        let changes = changes.checked().expect("can be made");
        if changes.is_empty() {
            return Ok(());
        }
        let raw = |tally: &Tally| {
            let mut raw: RawItem = serde_dynamo::to_item(tally).expect("serialises");
            raw.remove("id");
            raw
        };
        let _turn = ROWS.turn();
        ROWS.store(Some(raw(&stored)));
        let mut rendering = Rendering::new();
        let update = rendering.update(changes, vec![]);
        let maps = rendering.finish(&[&update]).expect("is within the limits");
        prop_assert!(run(update, None, maps));
        prop_assert_eq!(with_sets_sorted(&ROWS.stored().expect("is there")), with_sets_sorted(&raw(&after)));
    }

    #[test]
    fn what_a_path_finds_in_an_item_is_what_the_engine_finds((item, _) in items(), turns in vec(0..4_usize, 1..5)) {
        let mut item = item;
        item.remove("id");
        let mut names: Vec<_> = item.keys().cloned().collect();
        names.sort_unstable();
        let Some(top) = names.get(turns[0]) else { return Ok(()) };
        let mut path = RawPath::from(top.clone());
        for turn in &turns[1..] {
            path = match path.find(&item) {
                Some(AttributeValue::M(map)) => match map.keys().max() {
                    Some(name) => path.child(name.clone()),
                    None => break,
                },
                Some(AttributeValue::L(_)) => path.index(*turn),
                _ => path.child("none"),
            };
        }
        let found = path.find(&item).cloned();
        let _turn = ROWS.turn();
        ROWS.store(Some(item));
        let mut rendering = Rendering::new();
        let condition = rendering.condition(&match found.clone() {
            Some(value) => Node::equal(path, value),
            None => Node::not_exists(path),
        });
        let mut changes = Changes::new();
        changes.set_raw(RawPath::from("hit"), AttributeValue::Bool(true));
        let update = rendering.update(changes, vec![]);
        let maps = rendering.finish(&[&condition, &update]).expect("is within the limits");
        prop_assert!(run(update, Some(condition), maps), "{:?}", found);
    }

    #[test]
    fn differences_make_the_engine_s_item_what_it_is_to_be((before, after) in items(), whole in any::<bool>()) {
        let (mut before, mut after) = (before, after);
        before.remove("id");
        after.remove("id");
        let changes = diff(&before, &before, &after);
        let changes = if whole { changes.top_level(&after) } else { changes };
        if changes.is_empty() {
            return Ok(());
        }
        let _turn = ROWS.turn();
        ROWS.store(Some(before));
        let mut rendering = Rendering::new();
        let update = rendering.update(changes, vec![]);
        let maps = rendering.finish(&[&update]).expect("is within the limits");
        prop_assert!(run(update, None, maps));
        prop_assert_eq!(with_sets_sorted(&ROWS.stored().expect("is there")), with_sets_sorted(&after));
    }
}

#[test]
fn a_negation_holds_for_what_it_stands_before_and_no_more() {
    let exists = |name: &'static str| Node::Exists(RawPath::from(name));
    let mut rendering = Rendering::new();
    let rendered = rendering.condition(&Node::Not(Box::new(exists("a"))).and(exists("b").or(exists("c"))));
    assert_eq!(rendered, "((NOT attribute_exists(#n0)) AND (attribute_exists(#n1) OR attribute_exists(#n2)))");
}

#[test]
fn an_update_s_clauses_stand_under_their_keywords() {
    let mut changes = Changes::new();
    changes.remove_raw(RawPath::from("gone"));
    changes.set_raw(RawPath::from("list").index(3).child("a.b".to_owned()), AttributeValue::Bool(true));
    let mut rendering = Rendering::new();
    let version = rendering.name("version");
    let update = rendering.update(changes, vec![format!("{version} = {version}")]);
    assert_eq!(update, "SET #n0 = #n0, #n2[3].#n3 = :v0 REMOVE #n1");
    let (names, _) = rendering.finish(&[&update]).expect("is within the limits");
    let expected = [("#n0", "version"), ("#n1", "gone"), ("#n2", "list"), ("#n3", "a.b")];
    assert_eq!(
        names,
        expected.map(|(key, name)| (key.to_owned(), name.to_owned())).into_iter().collect::<HashMap<_, _>>()
    );
}

#[derive(Debug, Serialize, Deserialize, crate::Item)]
struct Shop {
    #[item(partition_key)]
    id: String,
    orders: Vec<Order>,
    limits: HashMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize, crate::Document)]
struct Order {
    #[serde(rename = "lines.of-it")]
    lines: Option<Vec<Line>>,
}

#[derive(Debug, Serialize, Deserialize, crate::Document)]
struct Line {
    #[serde(alias = "amount")]
    quantity: u32,
}

#[test]
fn typed_steps_are_rendered_as_names_and_indexes() {
    let f = Shop::FIELDS;
    let quantity = || f.orders.at(0).field(|order| order.lines).at(1).field(|line| line.quantity);
    let condition = quantity().ge(2) & f.limits.key("a.b[0]").size().lt(3) & f.orders.at(0).exists();
    let mut changes = Changes::new();
    changes.set(quantity(), 3);
    changes.add(f.limits.key("a.b[0]"), 1);
    changes.remove(f.orders.at(10));
    let mut rendering = Rendering::new();
    let condition = rendering.condition(&condition.into_node().expect("can be asked"));
    let update = rendering.update(changes.checked().expect("can be made"), vec![]);
    assert_eq!(
        condition,
        "(#n0[0].#n1[1].#n2 >= :v0 AND size(#n3.#n4) < :v1 AND (attribute_exists(#n0[0]) AND (NOT attribute_type(#n0[0], :v2))))"
    );
    // What the quantity may be stored under besides is removed, beside it.
    assert_eq!(update, "SET #n0[0].#n1[1].#n2 = :v3 REMOVE #n0[0].#n1[1].#n5, #n0[10] ADD #n3.#n4 :v4");
    let (names, _) = rendering.finish(&[&condition, &update]).expect("is within the limits");
    let expected = ["orders", "lines.of-it", "quantity", "limits", "a.b[0]", "amount"];
    for (number, name) in expected.into_iter().enumerate() {
        assert_eq!(names[&format!("#n{number}")], name);
    }
}

#[test]
fn paths_overlap_where_one_is_or_lies_within_the_other() {
    let a = || RawPath::from("a");
    for (one, other, expected) in [
        (a(), a(), true),
        (a(), RawPath::from("b"), false),
        (a(), a().child("b").index(0), true),
        (a().child("b"), a().child("c"), false),
        (a().child("b"), a().child("b").child("c"), true),
        (a().index(0), a().index(1), false),
        (a().index(0).child("b"), a().index(0), true),
        (RawPath::from("a.b"), a().child("b"), false),
        (a().child("0"), a().index(0), true),
    ] {
        assert_eq!(one.overlaps(&other), expected, "{one} and {other}");
        assert_eq!(other.overlaps(&one), expected, "{other} and {one}");
    }
}

#[test]
fn an_expression_beyond_the_limits_is_refused() {
    let chain = |length: usize| {
        (1..length).fold(Node::Exists(RawPath::from("a")), |node, _| node.and(Node::Exists(RawPath::from("b"))))
    };
    let finish = |node: &Node| {
        let mut rendering = Rendering::new();
        let condition = rendering.condition(node);
        rendering.finish(&[&condition])
    };
    assert!(finish(&chain(50)).is_ok());
    let error = finish(&chain(151)).expect_err("has 301 operators and functions");
    assert!(error.is_invalid() && error.to_string().contains("301 operators"), "{error}");
}
