//! `#[derive(Newtype)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Result};

/// Attributes of serde by which a newtype is stored as something else than what it wraps.
const OTHERWISE: [&str; 10] =
    ["with", "serialize_with", "deserialize_with", "into", "from", "try_from", "remote", "tag", "untagged", "skip"];

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let newtype = &input.ident;
    let not_one = || Error::new(newtype.span(), "a newtype is a struct with one field, as which it is stored");
    let Data::Struct(data) = &input.data else { return Err(not_one()) };
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            newtype.span(),
            "a newtype has no generic parameters here; implement the traits that hold of it",
        ));
    }
    let mut fields = data.fields.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Err(not_one()) };
    let is_transparent = stored_as_is(&input.attrs)?;
    stored_as_is(&field.attrs)?;
    if matches!(data.fields, Fields::Named(_)) && !is_transparent {
        let message = "a newtype is stored as what it wraps: add `#[serde(transparent)]`, or make it a tuple struct";
        return Err(Error::new(newtype.span(), message));
    }
    let inner = &field.ty;
    let access = match &field.ident {
        Some(ident) => quote!(self.#ident),
        None => quote!(self.0),
    };
    // A bound that doesn't hold is an error where it stands, unless it is one for every lifetime.
    let traits = [
        (quote!(Ordered), quote!(const IS_NUMBER: bool = <#inner as ::dynamo_once::Ordered>::IS_NUMBER;)),
        (quote!(Prefix), quote!()),
        (quote!(Elements), quote!()),
        (quote!(Contains), quote!(type Part = <#inner as ::dynamo_once::Contains>::Part;)),
        (quote!(List), quote!(type Element = <#inner as ::dynamo_once::List>::Element;)),
        (
            quote!(Map),
            quote! {
                type Key = <#inner as ::dynamo_once::Map>::Key;
                type Value = <#inner as ::dynamo_once::Map>::Value;
            },
        ),
        (
            quote!(Document),
            quote! {
                type Struct = <#inner as ::dynamo_once::Document>::Struct;
                type Fields = <#inner as ::dynamo_once::Document>::Fields;
                const FIELDS: Self::Fields = <#inner as ::dynamo_once::Document>::FIELDS;
            },
        ),
    ];
    let traits = traits.map(|(name, items)| {
        quote! {
            #[automatically_derived]
            impl ::dynamo_once::#name for #newtype where for<'__a> #inner: ::dynamo_once::#name { #items }
        }
    });
    let deltas = [quote!(#newtype), quote!(::core::option::Option<#newtype>)].map(|field| {
        quote! {
            #[automatically_derived]
            impl ::dynamo_once::Delta<#field> for #newtype where for<'__a> #inner: ::dynamo_once::Delta<#inner> {
                fn into_delta(
                    self,
                ) -> ::core::result::Result<::dynamo_once::__private::AttributeValue, ::dynamo_once::Error> {
                    <#inner as ::dynamo_once::Delta<#inner>>::into_delta(#access)
                }
            }
        }
    });
    Ok(quote!(#(#traits)* #(#deltas)*))
}

/// Refuses what lets serde store something else, and tells whether the struct is transparent.
fn stored_as_is(attributes: &[Attribute]) -> Result<bool> {
    let mut is_transparent = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let mut otherwise = None;
        // What else serde is told is for serde to check.
        let _unread = attribute.parse_nested_meta(|meta| {
            is_transparent |= meta.path.is_ident("transparent");
            if let Some(name) = OTHERWISE.iter().find(|name| meta.path.is_ident(name)) {
                otherwise = Some(meta.error(format!(
                    "`{name}` stores something else than what the newtype wraps, so that what holds of the one needn't hold of \
                     the other; implement the traits that hold of it (`impl dynamo_once::Ordered for ..`)"
                )));
            }
            crate::attributes::skip(&meta)
        });
        if let Some(error) = otherwise {
            return Err(error);
        }
    }
    Ok(is_transparent)
}
