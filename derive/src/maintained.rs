//! `created_at`, `updated_at` and `expires_after(..)`: fields that maintain themselves.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Error, LitInt, Result, Token};

use crate::attributes::Container;
use crate::item::{Field, one};

/// The marks of a field.
#[derive(Default)]
pub(crate) struct Marks {
    created_at: Option<Span>,
    updated_at: Option<Span>,
    expires_after: Option<Expiry>,
}

/// `expires_after(days = 30, sliding)`.
struct Expiry {
    span: Span,
    seconds: u64,
    is_sliding: bool,
}

/// The fields of a struct that maintain themselves.
pub(crate) struct Maintained<'f, 'a> {
    created: Option<&'f Field<'a>>,
    updated: Option<&'f Field<'a>>,
    expires: Option<(&'f Field<'a>, &'f Expiry)>,
}

impl Marks {
    /// Takes in a mark, if it is one of these.
    pub(crate) fn parse(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        let place = if meta.path.is_ident("created_at") {
            &mut self.created_at
        } else if meta.path.is_ident("updated_at") {
            &mut self.updated_at
        } else if meta.path.is_ident("expires_after") {
            self.expires_after = Some(Expiry::parse(meta)?);
            return Ok(true);
        } else {
            return Ok(false);
        };
        if meta.input.peek(Token![=]) {
            return Err(meta.error(
                "takes no value; the field's name is the attribute's, as `#[serde(rename = \"..\")]` has it, and its type says the unit",
            ));
        }
        *place = Some(meta.path.span());
        Ok(true)
    }

    /// The first of them.
    pub(crate) fn span(&self) -> Option<Span> {
        self.all().next()
    }

    fn all(&self) -> impl Iterator<Item = Span> {
        let expires = self.expires_after.as_ref().map(|expiry| expiry.span);
        [self.created_at, self.updated_at, expires].into_iter().flatten()
    }
}

impl Expiry {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let (mut seconds, mut is_sliding) = (0_u64, false);
        if meta.input.peek(syn::token::Paren) {
            meta.parse_nested_meta(|option| {
                if option.path.is_ident("sliding") {
                    is_sliding = true;
                    return Ok(());
                }
                let units = [("days", 24 * 60 * 60), ("hours", 60 * 60), ("minutes", 60), ("seconds", 1)];
                let Some((_, unit)) = units.into_iter().find(|(unit, _)| option.path.is_ident(unit)) else {
                    return Err(option.error(
                        "unknown option; `expires_after` takes `days`, `hours`, `minutes` or `seconds`, and `sliding`",
                    ));
                };
                let number: LitInt = option.value()?.parse()?;
                let more = number.base10_parse::<u64>()?.checked_mul(unit).and_then(|more| seconds.checked_add(more));
                seconds = more.ok_or_else(|| Error::new(number.span(), "no item lives that long"))?;
                Ok(())
            })?;
        }
        if seconds == 0 {
            return Err(meta.error("say how long an item lives, as in `expires_after(days = 30)`"));
        }
        Ok(Self { span: meta.path.span(), seconds, is_sliding })
    }
}

impl<'f, 'a> Maintained<'f, 'a> {
    pub(crate) fn new(container: &Container, fields: &'f [Field<'a>]) -> Result<Self> {
        let marks = |field: &'f Field<'a>| &field.attributes.maintained;
        let expires =
            one(fields, "time of expiry", |field| Some(field.attributes.maintained.expires_after.as_ref()?.span))?;
        let maintained = Self {
            created: one(fields, "time of creation", |field| field.attributes.maintained.created_at)?,
            updated: one(fields, "time of the last write", |field| field.attributes.maintained.updated_at)?,
            expires: expires.and_then(|field| Some((field, marks(field).expires_after.as_ref()?))),
        };
        fields.iter().filter(|field| marks(field).span().is_some()).try_for_each(check)?;
        maintained.check_ttl(container)?;
        Ok(maintained)
    }

    /// A table has one TTL attribute.
    fn check_ttl(&self, container: &Container) -> Result<()> {
        let Some(ttl) = container.tombstones.as_ref().map(|tombstones| &tombstones.ttl) else { return Ok(()) };
        let times = [self.created, self.updated].into_iter().flatten();
        match self.expires {
            Some((field, _)) if field.name != ttl.value() => Err(Error::new(
                ttl.span(),
                format!("items expire by `{}`, and a table has one TTL attribute: name that one here too", field.name),
            )),
            _ if times.into_iter().any(|field| field.name == ttl.value()) => Err(Error::new(
                ttl.span(),
                format!("`{}` holds a time of writing, by which everything would expire at once", ttl.value()),
            )),
            _ => Ok(()),
        }
    }

    /// What it adds to the schema.
    pub(crate) fn schema(&self) -> TokenStream {
        let time = |field: Option<&Field<'_>>, method: &str| {
            field.map(|field| {
                let (name, ty, method) = (&field.name, &field.ty, syn::Ident::new(method, Span::call_site()));
                quote_spanned!(ty.span()=> .#method::<#ty>(#name))
            })
        };
        let (created, updated) = (time(self.created, "created_at"), time(self.updated, "updated_at"));
        let expires = self.expires.map(|(field, expiry)| {
            let (name, seconds, sliding) = (&field.name, expiry.seconds, expiry.is_sliding.then(|| quote!(.sliding())));
            let duration = quote!(::core::time::Duration::from_secs(#seconds));
            quote!(.expires_after(::dynamo_once::Expiry::new(#name, #duration)#sliding))
        });
        quote!(#created #updated #expires)
    }

    /// What has to compile.
    pub(crate) fn checks(&self) -> Option<TokenStream> {
        let ty = &self.expires?.0.ty;
        Some(quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_holds_expiry::<#ty>();))
    }
}

fn check(field: &Field<'_>) -> Result<()> {
    let attributes = &field.attributes;
    let others = [attributes.partition_key, attributes.sort_key, attributes.version];
    let mut marks = others.into_iter().flatten().chain(attributes.maintained.all());
    if let (Some(_), Some(second)) = (marks.next(), marks.next()) {
        return Err(Error::new(second, "a field that maintains itself is nothing else; mark another field"));
    }
    if !field.aliases.is_empty() {
        let message = "it is read from the attribute that the library writes, and from no other; remove the alias";
        return Err(Error::new(field.ident.span(), message));
    }
    match &attributes.serialize_with {
        Some(serialize) => Err(Error::new(
            serialize.span(),
            "the library writes it, as its type has it; remove the field's own serialiser",
        )),
        None => Ok(()),
    }
}
