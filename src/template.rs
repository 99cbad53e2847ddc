//! Key templates: the text of a key attribute, put together of others.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Error;

/// How the text of a key attribute is put together: `ORDER#{order_id}`.
///
/// A value can't forge another key: `%`, `#` and the punctuation of the template's own literals are percent-encoded in it, and between two
/// values there is some of that punctuation. So a text has one reading at most. Other templates may have other punctuation: it is `#` that
/// no value holds in any of them.
#[doc(hidden)]
#[derive(Debug)]
pub struct Template {
    parts: &'static [TemplatePart],
}

/// A part of a [`Template`].
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub enum TemplatePart {
    /// Text that all keys have here.
    Literal(&'static str),
    /// The value of another attribute; a number is filled up with zeros to this width.
    Attribute { name: &'static str, width: usize },
}

impl Template {
    /// The template of these parts, which the derive has checked.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(parts: &'static [TemplatePart]) -> Self {
        Self { parts }
    }

    /// The attributes whose values it takes, in order.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Attribute { name, .. } => Some(*name),
            TemplatePart::Literal(_) => None,
        })
    }

    /// The first of these values that is a number without a width: the texts don't have its order.
    pub(crate) fn unordered(&self, values: &[AttributeValue]) -> Option<&'static str> {
        let parts = self.parts.iter().filter_map(|part| match part {
            TemplatePart::Attribute { name, width } => Some((*name, *width)),
            TemplatePart::Literal(_) => None,
        });
        let mut given = parts.zip(values);
        given.find(|((_, width), value)| *width == 0 && value.is_n()).map(|((name, _), _)| name)
    }

    /// The text with the values that these attributes have; `None` where one of them is absent, or null.
    pub(crate) fn render_of<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v AttributeValue>,
    ) -> Result<Option<String>, Error> {
        let values: Option<Vec<_>> =
            self.attributes().map(|name| value(name).filter(|value| !value.is_null())).collect();
        values.map(|values| self.render(values)).transpose()
    }

    /// What all its texts begin with.
    pub(crate) fn start(&self) -> &'static str {
        match self.parts {
            [TemplatePart::Literal(start), ..] => start,
            _ => "",
        }
    }

    /// The text with these values. With fewer than the template takes, what all texts with these values begin with.
    pub(crate) fn render<'v>(&self, values: impl IntoIterator<Item = &'v AttributeValue>) -> Result<String, Error> {
        let (mut text, mut values) = (String::new(), values.into_iter());
        for part in self.parts {
            match part {
                TemplatePart::Literal(literal) => text.push_str(literal),
                TemplatePart::Attribute { name, width } => match values.next() {
                    Some(value) => self.push(&mut text, name, *width, value)?,
                    None => return Ok(text),
                },
            }
        }
        Ok(text)
    }

    /// Whether it makes this text of some values.
    pub(crate) fn matches(&self, mut text: &str) -> bool {
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            let rest = match part {
                TemplatePart::Literal(literal) => text.strip_prefix(literal),
                TemplatePart::Attribute { .. } => {
                    let end = text.find(|letter| self.separates(letter)).unwrap_or(text.len());
                    // Letters of the next literal that stand before its punctuation are no part of the value.
                    let ahead = match parts.peek() {
                        Some(TemplatePart::Literal(next)) => {
                            next.find(|letter| self.separates(letter)).unwrap_or(next.len())
                        }
                        _ => 0,
                    };
                    let end = end.checked_sub(ahead).filter(|end| *end > 0);
                    end.and_then(|end| text.get(end..))
                }
            };
            match rest {
                Some(rest) => text = rest,
                None => return false,
            }
        }
        text.is_empty()
    }

    fn push(&self, text: &mut String, name: &str, width: usize, value: &AttributeValue) -> Result<(), Error> {
        match value {
            AttributeValue::S(value) if value.is_empty() => {
                return Err(Error::invalid(format!("`{name}` is a part of a key, and empty; give it a value")));
            }
            AttributeValue::S(value) => self.push_encoded(text, value),
            // Texts have the order of their numbers only where they are of one length and have no sign.
            AttributeValue::N(number) if width > 0 && (number.starts_with('-') || number.len() > width) => {
                return Err(Error::invalid(format!(
                    "`{name}` is a part of a key that has {width} digits, and is negative or has more; give the template a greater width, or \
                     none, where the order of the keys doesn't matter"
                )));
            }
            AttributeValue::N(number) => self.push_encoded(text, &format!("{number:0>width$}")),
            _ => {
                return Err(Error::invalid(format!(
                    "`{name}` is a part of a key, and neither text nor a number; leave it out of the template"
                )));
            }
        }
        Ok(())
    }

    fn push_encoded(&self, text: &mut String, value: &str) {
        for letter in value.chars() {
            if letter == '%' || self.separates(letter) {
                // Only ASCII is punctuation; writing to a string doesn't fail.
                let _ = write!(text, "%{:02X}", u32::from(letter));
            } else {
                text.push(letter);
            }
        }
    }

    /// Whether the letter tells the parts of the template's texts apart.
    fn separates(&self, letter: char) -> bool {
        letter == '#'
            || letter.is_ascii_punctuation()
                && letter != '%'
                && self
                    .parts
                    .iter()
                    .any(|part| matches!(part, TemplatePart::Literal(literal) if literal.contains(letter)))
    }
}

#[cfg(test)]
mod tests;
