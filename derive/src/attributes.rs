//! What stands in `#[item(..)]` and `#[serde(..)]`.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprPath, LitStr, Token, parenthesized};

use crate::case;

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) table: Option<LitStr>,
    pub(crate) version_attribute: Option<LitStr>,
    pub(crate) rename_all: Option<LitStr>,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) partition_key: Option<Span>,
    pub(crate) sort_key: Option<Span>,
    pub(crate) version: Option<Span>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    /// The function that serialises the field.
    pub(crate) serialize_with: Option<ExprPath>,
    /// Not stored as one attribute of its own: skipped, or flattened.
    pub(crate) pathless: bool,
}

/// Attributes of serde by which a struct is stored as something else than its fields.
const SHAPE_CHANGING: [&str; 8] = ["transparent", "untagged", "tag", "content", "into", "from", "try_from", "remote"];

impl Container {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut container = Self::default();
        each(attributes, "item", |meta| {
            if meta.path.is_ident("table") {
                set(&mut container.table, meta.value()?.parse()?, "`table` is given twice")
            } else if meta.path.is_ident("version_attribute") {
                set(&mut container.version_attribute, meta.value()?.parse()?, "`version_attribute` is given twice")
            } else {
                Err(meta.error("unknown attribute; a struct takes `table = \"..\"` and `version_attribute = \"..\"`"))
            }
        })?;
        each(attributes, "serde", |meta| {
            if meta.path.is_ident("rename_all") {
                container.rename_all = serialized_name(&meta)?;
                return Ok(());
            }
            if let Some(name) = SHAPE_CHANGING.iter().find(|name| meta.path.is_ident(name)) {
                return Err(meta.error(format!(
                    "an item is stored as its fields, which `{name}` changes; derive `Item` on a struct without it"
                )));
            }
            skip(&meta)
        })?;
        Ok(container)
    }
}

impl Field {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut field = Self::default();
        each(attributes, "item", |meta| {
            let place = if meta.path.is_ident("partition_key") {
                &mut field.partition_key
            } else if meta.path.is_ident("sort_key") {
                &mut field.sort_key
            } else if meta.path.is_ident("version") {
                &mut field.version
            } else {
                return Err(meta.error("unknown attribute; a field takes `partition_key`, `sort_key` and `version`"));
            };
            *place = Some(meta.path.span());
            Ok(())
        })?;
        each(attributes, "serde", |meta| {
            if meta.path.is_ident("rename") {
                field.rename = serialized_name(&meta)?;
            } else if meta.path.is_ident("alias") {
                field.aliases.push(meta.value()?.parse()?);
            } else if meta.path.is_ident("serialize_with") {
                field.serialize_with = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            } else if meta.path.is_ident("with") {
                let module: LitStr = meta.value()?.parse()?;
                let function = LitStr::new(&format!("{}::serialize", module.value()), module.span());
                field.serialize_with = Some(function.parse()?);
            } else {
                if ["skip", "skip_serializing", "flatten"].iter().any(|name| meta.path.is_ident(name)) {
                    field.pathless = true;
                }
                skip(&meta)?;
            }
            Ok(())
        })?;
        Ok(field)
    }

    /// The name under which a field is stored.
    pub(crate) fn name(&self, field: &str, container: &Container) -> syn::Result<String> {
        match (&self.rename, &container.rename_all) {
            (Some(name), _) => Ok(name.value()),
            (None, Some(rule)) => case::rename(rule, field),
            (None, None) => Ok(field.to_owned()),
        }
    }
}

fn each(
    attributes: &[Attribute],
    name: &str,
    mut parse: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut parse))
}

fn set(place: &mut Option<LitStr>, value: LitStr, twice: &str) -> syn::Result<()> {
    if place.is_some() {
        return Err(syn::Error::new(value.span(), twice));
    }
    *place = Some(value);
    Ok(())
}

/// `= "name"`, or `(serialize = "name", ..)`.
fn serialized_name(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse()?));
    }
    let mut name = None;
    meta.parse_nested_meta(|direction| {
        let value = direction.value()?.parse()?;
        if direction.path.is_ident("serialize") {
            name = Some(value);
        }
        Ok(())
    })?;
    Ok(name)
}

/// Passes over what follows an attribute that doesn't matter here.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
