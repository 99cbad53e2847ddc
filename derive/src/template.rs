//! Key templates: `"ORDER#{order_id:010}"`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::{Error, Ident, LitStr, Result};

/// A template, as it is written.
pub(crate) struct Template {
    pub(crate) text: LitStr,
    parts: Vec<Part>,
}

enum Part {
    Literal(String),
    Field { name: String, width: usize },
}

impl Template {
    pub(crate) fn parse(text: LitStr) -> Result<Self> {
        let parts = parts(&text.value()).map_err(|message| Error::new(text.span(), message))?;
        if parts.is_empty() {
            return Err(Error::new(text.span(), "a key has at least one byte: write text, or a field in braces"));
        }
        let mut names = Vec::new();
        let mut is_apart = true;
        for part in &parts {
            match part {
                Part::Literal(literal) => is_apart |= literal.contains(is_separator),
                Part::Field { name, .. } if !is_apart => {
                    let message = format!(
                        "nothing tells the value of `{name}` from the one before it, so that two items could have one key: put a \
                         separator between them, as in `{{..}}#{{{name}}}`"
                    );
                    return Err(Error::new(text.span(), message));
                }
                Part::Field { name, .. } if names.contains(&name) => {
                    return Err(Error::new(text.span(), format!("the template takes `{name}` twice; once will do")));
                }
                Part::Field { name, .. } => {
                    names.push(name);
                    is_apart = false;
                }
            }
        }
        Ok(Self { text, parts })
    }

    /// The fields that it takes, in order, and the width of each.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, usize)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field { name, width } => Some((name.as_str(), *width)),
            Part::Literal(_) => None,
        })
    }

    /// The template over attributes, whose names are those of the fields.
    pub(crate) fn tokens(&self, attribute: impl Fn(&str) -> String) -> TokenStream {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => quote!(::dynamo_once::__private::TemplatePart::Literal(#literal)),
            Part::Field { name, width } => {
                let name = attribute(name);
                quote!(::dynamo_once::__private::TemplatePart::Attribute { name: #name, width: #width })
            }
        });
        quote!(::dynamo_once::__private::Template::new(&[#(#parts),*]))
    }
}

/// Values have these percent-encoded where the template's literals have them.
fn is_separator(letter: char) -> bool {
    letter.is_ascii_punctuation() && letter != '%'
}

fn parts(text: &str) -> std::result::Result<Vec<Part>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(brace) = rest.find(['{', '}']) {
        let (literal, from) = rest.split_at(brace);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        let field = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let Some((field, after)) = field.filter(|(field, _)| !field.contains('{')) else {
            return Err(
                "a brace has no other: braces stand around the name of a field, as in `USER#{user_id}`".to_owned()
            );
        };
        parts.push(self::field(field)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

/// `order_id`, or `order_id:010`.
fn field(text: &str) -> std::result::Result<Part, String> {
    let (name, width) = match text.split_once(':') {
        None => (text, 0),
        Some((name, width)) => {
            let digits = width.strip_prefix('0').and_then(|width| width.parse().ok());
            // AWS, "Supported data types and naming rules": numbers have 38 digits at most.
            let width = digits.filter(|width| (1..=38).contains(width)).ok_or_else(|| {
                format!("`:{width}` is no width: write a zero and the number of digits, as in `{{{name}:010}}`")
            })?;
            (name, width)
        }
    };
    if Ident::parse_any.parse_str(name).is_err() {
        return Err(format!(
            "`{{{text}}}` names no field: write the field's name between the braces, as in `USER#{{user_id}}`"
        ));
    }
    Ok(Part::Field { name: name.to_owned(), width })
}
