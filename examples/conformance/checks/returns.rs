//! What a write gives back.

use aws_sdk_dynamodb::types::ReturnValue;

use super::theme;
use crate::finding::{Finding, accepted, equal, invalid};
use crate::lab::{Item, Lab, item, n, s};

theme! { "Return values"
    update_returns_what_it_is_asked_for: UPDATE_ITEM,
    update_that_creates_has_nothing_old: UPDATE_ITEM,
    put_returns_what_it_replaced: PUT_ITEM,
    delete_returns_what_it_deleted: DELETE_ITEM,
    put_returns_nothing_new: PUT_ITEM,
}

async fn update_returns_what_it_is_asked_for(lab: Lab) -> Finding {
    let (old, new) = (lab.with([("a", n(1)), ("z", s("all"))]), lab.with([("a", n(2)), ("z", s("all"))]));
    let expected: [(ReturnValue, Option<Item>); 5] = [
        (ReturnValue::None, None),
        (ReturnValue::AllOld, Some(old)),
        (ReturnValue::AllNew, Some(new)),
        (ReturnValue::UpdatedOld, Some(item([("a", n(1))]))),
        (ReturnValue::UpdatedNew, Some(item([("a", n(2))]))),
    ];
    for (asked, attributes) in expected {
        lab.store([("a", n(1)), ("z", s("all"))]).await?;
        let update = lab.update("SET a = :v", [(":v", n(2))]).return_values(asked.clone());
        let updated = accepted("an update", update.send().await)?;
        equal(asked.as_str(), &updated.attributes, &attributes)?;
    }
    Ok(())
}

async fn update_that_creates_has_nothing_old(lab: Lab) -> Finding {
    let update = lab.update("SET a = :v", [(":v", n(2))]).return_values(ReturnValue::AllOld);
    let updated = accepted("an update", update.send().await)?;
    equal("ALL_OLD", &updated.attributes.unwrap_or_default(), &item([]))
}

async fn put_returns_what_it_replaced(lab: Lab) -> Finding {
    let put = |value| lab.put([("a", n(value))]).return_values(ReturnValue::AllOld);
    equal("of a first put", &accepted("a put", put(1).send().await)?.attributes, &None)?;
    equal("of a second put", &accepted("a put", put(2).send().await)?.attributes, &Some(lab.with([("a", n(1))])))
}

async fn delete_returns_what_it_deleted(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let delete = || lab.delete().return_values(ReturnValue::AllOld);
    let deleted = accepted("a delete", delete().send().await)?;
    equal("of a first delete", &deleted.attributes, &Some(lab.with([("a", n(1))])))?;
    equal("of a second delete", &accepted("a delete", delete().send().await)?.attributes, &None)
}

async fn put_returns_nothing_new(lab: Lab) -> Finding {
    invalid("ALL_NEW of a put", lab.put([]).return_values(ReturnValue::AllNew).send().await)?;
    invalid("UPDATED_NEW of a delete", lab.delete().return_values(ReturnValue::UpdatedNew).send().await)
}
