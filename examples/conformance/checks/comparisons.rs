//! What a comparison says, and of what it says nothing.

use aws_sdk_dynamodb::types::AttributeValue;

use super::theme;
use crate::finding::Finding;
use crate::lab::{Lab, b, id, l, m, n, s, ss};

theme! { "Comparisons"
    binaries_are_compared_as_unsigned_bytes: TYPES,
    binary_comes_before_what_continues_it: TYPES,
    absent_or_smaller_holds_for_both_and_no_more: OPERATORS,
    comparison_with_an_absent_attribute_is_false: OPERATORS,
    comparison_of_different_types_is_false: OPERATORS,
    absent_and_differently_typed_are_unequal: OPERATORS,
    negation_of_a_false_comparison_holds: OPERATORS,
    between_includes_its_bounds: OPERATORS,
    between_is_false_of_another_type: OPERATORS,
    between_takes_no_bounds_in_the_wrong_order: OPERATORS,
    only_strings_numbers_and_binaries_have_an_order: OPERATORS,
    values_without_an_order_can_be_equal: OPERATORS,
    numbers_are_compared_by_value: TYPES,
    strings_are_compared_by_their_bytes: TYPES,
    sets_are_equal_in_any_order: TYPES,
    one_of_a_hundred_values: OPERATORS,
    more_than_a_hundred_values_are_refused: OPERATORS,
    absent_parent_counts_as_absent: OPERATORS,
    and_binds_tighter_than_or: OPERATORS,
}

async fn binaries_are_compared_as_unsigned_bytes(lab: Lab) -> Finding {
    let with_first = |first: u8| {
        let mut bytes = [0x55; 16];
        bytes[0] = first;
        b(bytes)
    };
    lab.store([("a", with_first(0x7F))]).await?;
    lab.holds("a < :v", [(":v", with_first(0x80))]).await?;
    lab.holds("a < :v", [(":v", with_first(0xFF))]).await?;
    lab.fails("a < :v", [(":v", with_first(0x7F))]).await?;
    lab.fails("a < :v", [(":v", with_first(0x01))]).await?;
    lab.store([("a", id(0x7F))]).await?;
    lab.holds("a < :v", [(":v", id(0x80))]).await?;
    lab.fails("a > :v", [(":v", id(0x80))]).await?;
    lab.holds("a = :v", [(":v", id(0x7F))]).await
}

async fn binary_comes_before_what_continues_it(lab: Lab) -> Finding {
    lab.store([("a", b([1, 2]))]).await?;
    lab.holds("a < :v", [(":v", b([1, 2, 0]))]).await?;
    lab.fails("a = :v", [(":v", b([1, 2, 0]))]).await?;
    lab.holds("a > :v", [(":v", b([]))]).await
}

async fn absent_or_smaller_holds_for_both_and_no_more(lab: Lab) -> Finding {
    const IN_ORDER: &str = "attribute_not_exists(a) OR a < :id";
    lab.store([]).await?;
    lab.holds(IN_ORDER, [(":id", id(5))]).await?;
    lab.store([("a", id(4))]).await?;
    lab.holds(IN_ORDER, [(":id", id(5))]).await?;
    for other in [id(5), id(6), s("no binary"), AttributeValue::Null(true)] {
        lab.store([("a", other)]).await?;
        lab.fails(IN_ORDER, [(":id", id(5))]).await?;
    }
    Ok(())
}

async fn comparison_with_an_absent_attribute_is_false(lab: Lab) -> Finding {
    lab.store([("here", n(1))]).await?;
    for value in [n(1), s("x"), b([1])] {
        for comparison in ["a = :v", "a < :v", "a <= :v", "a > :v", "a >= :v", "a BETWEEN :v AND :v", "a IN (:v)"] {
            lab.fails(comparison, [(":v", value.clone())]).await?;
        }
    }
    lab.fails("a = b", []).await
}

async fn comparison_of_different_types_is_false(lab: Lab) -> Finding {
    for (stored, value) in [(s("1"), n(1)), (n(1), s("1")), (b([49]), s("1")), (s("1"), b([49])), (l([]), n(1))] {
        lab.store([("a", stored)]).await?;
        for comparison in ["a = :v", "a < :v", "a <= :v", "a > :v", "a >= :v", "a IN (:v)"] {
            lab.fails(comparison, [(":v", value.clone())]).await?;
        }
    }
    Ok(())
}

async fn absent_and_differently_typed_are_unequal(lab: Lab) -> Finding {
    lab.store([("a", s("1"))]).await?;
    lab.holds("a <> :v", [(":v", n(1))]).await?;
    lab.holds("absent <> :v", [(":v", n(1))]).await?;
    lab.fails("a <> :v", [(":v", s("1"))]).await
}

async fn negation_of_a_false_comparison_holds(lab: Lab) -> Finding {
    lab.store([("a", s("1"))]).await?;
    lab.holds("NOT a < :v", [(":v", n(2))]).await?;
    lab.holds("NOT absent < :v", [(":v", n(2))]).await?;
    lab.holds("(NOT (absent = :v)) AND attribute_exists(a)", [(":v", n(2))]).await
}

async fn between_includes_its_bounds(lab: Lab) -> Finding {
    for (stored, is_between) in [(0, false), (1, true), (i64::MAX - 1, true), (i64::MAX, false), (-1, false)] {
        lab.store([("a", n(stored))]).await?;
        let bounds = [(":low", n(1)), (":high", n(i64::MAX - 1))];
        match is_between {
            true => lab.holds("a BETWEEN :low AND :high", bounds).await?,
            false => lab.fails("a BETWEEN :low AND :high", bounds).await?,
        }
    }
    Ok(())
}

async fn between_is_false_of_another_type(lab: Lab) -> Finding {
    for stored in [s("5"), b([5]), AttributeValue::Bool(true), l([n(5)]), ss(["5"])] {
        lab.store([("a", stored)]).await?;
        lab.fails("a BETWEEN :low AND :high", [(":low", n(1)), (":high", n(9))]).await?;
    }
    Ok(())
}

async fn between_takes_no_bounds_in_the_wrong_order(lab: Lab) -> Finding {
    lab.store([("a", n(5))]).await?;
    lab.is_invalid("a BETWEEN :low AND :high", [(":low", n(9)), (":high", n(1))]).await?;
    lab.is_invalid("a BETWEEN :low AND :high", [(":low", n(1)), (":high", s("9"))]).await
}

async fn only_strings_numbers_and_binaries_have_an_order(lab: Lab) -> Finding {
    lab.store([("a", n(5))]).await?;
    for value in [AttributeValue::Bool(true), AttributeValue::Null(true), l([]), m([]), ss(["x"])] {
        lab.is_invalid("a < :v", [(":v", value)]).await?;
    }
    Ok(())
}

async fn values_without_an_order_can_be_equal(lab: Lab) -> Finding {
    for value in [AttributeValue::Bool(true), AttributeValue::Null(true), l([n(1)]), m([("x", s(""))])] {
        lab.store([("a", value.clone())]).await?;
        lab.holds("a = :v", [(":v", value.clone())]).await?;
        lab.fails("a <> :v", [(":v", value)]).await?;
        lab.fails("a = :v", [(":v", AttributeValue::Bool(false))]).await?;
    }
    Ok(())
}

async fn numbers_are_compared_by_value(lab: Lab) -> Finding {
    lab.store([("a", n(9)), ("zero", n("-0.0")), ("one", n("1.0"))]).await?;
    lab.holds("a < :v", [(":v", n(10))]).await?;
    lab.holds("a > :v", [(":v", n("8.99999999999999999999999999999999999"))]).await?;
    lab.holds("a > :v", [(":v", n("-1E+125"))]).await?;
    lab.holds("one = :v AND zero = :zero", [(":v", n("1E0")), (":zero", n(0))]).await
}

async fn strings_are_compared_by_their_bytes(lab: Lab) -> Finding {
    lab.store([("a", s("Z"))]).await?;
    lab.holds("a < :v", [(":v", s("a"))]).await?;
    lab.holds("a < :v", [(":v", s("Za"))]).await?;
    // U+FFFD is before U+10000 by bytes of UTF-8, and after it by units of UTF-16.
    lab.store([("a", s("\u{FFFD}"))]).await?;
    lab.holds("a < :v", [(":v", s("\u{10000}"))]).await
}

async fn sets_are_equal_in_any_order(lab: Lab) -> Finding {
    lab.store([("a", ss(["x", "y", "z"])), ("parts", l([n(1), n(2)]))]).await?;
    lab.holds("a = :v", [(":v", ss(["z", "x", "y"]))]).await?;
    lab.fails("a = :v", [(":v", ss(["x", "y"]))]).await?;
    lab.fails("parts = :v", [(":v", l([n(2), n(1)]))]).await
}

async fn one_of_a_hundred_values(lab: Lab) -> Finding {
    lab.store([("a", n(5))]).await?;
    lab.holds(&among(100), [(":hit", n(5)), (":miss", n(6))]).await?;
    lab.fails(&among(100), [(":hit", n(7)), (":miss", n(6))]).await
}

async fn more_than_a_hundred_values_are_refused(lab: Lab) -> Finding {
    lab.store([("a", n(5))]).await?;
    lab.is_invalid(&among(101), [(":hit", n(5)), (":miss", n(6))]).await
}

fn among(values: usize) -> String {
    format!("a IN ({}:hit)", ":miss, ".repeat(values - 1))
}

async fn absent_parent_counts_as_absent(lab: Lab) -> Finding {
    lab.store([("prose", s("no map")), ("parts", l([n(1)]))]).await?;
    for path in ["absent.below.it", "prose.below", "parts.below", "parts[3]", "prose[0]", "parts[0].below"] {
        lab.holds(&format!("attribute_not_exists({path})"), []).await?;
        lab.fails(&format!("attribute_exists({path})"), []).await?;
        lab.fails(&format!("{path} = :v"), [(":v", n(1))]).await?;
    }
    lab.holds("attribute_exists(parts[0])", []).await
}

async fn and_binds_tighter_than_or(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let values = || [(":one", n(1)), (":two", n(2))];
    lab.holds("a = :one OR a = :one AND a = :two", values()).await?;
    lab.fails("(a = :one OR a = :one) AND a = :two", values()).await?;
    lab.fails("NOT a = :one AND a = :two", values()).await?;
    lab.holds("NOT a = :two AND a = :one", values()).await
}
