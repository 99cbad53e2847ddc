//! Which values are stored, and how they come back.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::theme;
use crate::finding::{Finding, accepted, equal, invalid};
use crate::lab::{Lab, b, item, l, m, n, s, ss};

theme! { "Values"
    every_type_comes_back_as_it_was_stored: TYPES,
    empty_values_outside_of_the_key_are_taken: TYPES,
    empty_key_is_refused: TYPES,
    key_of_another_type_is_refused: PUT_ITEM,
    item_without_its_key_is_refused: PUT_ITEM,
    empty_set_is_refused: TYPES,
    set_with_an_element_twice_is_refused: TYPES,
    numbers_have_38_digits: TYPES,
    numbers_have_a_least_and_a_greatest_magnitude: TYPES,
    numbers_lose_leading_and_trailing_zeros: TYPES,
    numbers_are_counted_exactly: TYPES,
    what_is_no_number_is_refused: TYPES,
}

async fn every_type_comes_back_as_it_was_stored(lab: Lab) -> Finding {
    let all = || {
        let inner = m([("a.b", n(1)), ("with space", AttributeValue::Null(true))]);
        let document = m([("list", l([n(1), s("große 漢字"), inner])), ("0", l([]))]);
        [
            ("text", s("with \0, \" and \u{10FFFF}")),
            ("binary", b((0..=255).collect::<Vec<u8>>())),
            ("number", n("-12.5")),
            ("flag", AttributeValue::Bool(false)),
            ("nothing", AttributeValue::Null(true)),
            ("texts", ss(["x"])),
            ("numbers", AttributeValue::Ns(vec!["1".to_owned()])),
            ("binaries", AttributeValue::Bs(vec![Blob::new([0xFF])])),
            ("document", document),
        ]
    };
    lab.store(all()).await?;
    lab.stands(all()).await
}

async fn empty_values_outside_of_the_key_are_taken(lab: Lab) -> Finding {
    let all = || [("text", s("")), ("binary", b([])), ("list", l([s("")])), ("map", m([])), ("texts", ss([""]))];
    lab.store(all()).await?;
    lab.stands(all()).await
}

async fn empty_key_is_refused(lab: Lab) -> Finding {
    let put = lab.client.put_item().table_name(&lab.table).item("id", s(""));
    invalid("a put", put.send().await)?;
    let get = lab.client.get_item().table_name(&lab.table).key("id", s(""));
    invalid("a get", get.send().await)
}

async fn key_of_another_type_is_refused(lab: Lab) -> Finding {
    invalid("a put", lab.put([]).item("id", n(1)).send().await)?;
    invalid("a get", lab.get().key("id", b([1])).send().await)?;
    invalid("a get with an attribute too many", lab.get().key("nr", n(1)).send().await)
}

async fn item_without_its_key_is_refused(lab: Lab) -> Finding {
    let put = |attributes| lab.client.put_item().table_name(&lab.sorted).set_item(Some(attributes));
    invalid("a put without a sort key", put(lab.with([("a", n(1))])).send().await)?;
    invalid("a put without a partition key", put(item([("nr", n(1))])).send().await)
}

async fn empty_set_is_refused(lab: Lab) -> Finding {
    for empty in [AttributeValue::Ss(vec![]), AttributeValue::Ns(vec![]), AttributeValue::Bs(vec![])] {
        invalid("a put", lab.put([("a", empty.clone())]).send().await)?;
        invalid("a put, nested", lab.put([("a", l([empty.clone()]))]).send().await)?;
        invalid("an update", lab.update("SET a = :v", [(":v", empty)]).send().await)?;
    }
    Ok(())
}

async fn set_with_an_element_twice_is_refused(lab: Lab) -> Finding {
    invalid("of texts", lab.put([("a", ss(["x", "x"]))]).send().await)?;
    let numbers = AttributeValue::Ns(vec!["1".to_owned(), "1.0".to_owned()]);
    invalid("of numbers that are equal", lab.put([("a", numbers)]).send().await)
}

async fn numbers_have_38_digits(lab: Lab) -> Finding {
    let digits = |length: usize| "1234567890".chars().cycle().take(length - 1).chain(['9']).collect::<String>();
    for whole in [digits(38), format!("-{}", digits(38)), format!("0.{}", digits(38))] {
        lab.store([("a", n(&whole))]).await?;
        lab.stands([("a", n(&whole))]).await?;
    }
    invalid("39 digits", lab.put([("a", n(digits(39)))]).send().await)?;
    invalid("39 digits, one before the point", lab.put([("a", n(format!("1.{}", digits(38))))]).send().await)?;
    accepted("38 digits and zeros", lab.put([("a", n(format!("{}00000", digits(38))))]).send().await)?;
    Ok(())
}

async fn numbers_have_a_least_and_a_greatest_magnitude(lab: Lab) -> Finding {
    for taken in ["1E-130", "-1E-130", "9.9999999999999999999999999999999999999E+125", "0"] {
        accepted(taken, lab.put([("a", n(taken))]).send().await)?;
        lab.holds("a = :v", [(":v", n(taken))]).await?;
    }
    for beyond in ["1E-131", "1E+126", "-1E+126"] {
        invalid(beyond, lab.put([("a", n(beyond))]).send().await)?;
    }
    Ok(())
}

async fn numbers_lose_leading_and_trailing_zeros(lab: Lab) -> Finding {
    let all = [
        ("007", "7"),
        ("1.50", "1.5"),
        ("+3", "3"),
        ("-0", "0"),
        ("0.0", "0"),
        (".5", "0.5"),
        ("1E2", "100"),
        ("-25E-1", "-2.5"),
    ];
    for (given, back) in all {
        lab.store([("a", n(given))]).await?;
        let got = lab.stored().await?.and_then(|mut item| item.remove("a"));
        equal(&format!("{given} as stored"), &got, &Some(n(back)))?;
    }
    Ok(())
}

async fn numbers_are_counted_exactly(lab: Lab) -> Finding {
    for (stored, added, sum) in [
        ("9223372036854775806", "1", "9223372036854775807"),
        ("0.1", "0.2", "0.3"),
        ("99999999999999999999999999999999999998", "1", "99999999999999999999999999999999999999"),
    ] {
        lab.store([("a", n(stored)), ("b", n(stored))]).await?;
        accepted("an update", lab.update("SET a = a + :v ADD b :v", [(":v", n(added))]).send().await)?;
        lab.stands([("a", n(sum)), ("b", n(sum))]).await?;
    }
    Ok(())
}

async fn what_is_no_number_is_refused(lab: Lab) -> Finding {
    for text in ["", "NaN", "Infinity", "1 ", "0x10", "1_000", "one"] {
        invalid(&format!("`{text}`"), lab.put([("a", n(text))]).send().await)?;
    }
    Ok(())
}
