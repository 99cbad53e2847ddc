use aws_sdk_dynamodb::types::AttributeValue;

use super::*;

fn of(text: &str, names: &[(&str, &str)], values: &[(&str, &str)]) -> Fingerprint {
    let names = names.iter().map(|(placeholder, name)| ((*placeholder).to_owned(), (*name).to_owned())).collect();
    let value = |value: &str| AttributeValue::S(value.to_owned());
    let values = values.iter().map(|(placeholder, text)| ((*placeholder).to_owned(), value(text))).collect();
    expressions(&[text], &names, &values)
}

#[test]
fn a_placeholder_is_what_it_stands_for_whatever_its_number() {
    let expression = of("#n0.#n1[0] = :v0", &[("#n0", "a"), ("#n1", "b")], &[(":v0", "x")]);
    assert_eq!(of("#n12.#n1[0] = :v10", &[("#n1", "b"), ("#n12", "a")], &[(":v10", "x")]), expression);
    for other in [
        of("#n1.#n0[0] = :v0", &[("#n0", "a"), ("#n1", "b")], &[(":v0", "x")]),
        of("#n0.#n1[1] = :v0", &[("#n0", "a"), ("#n1", "b")], &[(":v0", "x")]),
        of("#n0.#n1[0] <> :v0", &[("#n0", "a"), ("#n1", "b")], &[(":v0", "x")]),
        of("#n0.#n1[0] = :v0", &[("#n0", "a"), ("#n1", "c")], &[(":v0", "x")]),
        of("#n0.#n1[0] = :v0", &[("#n0", "a"), ("#n1", "b")], &[(":v0", "y")]),
        of("#n0[0] = :v0", &[("#n0", "a.b")], &[(":v0", "x")]),
        of("#n0.#n1[0] = #n2", &[("#n0", "a"), ("#n1", "b"), ("#n2", "x")], &[]),
    ] {
        assert_ne!(other, expression);
    }
}

#[test]
fn expressions_do_not_run_together() {
    let names = HashMap::from([("#n0".to_owned(), "a".to_owned())]);
    let of = |texts: &[&str]| expressions(texts, &names, &RawItem::new());
    assert_ne!(of(&["attribute_exists(#n0)", ""]), of(&["", "attribute_exists(#n0)"]));
    assert_ne!(of(&["#n0", "#n0"]), of(&["#n0#n0"]));
    assert_ne!(of(&["#n0"]), of(&["#n0", ""]));
}
