//! `#[derive(Item)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result, Type, Visibility};

use crate::attributes::{self, Container};

/// A field of the struct that is stored as an attribute.
struct Field<'a> {
    ident: &'a Ident,
    vis: &'a Visibility,
    ty: &'a Type,
    /// The attribute's name.
    name: String,
    attributes: attributes::Field,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let container = Container::parse(&input.attrs)?;
    let fields = fields(input, &container)?;
    let partition_key = one(&fields, "partition_key", |field| field.attributes.partition_key)?.ok_or_else(|| {
        Error::new(input.ident.span(), "an item has a partition key: mark its field with `#[item(partition_key)]`")
    })?;
    let sort_key = one(&fields, "sort_key", |field| field.attributes.sort_key)?;
    let version = one(&fields, "version", |field| field.attributes.version)?;
    if let Some(span) = partition_key.attributes.sort_key {
        return Err(Error::new(
            span,
            "a field can't be partition key and sort key at once; the sort key is another field",
        ));
    }
    if let (Some(_), Some(name)) = (version, &container.version_attribute) {
        let message =
            "the field marked `#[item(version)]` names the version's attribute already; leave one of them out";
        return Err(Error::new(name.span(), message));
    }
    reject_reserved(&fields, &container, version)?;

    let item = &input.ident;
    let schema = schema(&fields, &container, partition_key, sort_key, version);
    let key = match sort_key {
        Some(sort_key) => {
            let (partition, sort) = (partition_key.ty, sort_key.ty);
            quote!((#partition, #sort))
        }
        None => partition_key.ty.to_token_stream(),
    };
    let key_checks = [Some(partition_key), sort_key].into_iter().flatten().map(|field| {
        let ty = field.ty;
        quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_key::<#ty>();)
    });
    let paths = paths(input, &fields);
    Ok(quote! {
        #[automatically_derived]
        impl ::dynamo_once::Item for #item {
            type Key = #key;
            const SCHEMA: ::dynamo_once::Schema = #schema;
        }

        const _: () = { #(#key_checks)* };

        #paths
    })
}

fn fields<'a>(input: &'a DeriveInput, container: &Container) -> Result<Vec<Field<'a>>> {
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
        let marked = attributes.partition_key.or(attributes.sort_key).or(attributes.version);
        match (attributes.pathless, marked) {
            (true, Some(span)) => {
                return Err(Error::new(
                    span,
                    "the field isn't stored as an attribute of its own; remove serde's `skip` or `flatten`",
                ));
            }
            (true, None) => {}
            (false, _) => {
                let name = attributes.name(&ident.unraw().to_string(), container)?;
                fields.push(Field { ident, vis: &field.vis, ty: &field.ty, name, attributes });
            }
        }
    }
    Ok(fields)
}

/// The only field with a mark, if there is one.
fn one<'f, 'a>(
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
    let version_name = version_attribute(container, version);
    for field in fields {
        let names = std::iter::once(field.name.clone()).chain(field.attributes.aliases.iter().map(syn::LitStr::value));
        for name in names {
            if name == version_name && field.attributes.version.is_none() {
                return Err(Error::new(
                    field.ident.span(),
                    format!(
                        "the attribute `{name}` holds the item's version: mark the field with `#[item(version)]` to show it, \
                         rename the field, or name another attribute with `#[item(version_attribute = \"..\")]` on the struct"
                    ),
                ));
            }
            if is_stamp(&name) {
                return Err(Error::new(
                    field.ident.span(),
                    format!("the attribute `{name}` is reserved for the log of an item's writes; rename the field"),
                ));
            }
        }
    }
    Ok(())
}

/// The attributes that carry the stamp, under its default prefix. Under another, a clash is found when an item is written.
fn is_stamp(name: &str) -> bool {
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

fn schema(
    fields: &[Field<'_>],
    container: &Container,
    partition_key: &Field<'_>,
    sort_key: Option<&Field<'_>>,
    version: Option<&Field<'_>>,
) -> TokenStream {
    let partition_key = &partition_key.name;
    let sort_key = sort_key.map(|field| &field.name).into_iter();
    let table = container.table.iter();
    let version = match (version, &container.version_attribute) {
        (Some(field), _) => {
            let name = &field.name;
            Some(quote!(.version_field(#name)))
        }
        (None, Some(name)) => Some(quote!(.version_attribute(#name))),
        (None, None) => None,
    };
    let attributes = fields.iter().map(|field| {
        let (name, aliases) = (&field.name, aliases(field));
        quote!(::dynamo_once::Attribute::new(#name)#aliases)
    });
    quote! {
        ::dynamo_once::Schema::new(#partition_key)
            #(.sort_key(#sort_key))*
            #(.table(#table))*
            #version
            .attributes(&[#(#attributes),*])
    }
}

fn aliases(field: &Field<'_>) -> Option<TokenStream> {
    let aliases = &field.attributes.aliases;
    (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])))
}

/// The struct of the typed paths, and its one value.
fn paths(input: &DeriveInput, fields: &[Field<'_>]) -> TokenStream {
    let (item, vis) = (&input.ident, &input.vis);
    let paths = format_ident!("{item}Fields");
    let fields: Vec<_> = fields.iter().filter(|field| field.attributes.version.is_none()).collect();
    let declarations = fields.iter().map(|field| {
        let (ident, vis, ty) = (field.ident, field.vis, field.ty);
        let doc = format!("The attribute `{}`.", field.name);
        quote!(#[doc = #doc] #vis #ident: ::dynamo_once::Path<#item, #ty>)
    });
    let values = fields.iter().map(|field| {
        let (ident, ty, name, aliases) = (field.ident, field.ty, &field.name, aliases(field));
        let is_key = field.attributes.partition_key.or(field.attributes.sort_key).map(|_| quote!(.key()));
        let path = match &field.attributes.serialize_with {
            None => quote!(::dynamo_once::Path::new(#name)),
            Some(serialize) => quote!(::dynamo_once::Path::with_encoder(#name, |value: &#ty| {
                struct Encoded<'a>(&'a #ty);
                impl ::dynamo_once::__private::serde::Serialize for Encoded<'_> {
                    fn serialize<S: ::dynamo_once::__private::serde::Serializer>(
                        &self,
                        serializer: S,
                    ) -> ::core::result::Result<S::Ok, S::Error> {
                        #serialize(self.0, serializer)
                    }
                }
                ::dynamo_once::__private::encode(&Encoded(value))
            })),
        };
        quote!(#ident: #path #aliases #is_key)
    });
    let doc = format!("The typed paths of the fields of [`{item}`].");
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Debug)]
        #[allow(dead_code, reason = "not every field is used in conditions and updates")]
        #vis struct #paths { #(#declarations),* }

        impl #item {
            /// The typed paths of the fields, for conditions and updates.
            #[allow(dead_code, reason = "not every item is used in conditions and updates")]
            #vis const FIELDS: #paths = #paths { #(#values),* };
        }
    }
}
