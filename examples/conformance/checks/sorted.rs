//! Queries over one partition.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::theme;
use crate::finding::{Finding, Miss, accepted, equal, invalid};
use crate::lab::{Lab, b, n, s};

theme! { "Queries"
    query_brings_a_partition_in_its_order: QUERY,
    query_backwards: QUERY,
    key_condition_narrows_the_sort_key: KEY_CONDITIONS,
    key_condition_needs_the_whole_partition_key: KEY_CONDITIONS,
    filter_takes_away_what_was_read: FILTERS,
    filter_takes_no_key_attributes: FILTERS,
    limit_ends_a_page_and_its_last_key_begins_the_next: PAGINATION,
    limit_counts_what_was_read_and_not_what_is_left: FILTERS,
    last_page_has_no_last_key: PAGINATION,
    count_brings_no_items: QUERY,
}

/// Five items, whose sort keys aren't in the order of their text.
async fn store_five(lab: &Lab) -> Finding {
    for at in [10, 9, 100, -1, 2] {
        let put = lab.client.put_item().table_name(&lab.sorted).set_item(Some(lab.with([("nr", n(at))])));
        let kind = if at % 2 == 0 { "even" } else { "odd" };
        accepted("a put", put.item("kind", s(kind)).send().await)?;
    }
    Ok(())
}

fn ats(found: &QueryOutput) -> Vec<&str> {
    found.items().iter().filter_map(|item| item.get("nr")?.as_n().ok()).map(String::as_str).collect()
}

async fn query_brings_a_partition_in_its_order(lab: Lab) -> Finding {
    store_five(&lab).await?;
    store_five(&lab.beside("neighbour")).await?;
    let found = accepted("a query", lab.query("id = :id", []).send().await)?;
    equal("the sort keys", &ats(&found), &vec!["-1", "2", "9", "10", "100"])
}

async fn query_backwards(lab: Lab) -> Finding {
    store_five(&lab).await?;
    let found = accepted("a query", lab.query("id = :id", []).scan_index_forward(false).send().await)?;
    equal("the sort keys", &ats(&found), &vec!["100", "10", "9", "2", "-1"])
}

async fn key_condition_narrows_the_sort_key(lab: Lab) -> Finding {
    store_five(&lab).await?;
    for (condition, expected) in [
        ("id = :id AND nr = :nine", vec!["9"]),
        ("id = :id AND nr < :nine", vec!["-1", "2"]),
        ("id = :id AND nr >= :nine", vec!["9", "10", "100"]),
    ] {
        let found = accepted(condition, lab.query(condition, [(":nine", n(9))]).send().await)?;
        equal(condition, &ats(&found), &expected)?;
    }
    let between = lab.query("id = :id AND nr BETWEEN :low AND :high", [(":low", n(2)), (":high", n(10))]);
    equal("BETWEEN 2 AND 10", &ats(&accepted("a query", between.send().await)?), &vec!["2", "9", "10"])
}

async fn key_condition_needs_the_whole_partition_key(lab: Lab) -> Finding {
    for condition in ["begins_with(id, :id)", "id < :id", "id <> :id"] {
        invalid(condition, lab.query(condition, []).send().await)?;
    }
    invalid("OR", lab.query("id = :id OR nr = :nr", [(":nr", n(1))]).send().await)?;
    invalid("another type", lab.query("id = :id AND nr = :nr", [(":nr", b([1]))]).send().await)
}

async fn filter_takes_away_what_was_read(lab: Lab) -> Finding {
    store_five(&lab).await?;
    let query = lab.query("id = :id", [(":kind", s("odd"))]).filter_expression("kind = :kind");
    let found = accepted("a query", query.send().await)?;
    equal("the sort keys", &ats(&found), &vec!["-1", "9"])?;
    equal("how many it found, of how many it read", &(found.count(), found.scanned_count()), &(2, 5))
}

async fn filter_takes_no_key_attributes(lab: Lab) -> Finding {
    let query = lab.query("id = :id", [(":nr", n(1))]).filter_expression("nr = :nr");
    invalid("a filter by the sort key", query.send().await)
}

async fn limit_ends_a_page_and_its_last_key_begins_the_next(lab: Lab) -> Finding {
    store_five(&lab).await?;
    let (mut start, mut pages) = (None, Vec::new());
    for _ in 0..4 {
        let query = lab.query("id = :id", []).limit(2).set_exclusive_start_key(start);
        let page = accepted("a page", query.send().await)?;
        pages.push(ats(&page).join(" "));
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    equal("the pages", &pages, &vec!["-1 2".to_owned(), "9 10".to_owned(), "100".to_owned()])
}

async fn limit_counts_what_was_read_and_not_what_is_left(lab: Lab) -> Finding {
    store_five(&lab).await?;
    let query = lab.query("id = :id", [(":kind", s("even"))]).filter_expression("kind = :kind").limit(1);
    let found = accepted("a query", query.send().await)?;
    equal("the sort keys", &ats(&found), &vec![])?;
    equal("the last key", &found.last_evaluated_key, &Some(lab.with([("nr", n(-1))])))
}

async fn last_page_has_no_last_key(lab: Lab) -> Finding {
    let none: Option<std::collections::HashMap<String, AttributeValue>> = None;
    let empty = accepted("a query of nothing", lab.query("id = :id", []).limit(2).send().await)?;
    equal("the last key of nothing", &empty.last_evaluated_key, &none)?;
    store_five(&lab).await?;
    let whole = accepted("a query", lab.query("id = :id", []).limit(6).send().await)?;
    equal("the last key of a page with room", &whole.last_evaluated_key, &none)?;
    // A page that is full ends with a key, though nothing follows it.
    let full = accepted("a query", lab.query("id = :id", []).limit(5).send().await)?;
    let last = full.last_evaluated_key.ok_or_else(|| Miss::failed("a last key of a full page", "none"))?;
    equal("the last key of a full page", &last, &lab.with([("nr", n(100))]))?;
    let rest = lab.query("id = :id", []).set_exclusive_start_key(Some(last));
    let rest = accepted("the page behind it", rest.send().await)?;
    equal("the page behind it", &(rest.count(), rest.last_evaluated_key), &(0, None))
}

async fn count_brings_no_items(lab: Lab) -> Finding {
    store_five(&lab).await?;
    let found = accepted("a query", lab.query("id = :id", []).select(Select::Count).send().await)?;
    equal("how many, and the items", &(found.count(), found.items), &(5, None))
}
