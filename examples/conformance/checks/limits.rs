//! How large items, keys and expressions may be.

use aws_sdk_dynamodb::types::AttributeValue;

use super::theme;
use crate::finding::{Finding, accepted, invalid};
use crate::lab::{Item, Lab, item, l, n, s};

theme! { "Limits"
    item_has_400_kb_with_its_names: SIZES,
    size_of_numbers_lists_and_maps: SIZES,
    update_beyond_400_kb_is_refused: CONSTRAINTS,
    values_are_nested_32_levels_deep: CONSTRAINTS,
    partition_key_has_2048_bytes: CONSTRAINTS,
    expression_has_4_kb: CONSTRAINTS,
    expression_has_300_operators: CONSTRAINTS,
    expression_of_more_than_300_operators_is_refused: CONSTRAINTS,
}

const MAX_ITEM: usize = 400 * 1024;

async fn item_has_400_kb_with_its_names(lab: Lab) -> Finding {
    let put = |size: usize| {
        let rest = size - length(&lab.key()) - "bulk".len();
        lab.put([("bulk", s("x".repeat(rest)))]).send()
    };
    accepted("an item of 409600 bytes", put(MAX_ITEM).await)?;
    invalid("an item of 409601 bytes", put(MAX_ITEM + 1).await)
}

async fn size_of_numbers_lists_and_maps(lab: Lab) -> Finding {
    // A list and a map have 3 bytes, and 1 for each element; a number about 1 for every two digits, and 1. The page gives the
    // size of a number as an approximation, so a few bytes are left to it.
    let nested = || AttributeValue::M(item([("numbers", l([n(1234), n(-5), AttributeValue::Null(true)]))]));
    let nested_size = "nested".len() + (3 + 1 + "numbers".len()) + (3 + 3) + 3 + 2 + 1;
    let put = |size: usize| {
        let rest = size - length(&lab.key()) - "bulk".len() - nested_size;
        lab.put([("nested", nested()), ("bulk", s("x".repeat(rest)))]).send()
    };
    accepted("an item of 4 bytes less than the limit", put(MAX_ITEM - 4).await)?;
    invalid("an item of 4 bytes more than the limit", put(MAX_ITEM + 4).await)
}

fn length(key: &Item) -> usize {
    key.iter().map(|(name, value)| name.len() + value.as_s().map_or(0, String::len)).sum()
}

async fn update_beyond_400_kb_is_refused(lab: Lab) -> Finding {
    lab.store([("bulk", s("x".repeat(MAX_ITEM - 1000)))]).await?;
    invalid("an update", lab.update("SET a = :v", [(":v", s("x".repeat(1000)))]).send().await)?;
    accepted("a smaller one", lab.update("SET a = :v", [(":v", s("x".repeat(500)))]).send().await)?;
    Ok(())
}

async fn values_are_nested_32_levels_deep(lab: Lab) -> Finding {
    // A value in an attribute is on the first level.
    let nested = |levels: usize| (1..levels).fold(n(1), |value, _| l([value]));
    accepted("a value on level 32", lab.put([("a", nested(32))]).send().await)?;
    invalid("a value on level 33", lab.put([("a", nested(33))]).send().await)
}

async fn partition_key_has_2048_bytes(lab: Lab) -> Finding {
    let get = |length| lab.client.get_item().table_name(&lab.table).key("id", s("x".repeat(length)));
    accepted("2048 bytes", get(2048).send().await)?;
    invalid("2049 bytes", get(2049).send().await)
}

async fn expression_has_4_kb(lab: Lab) -> Finding {
    lab.store([]).await?;
    // Two operators and a function, by placeholders of as many letters as it takes.
    let value = format!(":{}", "v".repeat(199));
    let operands = vec![value.as_str(); 19].join(",");
    let put = |length: usize| {
        let rest = length - format!("# IN ({operands}) OR attribute_exists(id)").len();
        let name = format!("#{}", "n".repeat(rest));
        let put = lab.put([]).condition_expression(format!("{name} IN ({operands}) OR attribute_exists(id)"));
        put.expression_attribute_names(name, "a").expression_attribute_values(&value, n(1)).send()
    };
    accepted("4096 bytes", put(4096).await)?;
    invalid("4097 bytes", put(4097).await)
}

async fn expression_has_300_operators(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    lab.holds(&comparisons(150), [(":v", n(1))]).await
}

async fn expression_of_more_than_300_operators_is_refused(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    lab.is_invalid(&comparisons(151), [(":v", n(1))]).await
}

/// Each comparison is an operator, and so is each OR between two.
fn comparisons(count: usize) -> String {
    vec!["a=:v"; count].join(" OR ")
}
