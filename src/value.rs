//! Checks of values before they are sent: what DynamoDB would refuse, refused with the attribute's name.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;
use crate::item::RawItem;

/// AWS, "Service quotas for DynamoDB": an item's attribute names and values together.
const MAX_ITEM: usize = 400 * 1024;
/// AWS, "Service quotas for DynamoDB"; the attribute itself is the first level.
const MAX_DEPTH: usize = 32;
/// AWS, "Supported data types and naming rules": 38 digits, and magnitudes from 1E-130 to 9.99..E+125.
const MAX_DIGITS: usize = 38;
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

/// Checks a whole item, which may be `room` bytes less than the limit.
pub(crate) fn check_item(item: &RawItem, room: usize) -> Result<(), Error> {
    let own = |(name, value): (&String, &AttributeValue)| Ok::<_, Error>(name.len() + check(name, value)?);
    let size = item.iter().try_fold(room, |size, attribute| Ok::<_, Error>(size + own(attribute)?))?;
    if size <= MAX_ITEM {
        return Ok(());
    }
    let greatest = item.iter().max_by_key(|attribute| own(*attribute).unwrap_or_default());
    let (name, own) = greatest.map_or(("", 0), |attribute| (attribute.0.as_str(), own(attribute).unwrap_or_default()));
    Err(Error::invalid(format!(
        "the item has {size} bytes with its stamp, {own} of them in `{name}`; DynamoDB takes {MAX_ITEM}: store less, or put \
         the bulk elsewhere"
    )))
}

/// Checks a value, and gives its size in bytes (AWS, "DynamoDB item sizes and formats").
pub(crate) fn check(name: &str, value: &AttributeValue) -> Result<usize, Error> {
    check_at(name, 1, value)
}

/// The same, of a value that stands so many levels deep in the item.
pub(crate) fn check_at(path: &str, level: usize, value: &AttributeValue) -> Result<usize, Error> {
    if path.is_empty() {
        return Err(Error::invalid(format!("the item {NAMELESS}")));
    }
    measure(value, level - 1).map_err(|(below, what)| Error::invalid(format!("`{path}{below}` {what}")))
}

/// The path below the attribute at which something is wrong, and what.
type Fault = (String, &'static str);

fn measure(value: &AttributeValue, depth: usize) -> Result<usize, Fault> {
    let fault = |what| Err((String::new(), what));
    if depth >= MAX_DEPTH {
        return fault("is nested more than 32 levels deep, which DynamoDB doesn't take; flatten it");
    }
    let below = |result: Result<usize, Fault>, segment: &dyn Fn() -> String| {
        result.map_err(|(path, what)| (segment() + &path, what))
    };
    match value {
        AttributeValue::S(text) => Ok(text.len()),
        AttributeValue::N(number) => self::number(number).or_else(fault),
        AttributeValue::B(blob) => Ok(blob.as_ref().len()),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => Ok(1),
        AttributeValue::L(list) => list.iter().enumerate().try_fold(3, |size, (index, element)| {
            Ok(size + 1 + below(measure(element, depth + 1), &|| format!("[{index}]"))?)
        }),
        AttributeValue::M(map) if map.contains_key("") => fault(NAMELESS),
        AttributeValue::M(map) => map.iter().try_fold(3, |size, (name, value)| {
            Ok(size + 1 + name.len() + below(measure(value, depth + 1), &|| format!(".{name}"))?)
        }),
        AttributeValue::Ss(set) if set.is_empty() => fault(EMPTY_SET),
        AttributeValue::Ns(set) if set.is_empty() => fault(EMPTY_SET),
        AttributeValue::Bs(set) if set.is_empty() => fault(EMPTY_SET),
        AttributeValue::Ss(set) => Ok(set.iter().map(String::len).sum()),
        AttributeValue::Ns(set) => set.iter().try_fold(0, |size, element| Ok(size + number(element).or_else(fault)?)),
        AttributeValue::Bs(set) => Ok(set.iter().map(|blob| blob.as_ref().len()).sum()),
        _ => Ok(0),
    }
}

const EMPTY_SET: &str = "is an empty set, which DynamoDB doesn't take; leave the attribute out (`skip_serializing_if`)";
const NAMELESS: &str =
    "holds an attribute without a name, which DynamoDB doesn't take; leave out the entry with the empty key";
const NO_NUMBER: &str =
    "is no finite number, which DynamoDB can't hold; check for NaN and infinity, or store it as text";
const TOO_LONG: &str = "has more than 38 significant digits, which DynamoDB can't hold; store it as text";
const TOO_FAR: &str = "is outside of the numbers that DynamoDB can hold (1E-130 to 9.9E+125); store it as text";

/// The size of a number: one byte for every two significant digits, and one.
fn number(text: &str) -> Result<usize, &'static str> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(significant) = significant(unsigned) {
        return Ok(significant.div_ceil(2) + 1);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| NO_NUMBER)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits.clone().all(|byte| byte.is_ascii_digit()) {
        return Err(NO_NUMBER);
    }
    let leading = digits.clone().take_while(|digit| *digit == b'0').count();
    if leading == whole.len() + fraction.len() {
        // DynamoDB looks at the exponent of a zero too, as if its last digit were a 1.
        let in_range = EXPONENTS.contains(&exponent.saturating_sub_unsigned(fraction.len() as u64));
        return if in_range { Ok(1) } else { Err(TOO_FAR) };
    }
    let trailing = digits.rev().take_while(|digit| *digit == b'0').count();
    let significant = whole.len() + fraction.len() - leading - trailing;
    if significant > MAX_DIGITS {
        return Err(TOO_LONG);
    }
    let magnitude = exponent.saturating_add(whole.len() as i64 - leading as i64 - 1);
    if !EXPONENTS.contains(&magnitude) {
        return Err(TOO_FAR);
    }
    Ok(significant.div_ceil(2) + 1)
}

/// The number of significant digits, in one pass, where there are so few digits, and no exponent, that the number is within
/// all bounds: by far the most frequent case.
fn significant(unsigned: &str) -> Option<usize> {
    let (mut digits, mut significant, mut zeros, mut is_fraction) = (0, 0, 0, false);
    for byte in unsigned.bytes() {
        match byte {
            b'0' if significant > 0 => zeros += 1,
            b'0' => {}
            b'1'..=b'9' => (significant, zeros) = (significant + zeros + 1, 0),
            b'.' if !is_fraction => {
                is_fraction = true;
                continue;
            }
            _ => return None,
        }
        digits += 1;
    }
    (1..=MAX_DIGITS).contains(&digits).then_some(significant)
}

#[cfg(test)]
mod tests;
