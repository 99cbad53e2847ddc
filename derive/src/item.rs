//! `#[derive(Item)]`.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result, Visibility};

use crate::attributes::{self, Container, Names, Tombstones};
use crate::key::Keys;
use crate::maintained::Maintained;
use crate::paths::{Paths, aliases};

/// A field of the struct that is stored as an attribute.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) vis: &'a Visibility,
    /// The type, with the item's name in the place of `Self`.
    pub(crate) ty: TokenStream,
    /// The attribute's name.
    pub(crate) name: String,
    /// The other names that it is read from.
    pub(crate) aliases: Vec<String>,
    /// Whether an `Option` is `None` where the attribute is absent.
    pub(crate) absent_is_none: bool,
    /// Whether it is the partition key or the sort key, or a part of one: then it can't change.
    pub(crate) is_part_of_key: bool,
    pub(crate) attributes: attributes::Field,
}

impl Field<'_> {
    /// All names that the attribute may be stored under.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }

    /// The type of its values in a key: of an `Option`, what is in it.
    pub(crate) fn key_ty(&self) -> TokenStream {
        let Ok(syn::Type::Path(path)) = syn::parse2(self.ty.clone()) else { return self.ty.clone() };
        match path.path.segments.last() {
            Some(segment) if segment.ident == "Option" => match &segment.arguments {
                syn::PathArguments::AngleBracketed(arguments) => arguments.args.to_token_stream(),
                _ => self.ty.clone(),
            },
            _ => self.ty.clone(),
        }
    }
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let container = Container::parse(&input.attrs)?;
    let fields = fields(input, &container)?;
    let partition_key = one(&fields, "partition_key", |field| field.attributes.partition_key)?;
    let sort_key = one(&fields, "sort_key", |field| field.attributes.sort_key)?;
    let version = one(&fields, "version", |field| field.attributes.version)?;
    if let Some(span) = partition_key.and_then(|field| field.attributes.sort_key) {
        return Err(Error::new(
            span,
            "a field can't be partition key and sort key at once; the sort key is another field",
        ));
    }
    if let Some(field) = version
        && let Some(span) = field.attributes.partition_key.or(field.attributes.sort_key)
    {
        return Err(Error::new(span, "a key never changes, and the version does; show the version in another field"));
    }
    if let (Some(_), Some(name)) = (version, &container.version_attribute) {
        let message =
            "the field marked `#[item(version)]` names the version's attribute already; leave one of them out";
        return Err(Error::new(name.span(), message));
    }
    if let Some(name) = container.table.as_ref().filter(|name| name.value().is_empty()) {
        return Err(Error::new(name.span(), "a table has a name; leave `table` out to give it at run time"));
    }
    reject_reserved(&fields, &container, version)?;
    reject_ambiguous(&fields)?;
    let keys = Keys::new(&container, &fields, [partition_key, sort_key], &input.ident)?;
    let version_name = version_attribute(&container, version);
    if let Some((name, span)) = keys.computed().find(|(name, _)| *name == version_name) {
        let message =
            format!("the attribute `{name}` holds the item's version, and can't be a key besides; name another");
        return Err(Error::new(span, message));
    }
    let maintained = Maintained::new(&container, &fields)?;

    let item = &input.ident;
    let (schema, times) = (schema(&fields, &container, &keys, version), maintained.schema());
    let key = keys.ty(item);
    let key_checks = keys.checks();
    let version_check = version.map(|field| {
        let ty = &field.ty;
        quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_version::<#ty>();)
    });
    let expiry_check = maintained.checks();
    let functions = keys.functions(item, &input.vis);
    let paths = item_paths(input, &fields);
    Ok(quote! {
        #[automatically_derived]
        impl ::dynamo_once::Item for #item {
            type Key = #key;
            const SCHEMA: ::dynamo_once::Schema = #schema #times;
        }

        const _: () = { #key_checks #version_check #expiry_check };

        #functions

        #paths
    })
}

pub(crate) fn fields<'a>(input: &'a DeriveInput, container: &Container) -> Result<Vec<Field<'a>>> {
    let Data::Struct(data) = &input.data else {
        let message = "an item is a struct with named fields; keep an enum in a field of one";
        return Err(Error::new(input.ident.span(), message));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new(input.ident.span(), "an item is a struct with named fields, which name its attributes"));
    };
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "an item has no generic parameters; derive `Item` on a concrete struct",
        ));
    }
    let mut fields = Vec::new();
    for field in &named.named {
        let attributes = attributes::Field::parse(&field.attrs)?;
        let Some(ident) = &field.ident else { continue };
        let marked =
            attributes.partition_key.or(attributes.sort_key).or(attributes.version).or(attributes.maintained.span());
        match (attributes.pathless, marked) {
            (true, Some(span)) => {
                return Err(Error::new(
                    span,
                    "the field isn't stored as an attribute of its own; remove serde's `skip` or `flatten`",
                ));
            }
            (true, None) => {}
            (false, _) => {
                let Names { stored: name, read } = attributes.names(&ident.unraw().to_string(), container)?;
                if !attributes.unread && !read.contains(&name) {
                    return Err(Error::new(
                        ident.span(),
                        format!(
                            "the field is stored as `{name}` but not read from it, so that no item could be read back: add \
                             `#[serde(alias = \"{name}\")]`"
                        ),
                    ));
                }
                let mut aliases = read;
                aliases.retain(|alias| *alias != name);
                let ty = without_self(field.ty.to_token_stream(), &input.ident);
                // An `Option` in an `Option` with functions of its own is there to tell null from absent.
                let tells_null = attributes.deserialize_with && options_in(ty.clone()) > 1;
                let absent_is_none = attributes.absent_is_none(container) && !tells_null;
                let is_part_of_key = container.key_takes(ident, &attributes);
                fields.push(Field {
                    ident,
                    vis: &field.vis,
                    ty,
                    name,
                    aliases,
                    absent_is_none,
                    is_part_of_key,
                    attributes,
                });
            }
        }
    }
    Ok(fields)
}

/// The tokens of a type, which mean the same outside of the struct's own declaration.
fn without_self(ty: TokenStream, item: &Ident) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => Ident::new(&item.to_string(), ident.span()).into(),
        TokenTree::Group(group) => {
            let mut replaced = Group::new(group.delimiter(), without_self(group.stream(), item));
            replaced.set_span(group.span());
            replaced.into()
        }
        token => token,
    };
    ty.into_iter().map(replace).collect()
}

/// How often the type names `Option`.
fn options_in(ty: TokenStream) -> usize {
    let count = |token| match token {
        TokenTree::Ident(ident) => usize::from(ident == "Option"),
        TokenTree::Group(group) => options_in(group.stream()),
        _ => 0,
    };
    ty.into_iter().map(count).sum()
}

/// The only field with a mark, if there is one.
pub(crate) fn one<'f, 'a>(
    fields: &'f [Field<'a>],
    mark: &str,
    is_marked: impl Fn(&Field<'a>) -> Option<Span>,
) -> Result<Option<&'f Field<'a>>> {
    let mut marked = fields.iter().filter_map(|field| Some((field, is_marked(field)?)));
    let first = marked.next();
    match marked.next() {
        Some((_, span)) => Err(Error::new(span, format!("only one field can be the {}", mark.replace('_', " ")))),
        None => Ok(first.map(|(field, _)| field)),
    }
}

fn reject_reserved(fields: &[Field<'_>], container: &Container, version: Option<&Field<'_>>) -> Result<()> {
    if let Some(name) = &container.version_attribute
        && (name.value().is_empty() || is_stamp(&name.value()))
    {
        let message = format!(
            "the version can't be in the attribute `{}`, which is empty or reserved for the log of an item's writes; choose \
             another name",
            name.value()
        );
        return Err(Error::new(name.span(), message));
    }
    if let Some(Tombstones { ttl, .. }) = &container.tombstones {
        let name = ttl.value();
        let is_own = fields.iter().filter(|field| field.is_part_of_key).any(|field| field.name == name);
        if name.is_empty() || is_stamp(&name) || is_own || name == version_attribute(container, version) {
            let message = format!(
                "tombstones can't expire by `{name}`, which is empty, a key, the version, or reserved for the log of an item's \
                 writes; name the table's TTL attribute"
            );
            return Err(Error::new(ttl.span(), message));
        }
    }
    if let Some(field) = version.filter(|field| !field.aliases.is_empty()) {
        let message =
            "the version is read from the attribute that the library writes, and from no other; remove the alias";
        return Err(Error::new(field.ident.span(), message));
    }
    let version_name = version_attribute(container, version);
    for field in fields {
        for name in field.names() {
            if name == version_name && field.attributes.version.is_none() {
                return Err(Error::new(
                    field.ident.span(),
                    format!(
                        "the attribute `{name}` holds the item's version: mark the field with `#[item(version)]` to show it, \
                         rename the field, or name another attribute with `#[item(version_attribute = \"..\")]` on the struct"
                    ),
                ));
            }
            if is_stamp(name) {
                return Err(Error::new(
                    field.ident.span(),
                    format!("the attribute `{name}` is reserved for the log of an item's writes; rename the field"),
                ));
            }
        }
    }
    Ok(())
}

/// A value is removed from an attribute's other names when it is set, so that two fields can't share a name.
pub(crate) fn reject_ambiguous(fields: &[Field<'_>]) -> Result<()> {
    for (position, field) in fields.iter().enumerate() {
        for other in &fields[..position] {
            if let Some(name) = field.names().find(|name| other.names().any(|others| others == *name)) {
                let message = format!(
                    "the attribute `{name}` is the one of the field `{}` already; rename the field, or remove the alias",
                    other.ident
                );
                return Err(Error::new(field.ident.span(), message));
            }
        }
    }
    Ok(())
}

/// The attributes that carry the stamp, under its default prefix. Under another, a clash is found when an item is written.
pub(crate) fn is_stamp(name: &str) -> bool {
    let suffix = name.strip_prefix("_w").unwrap_or_default();
    matches!(suffix.as_bytes(), [b'b' | b'k' | b't'] | [b'0'..=b'7'] | [b'0'..=b'7', b'p'])
}

fn version_attribute(container: &Container, version: Option<&Field<'_>>) -> String {
    match (version, &container.version_attribute) {
        (Some(field), _) => field.name.clone(),
        (None, Some(name)) => name.value(),
        (None, None) => "version".to_owned(),
    }
}

fn schema(fields: &[Field<'_>], container: &Container, keys: &Keys<'_>, version: Option<&Field<'_>>) -> TokenStream {
    let partition_key = keys.partition.attribute();
    let sort_key = keys.sort.as_ref().map(|key| key.attribute()).into_iter();
    let keys = keys.schema();
    let table = container.table.iter();
    let version = match (version, &container.version_attribute) {
        (Some(field), _) => {
            let name = &field.name;
            Some(quote!(.version_field(#name)))
        }
        (None, Some(name)) => Some(quote!(.version_attribute(#name))),
        (None, None) => None,
    };
    let tombstones = container.tombstones.as_ref().map(|Tombstones { ttl, days }| {
        let days = days.iter();
        quote!(.tombstones(::dynamo_once::Tombstones::new(#ttl) #(.days(#days))*))
    });
    let attributes = fields.iter().map(|field| {
        let (name, aliases) = (&field.name, aliases(field));
        quote!(::dynamo_once::Attribute::new(#name)#aliases)
    });
    quote! {
        ::dynamo_once::Schema::new(#partition_key)
            #(.sort_key(#sort_key))*
            #(.table(#table))*
            #version
            #tombstones
            #keys
            .attributes(&[#(#attributes),*])
    }
}

/// The struct of the typed paths, and its one value.
fn item_paths(input: &DeriveInput, fields: &[Field<'_>]) -> TokenStream {
    let (item, vis) = (&input.ident, &input.vis);
    let Paths { name, declaration, value } = Paths::new(input, fields);
    quote! {
        #declaration

        impl #item {
            /// The typed paths of the fields, for conditions and updates.
            #[allow(dead_code, reason = "not every item is used in conditions and updates")]
            #vis const FIELDS: #name = #value;
        }
    }
}
