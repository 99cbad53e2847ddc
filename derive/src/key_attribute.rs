//! `#[derive(KeyAttribute)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DataEnum, DataStruct, DeriveInput, Error, Fields, Result, Variant};

use crate::attributes::{Renames, each, skip};
use crate::case;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new(name.span(), "a key has no generic parameters"));
    }
    let Stored { key_type, attribute } = match &input.data {
        Data::Struct(data) => newtype(input, data)?,
        Data::Enum(data) => names(input, data)?,
        Data::Union(_) => return Err(Error::new(name.span(), NO_KEY)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::dynamo_once::KeyAttribute for #name {
            const TYPE: ::dynamo_once::KeyType = #key_type;

            fn to_attribute(&self) -> ::dynamo_once::__private::AttributeValue {
                #attribute
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::Key for #name {
            const TYPES: &'static [::dynamo_once::KeyType] = &[<#name as ::dynamo_once::KeyAttribute>::TYPE];

            fn to_attributes(&self) -> ::std::vec::Vec<::dynamo_once::__private::AttributeValue> {
                ::std::vec![::dynamo_once::KeyAttribute::to_attribute(self)]
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::IntoKey<#name> for #name {
            fn into_key(self) -> #name {
                self
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::IntoKey<#name> for &#name {
            fn into_key(self) -> #name {
                ::core::clone::Clone::clone(self)
            }
        }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl<__T: ::dynamo_once::Item<Key = (#name, __S)>, __S> ::dynamo_once::IntoPartition<__T> for #name {
            type Sort = __S;

            fn into_partition(self) -> ::dynamo_once::Partition<__T, __S> {
                ::dynamo_once::Partition::of_table(&self)
            }
        }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl<__T: ::dynamo_once::Item<Key = (#name, __S)>, __S> ::dynamo_once::IntoPartition<__T> for &#name {
            type Sort = __S;

            fn into_partition(self) -> ::dynamo_once::Partition<__T, __S> {
                ::dynamo_once::Partition::of_table(self)
            }
        }
    })
}

/// How a key is stored.
struct Stored {
    key_type: TokenStream,
    attribute: TokenStream,
}

/// As what the struct wraps.
fn newtype(input: &DeriveInput, data: &DataStruct) -> Result<Stored> {
    let mut fields = data.fields.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(Error::new(input.ident.span(), NO_KEY));
    };
    if matches!(data.fields, Fields::Named(_)) && !is_transparent(input) {
        let message = "a key serialises as what it wraps: add `#[serde(transparent)]`, or make it a tuple struct";
        return Err(Error::new(input.ident.span(), message));
    }
    let inner = &field.ty;
    let access = match &field.ident {
        Some(ident) => quote!(self.#ident),
        None => quote!(self.0),
    };
    Ok(Stored {
        key_type: quote!(<#inner as ::dynamo_once::KeyAttribute>::TYPE),
        attribute: quote!(::dynamo_once::KeyAttribute::to_attribute(&#access)),
    })
}

/// As the variant's name.
fn names(input: &DeriveInput, data: &DataEnum) -> Result<Stored> {
    let mut rule = Renames::default();
    each(&input.attrs, "serde", |meta| match &meta.path {
        path if path.is_ident("rename_all") => rule.parse(&meta),
        path if ["rename", "crate", "expecting"].iter().any(|name| path.is_ident(name)) => skip(&meta),
        _ => Err(meta.error(OTHERWISE)),
    })?;
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), NO_KEY));
    }
    let mut arms = Vec::new();
    for Variant { ident, fields, attrs, .. } in &data.variants {
        if !matches!(fields, Fields::Unit) {
            return Err(Error::new(
                ident.span(),
                "a key is stored as the variant's name, and this one has fields besides",
            ));
        }
        let mut own = Renames::default();
        each(
            attrs,
            "serde",
            |meta| {
                if meta.path.is_ident("rename") { own.parse(&meta) } else { Err(meta.error(OTHERWISE)) }
            },
        )?;
        let stored = match (own.stored(), rule.stored()) {
            (Some(name), _) => name.value(),
            (None, Some(rule)) => case::rename_variant(rule, &ident.unraw().to_string())?,
            (None, None) => ident.unraw().to_string(),
        };
        arms.push(quote!(Self::#ident => #stored));
    }
    Ok(Stored {
        key_type: quote!(::dynamo_once::KeyType::String),
        attribute: quote! {
            ::dynamo_once::__private::AttributeValue::S(::std::string::String::from(match self { #(#arms),* }))
        },
    })
}

fn is_transparent(input: &DeriveInput) -> bool {
    let mut transparent = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What else serde is told is for serde to check.
        let _unread = attribute.parse_nested_meta(|meta| {
            transparent |= meta.path.is_ident("transparent");
            Ok(())
        });
    }
    transparent
}

const NO_KEY: &str = "a key is a newtype, a struct with one field, which is the key itself; or an enum without data, which is stored as its \
                      variant's name";
const OTHERWISE: &str = "a key is stored as the variant's name, which only `rename` and `rename_all` may change; implement `KeyAttribute` and \
                         `IntoKey` for what is stored otherwise";
