//! Reads by key, one and many, and the attribute by which items expire.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemFluentBuilder;
use aws_sdk_dynamodb::types::{KeysAndAttributes, TimeToLiveSpecification};

use super::theme;
use crate::finding::{Finding, Miss, accepted, equal, invalid};
use crate::lab::{Item, Lab, item, l, m, n, s};

theme! { "Reads by key"
    consistent_read_sees_every_write_before_it: CONSISTENCY,
    read_of_an_absent_key_brings_no_item: GET_ITEM,
    projection_brings_what_it_names: PROJECTIONS,
    projection_of_nothing_stored_brings_an_empty_item: PROJECTIONS,
    overlapping_projections_are_refused: PROJECTIONS,
    batch_brings_what_is_there: BATCH_GET,
    batch_that_is_done_has_an_empty_rest: BATCH_GET,
    batch_with_a_key_twice_is_refused: BATCH_GET,
    batch_has_100_keys: BATCH_GET,
    table_has_one_attribute_for_expiry: TTL,
}

async fn consistent_read_sees_every_write_before_it(lab: Lab) -> Finding {
    for count in 1..=20 {
        accepted("an update", lab.update("ADD a :one", [(":one", n(1))]).send().await)?;
        lab.stands([("a", n(count))]).await?;
    }
    accepted("a delete", lab.delete().send().await)?;
    equal("the deleted item", &lab.stored().await?, &None)
}

async fn read_of_an_absent_key_brings_no_item(lab: Lab) -> Finding {
    equal("an absent item", &lab.stored().await?, &None)
}

async fn projection_brings_what_it_names(lab: Lab) -> Finding {
    lab.store([("a", n(1)), ("b", n(2)), ("m", m([("x", n(3)), ("y", n(4))])), ("l", l([n(5), n(6)]))]).await?;
    let get = lab.get().projection_expression("#a, m.x, l[1], absent").expression_attribute_names("#a", "a");
    let got = accepted("a get", get.send().await)?.item;
    equal("the item", &got, &Some(item([("a", n(1)), ("m", m([("x", n(3))])), ("l", l([n(6)]))])))
}

async fn projection_of_nothing_stored_brings_an_empty_item(lab: Lab) -> Finding {
    lab.store([]).await?;
    let got = accepted("a get", lab.get().projection_expression("absent").send().await)?.item;
    equal("the item", &got, &Some(item([])))
}

async fn overlapping_projections_are_refused(lab: Lab) -> Finding {
    invalid("`a, a`", lab.get().projection_expression("a, a").send().await)?;
    invalid("`a, a.b`", lab.get().projection_expression("a, a.b").send().await)
}

fn batch(lab: &Lab, keys: impl IntoIterator<Item = Item>) -> Result<BatchGetItemFluentBuilder, Miss> {
    let keys = KeysAndAttributes::builder().set_keys(Some(Vec::from_iter(keys))).consistent_read(true).build();
    let keys = keys.map_err(|error| Miss::failed("keys of a batch", error.to_string()))?;
    Ok(lab.client.batch_get_item().request_items(&lab.table, keys))
}

async fn batch_brings_what_is_there(lab: Lab) -> Finding {
    let (one, two, absent) = (lab.beside("one"), lab.beside("two"), lab.beside("absent"));
    one.store([("a", n(1))]).await?;
    two.store([("a", n(2))]).await?;
    let got = accepted("a batch", batch(&lab, [one.key(), absent.key(), two.key()])?.send().await)?;
    let mut items = got.responses.unwrap_or_default().remove(&lab.table).unwrap_or_default();
    // They come in any order.
    items.sort_by_key(|item| item.get("a").and_then(|a| a.as_n().ok().cloned()));
    equal("the items", &items, &vec![one.with([("a", n(1))]), two.with([("a", n(2))])])
}

async fn batch_that_is_done_has_an_empty_rest(lab: Lab) -> Finding {
    let got = accepted("a batch", batch(&lab, [lab.key()])?.send().await)?;
    equal("the keys that are left", &got.unprocessed_keys, &Some(HashMap::new()))?;
    equal("the tables that answered", &got.responses, &Some(HashMap::from([(lab.table, vec![])])))
}

async fn batch_with_a_key_twice_is_refused(lab: Lab) -> Finding {
    invalid("a batch", batch(&lab, [lab.key(), lab.key()])?.send().await)
}

async fn batch_has_100_keys(lab: Lab) -> Finding {
    let keys = |count: usize| (0..count).map(|number| item([("id", s(format!("batch-{number}")))]));
    accepted("100 keys", batch(&lab, keys(100))?.send().await)?;
    invalid("101 keys", batch(&lab, keys(101))?.send().await)
}

async fn table_has_one_attribute_for_expiry(lab: Lab) -> Finding {
    let enable = |attribute: &str| {
        let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let expiry = expiry.map_err(|error| Miss::failed("a specification", error.to_string()))?;
        Ok::<_, Miss>(lab.client.update_time_to_live().table_name(&lab.sorted).time_to_live_specification(expiry))
    };
    accepted("a first attribute", enable("expires")?.send().await)?;
    invalid("a second attribute", enable("expires_too")?.send().await)?;
    let described = lab.client.describe_time_to_live().table_name(&lab.sorted).send().await;
    let described = accepted("a description", described)?.time_to_live_description;
    equal("its attribute", &described.and_then(|expiry| expiry.attribute_name), &Some("expires".to_owned()))
}
