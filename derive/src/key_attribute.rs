//! `#[derive(KeyAttribute)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let newtype = &input.ident;
    let not_one = || Error::new(newtype.span(), "a key is a newtype: a struct with one field, which is the key itself");
    let Data::Struct(data) = &input.data else { return Err(not_one()) };
    if !input.generics.params.is_empty() {
        return Err(Error::new(newtype.span(), "a key has no generic parameters"));
    }
    let mut fields = data.fields.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Err(not_one()) };
    if matches!(data.fields, Fields::Named(_)) && !is_transparent(input) {
        let message = "a key serialises as what it wraps: add `#[serde(transparent)]`, or make it a tuple struct";
        return Err(Error::new(newtype.span(), message));
    }
    let inner = &field.ty;
    let access = match &field.ident {
        Some(ident) => quote!(self.#ident),
        None => quote!(self.0),
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::dynamo_once::KeyAttribute for #newtype {
            const TYPE: ::dynamo_once::KeyType = <#inner as ::dynamo_once::KeyAttribute>::TYPE;

            fn to_attribute(&self) -> ::dynamo_once::__private::AttributeValue {
                ::dynamo_once::KeyAttribute::to_attribute(&#access)
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::Key for #newtype {
            const TYPES: &'static [::dynamo_once::KeyType] = &[<#newtype as ::dynamo_once::KeyAttribute>::TYPE];

            fn to_attributes(&self) -> ::std::vec::Vec<::dynamo_once::__private::AttributeValue> {
                ::std::vec![::dynamo_once::KeyAttribute::to_attribute(self)]
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::IntoKey<#newtype> for #newtype {
            fn into_key(self) -> #newtype {
                self
            }
        }

        #[automatically_derived]
        impl ::dynamo_once::IntoKey<#newtype> for &#newtype {
            fn into_key(self) -> #newtype {
                ::core::clone::Clone::clone(self)
            }
        }

        #[automatically_derived]
        impl<__T: ::dynamo_once::Item<Key = (#newtype, __S)>, __S> ::dynamo_once::IntoPartition<__T> for #newtype {
            type Sort = __S;

            fn into_partition(self) -> ::dynamo_once::Partition<__T, __S> {
                ::dynamo_once::Partition::of_table(&self)
            }
        }

        #[automatically_derived]
        impl<__T: ::dynamo_once::Item<Key = (#newtype, __S)>, __S> ::dynamo_once::IntoPartition<__T> for &#newtype {
            type Sort = __S;

            fn into_partition(self) -> ::dynamo_once::Partition<__T, __S> {
                ::dynamo_once::Partition::of_table(self)
            }
        }
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
