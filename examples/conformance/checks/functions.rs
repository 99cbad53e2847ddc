//! The functions of conditions.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::theme;
use crate::finding::Finding;
use crate::lab::{Lab, b, l, m, n, s, ss};

theme! { "Functions"
    existence_is_of_any_value_also_null: OPERATORS,
    attribute_type_tells_each_type: OPERATORS,
    attribute_type_takes_no_other_type: OPERATORS,
    size_is_of_what_has_one: OPERATORS,
    size_of_nothing_is_no_number: OPERATORS,
    beginning_of_a_string: OPERATORS,
    beginning_of_a_binary: OPERATORS,
    part_of_a_string: OPERATORS,
    part_of_a_binary: OPERATORS,
    element_of_a_set_or_a_list: OPERATORS,
    only_strings_and_binaries_are_a_beginning: OPERATORS,
}

async fn existence_is_of_any_value_also_null(lab: Lab) -> Finding {
    for value in [AttributeValue::Null(true), s(""), AttributeValue::Bool(false), m([]), l([])] {
        lab.store([("a", value)]).await?;
        lab.holds("attribute_exists(a)", []).await?;
        lab.fails("attribute_not_exists(a)", []).await?;
    }
    Ok(())
}

async fn attribute_type_tells_each_type(lab: Lab) -> Finding {
    let all = [
        ("S", s("x")),
        ("N", n(1)),
        ("B", b([1])),
        ("BOOL", AttributeValue::Bool(true)),
        ("NULL", AttributeValue::Null(true)),
        ("L", l([])),
        ("M", m([])),
        ("SS", ss(["x"])),
        ("NS", AttributeValue::Ns(vec!["1".to_owned()])),
        ("BS", AttributeValue::Bs(vec![Blob::new([1])])),
    ];
    for (position, (code, value)) in all.iter().enumerate() {
        lab.store([("a", value.clone())]).await?;
        lab.holds("attribute_type(a, :type)", [(":type", s(*code))]).await?;
        let another = all[(position + 1) % all.len()].0;
        lab.fails("attribute_type(a, :type)", [(":type", s(another))]).await?;
    }
    lab.fails("attribute_type(absent, :type)", [(":type", s("S"))]).await
}

async fn attribute_type_takes_no_other_type(lab: Lab) -> Finding {
    lab.store([("a", s("x"))]).await?;
    lab.is_invalid("attribute_type(a, :type)", [(":type", s("STRING"))]).await
}

async fn size_is_of_what_has_one(lab: Lab) -> Finding {
    let list = l([n(1), n(2)]);
    for (value, size) in
        [(s("four"), 4), (s(""), 0), (b([0; 16]), 16), (list, 2), (m([("x", n(1))]), 1), (ss(["x", "y"]), 2)]
    {
        lab.store([("a", value)]).await?;
        lab.holds("size(a) = :size", [(":size", n(size))]).await?;
        lab.holds("size(a) BETWEEN :size AND :size", [(":size", n(size))]).await?;
        lab.fails("size(a) < :size", [(":size", n(size))]).await?;
    }
    Ok(())
}

async fn size_of_nothing_is_no_number(lab: Lab) -> Finding {
    lab.store([]).await?;
    lab.fails("size(absent) < :v", [(":v", n(9))]).await?;
    lab.fails("size(absent) >= :v", [(":v", n(0))]).await
}

async fn beginning_of_a_string(lab: Lab) -> Finding {
    lab.store([("a", s("beginning"))]).await?;
    lab.holds("begins_with(a, :v)", [(":v", s("begin"))]).await?;
    lab.holds("begins_with(a, :v)", [(":v", s("beginning"))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", s("Begin"))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", s("beginnings"))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", b(*b"begin"))]).await?;
    lab.fails("begins_with(absent, :v)", [(":v", s("begin"))]).await
}

async fn beginning_of_a_binary(lab: Lab) -> Finding {
    lab.store([("a", b([0xFF, 0, 1]))]).await?;
    lab.holds("begins_with(a, :v)", [(":v", b([0xFF, 0]))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", b([0xFF, 1]))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", s("x"))]).await
}

async fn part_of_a_string(lab: Lab) -> Finding {
    lab.store([("a", s("a part of it"))]).await?;
    lab.holds("contains(a, :v)", [(":v", s("part"))]).await?;
    lab.fails("contains(a, :v)", [(":v", s("Part"))]).await?;
    lab.fails("contains(a, :v)", [(":v", n(1))]).await?;
    lab.fails("contains(absent, :v)", [(":v", s("part"))]).await
}

async fn part_of_a_binary(lab: Lab) -> Finding {
    lab.store([("a", b([1, 0xFF, 0, 2]))]).await?;
    lab.holds("contains(a, :v)", [(":v", b([0xFF, 0]))]).await?;
    lab.fails("contains(a, :v)", [(":v", b([0, 0xFF]))]).await
}

async fn element_of_a_set_or_a_list(lab: Lab) -> Finding {
    lab.store([("tags", ss(["x", "yes"])), ("parts", l([n(1), s("yes"), l([n(2)])]))]).await?;
    lab.holds("contains(tags, :v) AND contains(parts, :v)", [(":v", s("yes"))]).await?;
    lab.fails("contains(tags, :v) OR contains(parts, :v)", [(":v", s("ye"))]).await?;
    lab.holds("contains(parts, :v)", [(":v", n("1.0"))]).await?;
    lab.holds("contains(parts, :v)", [(":v", l([n(2)]))]).await?;
    lab.fails("contains(tags, :v) OR contains(parts, :v)", [(":v", n(2))]).await
}

async fn only_strings_and_binaries_are_a_beginning(lab: Lab) -> Finding {
    lab.store([("a", n(12))]).await?;
    lab.is_invalid("begins_with(a, :v)", [(":v", n(1))]).await?;
    lab.fails("begins_with(a, :v)", [(":v", s("1"))]).await
}
