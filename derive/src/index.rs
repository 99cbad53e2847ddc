//! `index(name = "..", partition_key = .., sort_key = ..)`: secondary indexes.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Error, Ident, LitStr, Result};

use crate::attributes::set;
use crate::template::Template;

/// An index, as it is declared.
pub(crate) struct Index {
    pub(crate) name: LitStr,
    /// `None` of a local index.
    pub(crate) partition_key: Option<Declared>,
    pub(crate) sort_key: Option<Declared>,
    /// The function that makes its partitions.
    pub(crate) function: Ident,
}

/// A key of an index.
pub(crate) enum Declared {
    /// A field's own attribute.
    Field(Ident),
    /// An attribute that a template puts together.
    Template(Template, String),
}

impl Index {
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let (mut name, mut function, mut local) = (None::<LitStr>, None::<Ident>, None::<Span>);
        let (mut partition_key, mut sort_key) = (None::<Key>, None::<Key>);
        let (mut partition_key_attribute, mut sort_key_attribute) = (None, None);
        if !meta.input.peek(syn::token::Paren) {
            return Err(meta.error(USAGE));
        }
        meta.parse_nested_meta(|option| {
            let path = &option.path;
            if path.is_ident("name") {
                set(&mut name, option.value()?.parse()?, "`name` is given twice")
            } else if path.is_ident("partition_key") {
                once(&mut partition_key, Key::parse(&option)?, path.span())
            } else if path.is_ident("sort_key") {
                once(&mut sort_key, Key::parse(&option)?, path.span())
            } else if path.is_ident("partition_key_attribute") {
                set(&mut partition_key_attribute, option.value()?.parse()?, "`partition_key_attribute` is given twice")
            } else if path.is_ident("sort_key_attribute") {
                set(&mut sort_key_attribute, option.value()?.parse()?, "`sort_key_attribute` is given twice")
            } else if path.is_ident("function") {
                once(&mut function, option.value()?.parse()?, path.span())
            } else if path.is_ident("local") {
                once(&mut local, path.span(), path.span())
            } else {
                Err(option.error(USAGE))
            }
        })?;
        let name = name.ok_or_else(|| meta.error("an index has a name: add `name = \"..\"`"))?;
        check_name(&name)?;
        if let (Some(span), Some(_)) = (local, &partition_key) {
            return Err(Error::new(span, "a local index has the table's partition key; give it a `sort_key` only"));
        }
        if let (Some(span), None) = (local, &sort_key) {
            return Err(Error::new(span, "a local index has a sort key of its own: add `sort_key = ..`"));
        }
        if local.is_none() && partition_key.is_none() {
            return Err(Error::new(
                name.span(),
                "an index has a partition key: add `partition_key = ..`, a field or a template; or `local`, for the table's own",
            ));
        }
        let function = match function {
            Some(function) => function,
            None => function_name(&name)?,
        };
        Ok(Self {
            partition_key: declared(partition_key, partition_key_attribute, || format!("{}-pk", name.value()))?,
            sort_key: declared(sort_key, sort_key_attribute, || format!("{}-sk", name.value()))?,
            name,
            function,
        })
    }
}

/// What stands behind `partition_key =` and `sort_key =`.
enum Key {
    Field(Ident),
    Template(LitStr),
}

impl Key {
    fn parse(option: &ParseNestedMeta<'_>) -> Result<Self> {
        let value = option.value()?;
        if value.peek(LitStr) {
            value.parse().map(Self::Template)
        } else {
            value.call(Ident::parse_any).map(Self::Field)
        }
    }
}

/// The key, in the attribute that is named for a template.
fn declared(
    key: Option<Key>,
    attribute: Option<LitStr>,
    unless_named: impl FnOnce() -> String,
) -> Result<Option<Declared>> {
    match (key, attribute) {
        (Some(Key::Template(text)), attribute) => {
            let attribute = attribute.map_or_else(unless_named, |attribute| attribute.value());
            Ok(Some(Declared::Template(Template::parse(text)?, attribute)))
        }
        (_, Some(attribute)) => Err(Error::new(attribute.span(), NO_TEMPLATE)),
        (Some(Key::Field(field)), None) => Ok(Some(Declared::Field(field))),
        (None, None) => Ok(None),
    }
}

fn once<V>(place: &mut Option<V>, value: V, span: Span) -> Result<()> {
    match place.replace(value) {
        Some(_) => Err(Error::new(span, "is given twice")),
        None => Ok(()),
    }
}

/// AWS, "Supported data types and naming rules": names of indexes.
fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if (3..=255).contains(&text.len()) && text.chars().all(is_allowed) {
        return Ok(());
    }
    Err(Error::new(name.span(), "DynamoDB's names of indexes have 3 to 255 ASCII letters, digits, `_`, `-` and `.`"))
}

/// The index's name in snake case.
fn function_name(name: &LitStr) -> Result<Ident> {
    let (mut snake, mut after_lowercase) = (String::new(), false);
    for letter in name.value().chars() {
        if letter.is_ascii_uppercase() && after_lowercase {
            snake.push('_');
        }
        after_lowercase = letter.is_ascii_lowercase();
        snake.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    match syn::parse_str::<Ident>(&snake) {
        Ok(_) => Ok(Ident::new(&snake, name.span())),
        Err(_) => Err(Error::new(
            name.span(),
            format!("no function can have the name `{snake}`; name the index's function: `function = ..`"),
        )),
    }
}

pub(crate) const NO_TEMPLATE: &str = "names the attribute of a key that a template puts together, and there is no template; a field's attribute has the field's name";
const USAGE: &str = "an index takes `name = \"..\"`, `partition_key` and `sort_key` (a field, or a template in quotes), `local`, \
                     `function = ..`, and `partition_key_attribute` and `sort_key_attribute` for templates";
