//! Which item a key names: numbers are one value, however they are written.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::item::{RawItem, Schema};

/// What two keys have in common if they name the same item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Number(String),
    Bytes(Vec<u8>),
    /// No key attribute has it.
    None,
}

impl Identity {
    /// That of a key, or of a whole item.
    pub(crate) fn of(schema: &Schema, item: &RawItem) -> Self {
        Self(schema.key_names().map(|name| Part::of(item.get(name))).collect())
    }
}

/// Whether two values of a key attribute are one.
pub(crate) fn is_same(one: Option<&AttributeValue>, other: Option<&AttributeValue>) -> bool {
    Part::of(one) == Part::of(other)
}

impl Part {
    fn of(value: Option<&AttributeValue>) -> Self {
        match value {
            Some(AttributeValue::S(text)) => Self::Text(text.clone()),
            Some(AttributeValue::N(number)) => Self::Number(canonical(number)),
            Some(AttributeValue::B(blob)) => Self::Bytes(blob.as_ref().to_vec()),
            _ => Self::None,
        }
    }
}

/// The significant digits and their exponent: `-25e3` of `-25000`, `-2.5E4` and `-0025000.0`. What is no number stays as it is.
fn canonical(number: &str) -> String {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let exponent =
        exponent.parse::<i64>().ok().and_then(|exponent| exponent.checked_sub_unsigned(fraction.len() as u64));
    let Some(exponent) = exponent.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty())
    else {
        return number.to_owned();
    };
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let exponent = exponent.saturating_add_unsigned((digits.len() - significant.len()) as u64);
    format!("{sign}{significant}e{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_however_it_is_written() {
        for (written, canonical) in [
            (&["1", "1.0", "1E0", "01", "+1", "10e-1", "0.1E+1"][..], "1e0"),
            (&["-25000", "-2.5E4", "-0025000.0", "-25e3"], "-25e3"),
            (&["0", "-0", "0.00", "0E7", "000"], "0"),
            (&["0.001", "1E-3", ".001"], "1e-3"),
            (&["120", "12E1"], "12e1"),
        ] {
            written.iter().for_each(|number| assert_eq!(super::canonical(number), canonical, "{number}"));
        }
        let different = ["1", "10", "-1", "0.1", "11", "1E2", "12"].map(super::canonical);
        assert_eq!(std::collections::HashSet::from(different).len(), 7);
        for no_number in ["", "-", ".", "e5", "1e", "one", "1e99999999999999999999"] {
            assert_eq!(super::canonical(no_number), no_number);
        }
    }

    #[test]
    fn an_item_is_the_one_of_its_key_and_no_type_passes_for_another() {
        let schema = Schema::new("p").sort_key("s");
        let key = |p: &str, s: AttributeValue| {
            RawItem::from([("p".to_owned(), AttributeValue::S(p.to_owned())), ("s".to_owned(), s)])
        };
        let number = |number: &str| AttributeValue::N(number.to_owned());
        let mut item = key("a", number("7.0"));
        item.insert("other".to_owned(), number("8"));
        assert_eq!(Identity::of(&schema, &item), Identity::of(&schema, &key("a", number("7"))));
        assert_ne!(Identity::of(&schema, &item), Identity::of(&schema, &key("b", number("7"))));
        let [text, number] = [AttributeValue::S("7e0".to_owned()), number("7")];
        assert_ne!(Identity::of(&schema, &key("a", text)), Identity::of(&schema, &key("a", number)));
    }
}
