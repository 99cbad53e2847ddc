//! What stands in `#[item(..)]` and `#[serde(..)]`.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprPath, Ident, LitInt, LitStr, Token, parenthesized};

use crate::case;
use crate::index::Index;
use crate::maintained::Marks;
use crate::template::Template;

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) table: Option<LitStr>,
    pub(crate) version_attribute: Option<LitStr>,
    pub(crate) tombstones: Option<Tombstones>,
    pub(crate) partition_key: Option<Template>,
    pub(crate) sort_key: Option<Template>,
    pub(crate) partition_key_attribute: Option<LitStr>,
    pub(crate) sort_key_attribute: Option<LitStr>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) rename_all: Renames,
    /// Absent fields are those of the struct's own default.
    pub(crate) default: bool,
}

/// `tombstones(ttl = "..", days = ..)`.
pub(crate) struct Tombstones {
    pub(crate) ttl: LitStr,
    pub(crate) days: Option<LitInt>,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) partition_key: Option<Span>,
    pub(crate) sort_key: Option<Span>,
    pub(crate) version: Option<Span>,
    pub(crate) maintained: Marks,
    pub(crate) rename: Renames,
    pub(crate) aliases: Vec<LitStr>,
    /// Stored, but not read back.
    pub(crate) unread: bool,
    /// The function that serialises the field.
    pub(crate) serialize_with: Option<ExprPath>,
    /// What the field is where its attribute is absent.
    pub(crate) default: Absent,
    /// Read by a function of its own, which isn't asked where the attribute is absent.
    pub(crate) deserialize_with: bool,
    /// Not stored as one attribute of its own: skipped, or flattened.
    pub(crate) pathless: bool,
    /// Not one attribute but those of its own fields.
    pub(crate) flattened: bool,
}

/// What serde makes of a field whose attribute is absent.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// What its type, or the struct's default, says.
    #[default]
    Unsaid,
    /// The type's default.
    Default,
    /// What a function of the user's says.
    Own,
}

/// `rename` or `rename_all`, in both directions.
#[derive(Default)]
pub(crate) struct Renames {
    serialize: Option<LitStr>,
    /// serde takes several: all of them are read.
    deserialize: Vec<LitStr>,
}

/// The names of a field's attribute.
pub(crate) struct Names {
    /// The one that it is stored under.
    pub(crate) stored: String,
    /// The ones that it is read from.
    pub(crate) read: Vec<String>,
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
            } else if meta.path.is_ident("tombstones") {
                if container.tombstones.is_some() {
                    return Err(meta.error("`tombstones` is given twice"));
                }
                container.tombstones = Some(Tombstones::parse(&meta)?);
                Ok(())
            } else if meta.path.is_ident("partition_key") {
                template(&mut container.partition_key, &meta)
            } else if meta.path.is_ident("sort_key") {
                template(&mut container.sort_key, &meta)
            } else if meta.path.is_ident("partition_key_attribute") {
                let twice = "`partition_key_attribute` is given twice";
                set(&mut container.partition_key_attribute, meta.value()?.parse()?, twice)
            } else if meta.path.is_ident("sort_key_attribute") {
                set(&mut container.sort_key_attribute, meta.value()?.parse()?, "`sort_key_attribute` is given twice")
            } else if meta.path.is_ident("index") {
                container.indexes.push(Index::parse(&meta)?);
                Ok(())
            } else {
                Err(meta.error(
                    "unknown attribute; a struct takes `table = \"..\"`, `version_attribute = \"..\"`, `tombstones(ttl = \"..\")`, \
                     `partition_key = \"USER#{user_id}\"`, `sort_key = \"..\"` and `index(name = \"..\", partition_key = ..)`",
                ))
            }
        })?;
        each(attributes, "serde", |meta| {
            if meta.path.is_ident("rename_all") {
                return container.rename_all.parse(&meta);
            }
            if let Some(name) = SHAPE_CHANGING.iter().find(|name| meta.path.is_ident(name)) {
                return Err(meta.error(format!(
                    "an item is stored as its fields, which `{name}` changes; derive `Item` on a struct without it"
                )));
            }
            container.default |= meta.path.is_ident("default");
            skip(&meta)
        })?;
        Ok(container)
    }
}

impl Container {
    /// Whether a field is a part of the key, marked or in a template.
    pub(crate) fn key_takes(&self, ident: &Ident, field: &Field) -> bool {
        let templates = [&self.partition_key, &self.sort_key].into_iter().flatten();
        field.partition_key.or(field.sort_key).is_some()
            || templates.flat_map(Template::fields).any(|(name, _)| ident.unraw() == name)
    }
}

impl Tombstones {
    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let (mut ttl, mut days) = (None, None);
        if meta.input.peek(syn::token::Paren) {
            meta.parse_nested_meta(|option| {
                if option.path.is_ident("ttl") {
                    set(&mut ttl, option.value()?.parse()?, "`ttl` is given twice")
                } else if option.path.is_ident("days") {
                    let number: LitInt = option.value()?.parse()?;
                    if number.base10_parse::<u32>()? == 0 {
                        return Err(syn::Error::new(number.span(), "a tombstone is kept for a day at least"));
                    }
                    days = Some(number);
                    Ok(())
                } else {
                    Err(option.error("unknown option; tombstones take `ttl = \"..\"` and `days = ..`"))
                }
            })?;
        }
        match ttl {
            Some(ttl) => Ok(Self { ttl, days }),
            None => Err(meta
                .error("tombstones expire: name the table's TTL attribute, as in `tombstones(ttl = \"expires_at\")`")),
        }
    }
}

impl Field {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut field = Self::default();
        each(attributes, "item", |meta| {
            if field.maintained.parse(&meta)? {
                return Ok(());
            }
            let place = if meta.path.is_ident("partition_key") {
                &mut field.partition_key
            } else if meta.path.is_ident("sort_key") {
                &mut field.sort_key
            } else if meta.path.is_ident("version") {
                &mut field.version
            } else {
                return Err(meta.error(
                    "unknown attribute; a field takes `partition_key`, `sort_key`, `version`, `created_at`, `updated_at` and `expires_after(..)`",
                ));
            };
            if meta.input.peek(Token![=]) {
                return Err(meta.error(
                    "takes no value; the field's name is the attribute's, as `#[serde(rename = \"..\")]` has it",
                ));
            }
            *place = Some(meta.path.span());
            Ok(())
        })?;
        each(attributes, "serde", |meta| {
            if meta.path.is_ident("rename") {
                field.rename.parse(&meta)?;
            } else if meta.path.is_ident("alias") {
                field.aliases.push(meta.value()?.parse()?);
            } else if meta.path.is_ident("serialize_with") {
                field.serialize_with = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            } else if meta.path.is_ident("with") {
                let module: LitStr = meta.value()?.parse()?;
                let function = LitStr::new(&format!("{}::serialize", module.value()), module.span());
                field.serialize_with = Some(function.parse()?);
                field.deserialize_with = true;
            } else {
                if meta.path.is_ident("default") {
                    field.default = if meta.input.peek(Token![=]) { Absent::Own } else { Absent::Default };
                }
                field.deserialize_with |= meta.path.is_ident("deserialize_with");
                if ["skip", "skip_serializing", "flatten"].iter().any(|name| meta.path.is_ident(name)) {
                    field.pathless = true;
                }
                field.flattened |= meta.path.is_ident("flatten");
                field.unread |= meta.path.is_ident("skip_deserializing") || meta.path.is_ident("skip");
                skip(&meta)?;
            }
            Ok(())
        })?;
        Ok(field)
    }

    /// Whether an `Option` is `None` where its attribute is absent.
    pub(crate) fn absent_is_none(&self, container: &Container) -> bool {
        match self.default {
            Absent::Default => true,
            Absent::Own => false,
            Absent::Unsaid => !container.default && !self.deserialize_with,
        }
    }

    /// The names of a field's attribute, as serde makes them.
    pub(crate) fn names(&self, field: &str, container: &Container) -> syn::Result<Names> {
        let by_rule =
            |rule: Option<&LitStr>| rule.map_or_else(|| Ok(field.to_owned()), |rule| case::rename(rule, field));
        let stored = match &self.rename.serialize {
            Some(name) => name.value(),
            None => by_rule(container.rename_all.serialize.as_ref())?,
        };
        if self.unread {
            return Ok(Names { stored, read: vec![] });
        }
        let mut read: Vec<_> = self.rename.deserialize.iter().chain(&self.aliases).map(LitStr::value).collect();
        if self.rename.deserialize.is_empty() {
            read.push(by_rule(container.rename_all.deserialize.first())?);
        }
        Ok(Names { stored, read })
    }
}

impl Renames {
    /// What it is stored as.
    pub(crate) fn stored(&self) -> Option<&LitStr> {
        self.serialize.as_ref()
    }

    /// `= "name"`, or `(serialize = "name", deserialize = "name")`.
    pub(crate) fn parse(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.input.peek(Token![=]) {
            let name: LitStr = meta.value()?.parse()?;
            self.serialize = Some(name.clone());
            self.deserialize.push(name);
            return Ok(());
        }
        meta.parse_nested_meta(|direction| {
            let name = direction.value()?.parse()?;
            if direction.path.is_ident("serialize") {
                self.serialize = Some(name);
            } else {
                self.deserialize.push(name);
            }
            Ok(())
        })
    }
}

pub(crate) fn each(
    attributes: &[Attribute],
    name: &str,
    mut parse: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut parse))
}

/// `partition_key = "USER#{user_id}"`.
fn template(place: &mut Option<Template>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if !meta.input.peek(Token![=]) {
        return Err(meta.error("on a struct, a key is put together of fields: `= \"USER#{user_id}\"`; a field that is the key is marked itself"));
    }
    let template = Template::parse(meta.value()?.parse()?)?;
    if place.is_some() {
        return Err(syn::Error::new(template.text.span(), "the key is given twice"));
    }
    *place = Some(template);
    Ok(())
}

pub(crate) fn set(place: &mut Option<LitStr>, value: LitStr, twice: &str) -> syn::Result<()> {
    if place.is_some() {
        return Err(syn::Error::new(value.span(), twice));
    }
    *place = Some(value);
    Ok(())
}

/// Passes over what follows an attribute that doesn't matter here.
pub(crate) fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
