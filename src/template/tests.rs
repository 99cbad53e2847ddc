use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;

use super::{Template, TemplatePart};
use crate::arbitrary::config;

const fn literal(text: &'static str) -> TemplatePart {
    TemplatePart::Literal(text)
}

const fn attribute(name: &'static str) -> TemplatePart {
    TemplatePart::Attribute { name, width: 0 }
}

static ORDER: Template = Template::new(&[literal("ORDER#"), attribute("order")]);
static LINE: Template = Template::new(&[literal("ORDER#"), attribute("order"), literal("#LINE#"), attribute("line")]);
static DASHES: Template = Template::new(&[attribute("one"), literal("x-"), attribute("other"), literal("end")]);
static PADDED: Template = Template::new(&[literal("N#"), TemplatePart::Attribute { name: "number", width: 4 }]);
static PROFILE: Template = Template::new(&[literal("PROFILE")]);

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

fn rendered(template: &Template, values: &[AttributeValue]) -> String {
    template.render(values).expect("renders")
}

#[test]
fn separators_and_percent_signs_within_a_value_are_encoded() {
    assert_eq!(rendered(&ORDER, &[text("7")]), "ORDER#7");
    assert_eq!(rendered(&ORDER, &[text("7#LINE#1")]), "ORDER#7%23LINE%231");
    assert_eq!(rendered(&ORDER, &[text("%23-é")]), "ORDER#%2523-é");
    assert_eq!(rendered(&DASHES, &[text("a-#b"), number("-7")]), "a%2D%23bx-%2D7end");
    assert!(DASHES.matches("a%2D%23bx-%2D7end"));
}

#[test]
fn fewer_values_make_what_all_texts_with_them_begin_with() {
    assert_eq!(rendered(&LINE, &[]), "ORDER#");
    assert_eq!(rendered(&LINE, &[text("1")]), "ORDER#1#LINE#");
    assert_eq!((LINE.start(), PROFILE.start(), DASHES.start()), ("ORDER#", "PROFILE", ""));
}

#[test]
fn numbers_are_filled_up_and_one_that_would_sort_elsewhere_is_refused() {
    assert_eq!(rendered(&PADDED, &[number("42")]), "N#0042");
    assert_eq!(rendered(&PADDED, &[number("9999")]), "N#9999");
    for refused in ["10000", "-1"] {
        let error = PADDED.render(&[number(refused)]).expect_err("is refused");
        assert!(
            error.is_invalid() && error.to_string().contains("`number`") && error.to_string().contains("4 digits"),
            "{error}"
        );
    }
}

#[test]
fn what_no_key_can_hold_is_refused_by_name() {
    for refused in [text(""), AttributeValue::Bool(true), AttributeValue::Null(true)] {
        let error = ORDER.render(&[refused]).expect_err("is refused");
        assert!(error.is_invalid() && error.to_string().contains("`order`"), "{error}");
    }
}

#[test]
fn a_text_of_another_shape_does_not_match() {
    for (template, other) in [
        (&ORDER, "ORDER#"),
        (&ORDER, "ORDER#7#LINE#1"),
        (&ORDER, "order#7"),
        (&ORDER, "PROFILE"),
        (&LINE, "ORDER#7"),
        (&LINE, "ORDER##LINE#1"),
        (&LINE, "ORDER#7#LINE#1#2"),
        (&DASHES, "x-7end"),
        (&DASHES, "ax-end"),
        (&DASHES, "éx-"),
        (&PROFILE, "PROFILE2"),
        (&PROFILE, ""),
    ] {
        assert!(!template.matches(other), "{template:?} matches {other}");
    }
}

/// Values that are made of what templates are made of, most of all.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(&["#", "%", "%23", "-", "x", "x-", "end", "ORDER#", "#LINE#", "\\", "{order}", "\0", "1"][..])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 1..5)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("keys aren't empty", |value| !value.is_empty())
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn no_two_tuples_of_values_make_the_same_text(one in [hostile(), hostile()], other in [hostile(), hostile()]) {
        for template in [&LINE, &DASHES] {
            let [mine, others] = [&one, &other].map(|values| rendered(template, &values.each_ref().map(|value| text(value))));
            prop_assert_eq!(mine == others, one == other, "{}", mine);
            prop_assert!(template.matches(&mine), "{}", mine);
        }
    }

    #[test]
    fn no_value_makes_the_text_of_another_template(one in hostile(), other in hostile()) {
        let (order, line) = (rendered(&ORDER, &[text(&one)]), rendered(&LINE, &[text(&one), text(&other)]));
        prop_assert!(ORDER.matches(&order) && LINE.matches(&line));
        prop_assert!(!LINE.matches(&order), "{}", order);
        prop_assert!(!ORDER.matches(&line), "{}", line);
    }

    #[test]
    fn what_a_value_begins_with_is_what_its_text_begins_with(one in hostile(), rest in any::<String>()) {
        let (short, long) = (rendered(&ORDER, &[text(&one)]), rendered(&ORDER, &[text(&format!("{one}{rest}"))]));
        prop_assert!(long.starts_with(&short));
    }
}
