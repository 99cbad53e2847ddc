//! Which names an expression takes as they are, and what it has to say about its placeholders.

use super::theme;
use crate::finding::{Finding, accepted, invalid};
use crate::lab::{Lab, n, s};

theme! { "Expressions"
    reserved_words_need_a_placeholder: RESERVED,
    names_with_a_leading_underscore_need_a_placeholder: ALIASES,
    names_with_a_leading_digit_need_a_placeholder: ALIASES,
    placeholders_stand_for_any_name: ALIASES,
    dot_in_the_name_of_a_placeholder_is_no_path: ALIASES,
    placeholder_that_is_not_used_is_refused: VALUES,
    placeholder_that_is_not_given_is_refused: VALUES,
    condition_and_update_share_their_placeholders: UPDATE_ITEM,
    empty_expression_is_refused: UPDATE_ITEM,
    expression_that_does_not_parse_is_refused: OPERATORS,
}

async fn reserved_words_need_a_placeholder(lab: Lab) -> Finding {
    lab.store([("status", n(1))]).await?;
    for word in ["status", "name", "Count", "SET"] {
        invalid(&format!("`SET {word}`"), lab.update(&format!("SET {word} = :v"), [(":v", n(1))]).send().await)?;
        let update = lab.update("SET #w = :v", [(":v", n(1))]).expression_attribute_names("#w", word);
        accepted("with a placeholder", update.send().await)?;
    }
    lab.is_invalid("status = :v", [(":v", n(1))]).await
}

async fn names_with_a_leading_underscore_need_a_placeholder(lab: Lab) -> Finding {
    invalid("`SET _w0`", lab.update("SET _w0 = :v", [(":v", n(1))]).send().await)?;
    lab.is_invalid("attribute_exists(_w0)", []).await
}

async fn names_with_a_leading_digit_need_a_placeholder(lab: Lab) -> Finding {
    invalid("`SET 0a`", lab.update("SET 0a = :v", [(":v", n(1))]).send().await)
}

async fn placeholders_stand_for_any_name(lab: Lab) -> Finding {
    for name in ["_w0", "with space", "große", "漢字", "#n0", ":v0", "a[0]", "AND", "a\"b", "-"] {
        let update = lab.update("SET #n0 = :v0", [(":v0", s(name))]).expression_attribute_names("#n0", name);
        accepted(&format!("`{name}`"), update.send().await)?;
        let get = lab.get().projection_expression("#n0").expression_attribute_names("#n0", name);
        let got = accepted("a get", get.send().await)?.item.and_then(|mut item| item.remove(name));
        crate::finding::equal(name, &got, &Some(s(name)))?;
    }
    Ok(())
}

async fn dot_in_the_name_of_a_placeholder_is_no_path(lab: Lab) -> Finding {
    let update = lab.update("SET #n = :v", [(":v", n(1))]).expression_attribute_names("#n", "a.b");
    accepted("an update", update.send().await)?;
    lab.stands([("a.b", n(1))]).await
}

async fn placeholder_that_is_not_used_is_refused(lab: Lab) -> Finding {
    let update = || lab.update("SET a = :v", [(":v", n(1))]);
    invalid("a value", update().expression_attribute_values(":other", n(1)).send().await)?;
    invalid("a name", update().expression_attribute_names("#other", "x").send().await)?;
    invalid("a name without an expression", lab.put([]).expression_attribute_names("#other", "x").send().await)
}

async fn placeholder_that_is_not_given_is_refused(lab: Lab) -> Finding {
    invalid("a value", lab.update("SET a = :v", []).send().await)?;
    invalid("a name", lab.update("SET #n = :v", [(":v", n(1))]).send().await)
}

async fn condition_and_update_share_their_placeholders(lab: Lab) -> Finding {
    lab.store([("a", n(1))]).await?;
    let update = lab.update("SET #a = :two", [(":one", n(1)), (":two", n(2))]).condition_expression("#a = :one");
    accepted("an update", update.expression_attribute_names("#a", "a").send().await)?;
    lab.stands([("a", n(2))]).await
}

async fn empty_expression_is_refused(lab: Lab) -> Finding {
    invalid("an update", lab.update("", []).send().await)?;
    invalid("a condition", lab.put([]).condition_expression("").send().await)
}

async fn expression_that_does_not_parse_is_refused(lab: Lab) -> Finding {
    for condition in ["a =", "a = :v AND", "(a = :v", "a == :v", "a = :v b = :v", "exists(a)", "a = :v;"] {
        lab.is_invalid(condition, [(":v", n(1))]).await?;
    }
    for update in ["SET", "SET a", "SET a = :v SET b = :v", "SET a = :v,", "SET a += :v", "PUT a = :v"] {
        invalid(&format!("`{update}`"), lab.update(update, [(":v", n(1))]).send().await)?;
    }
    Ok(())
}
