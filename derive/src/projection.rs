//! `#[derive(Projection)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Result, Type};

use crate::attributes::{self, Container};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let of = item(input)?;
    let container = Container::parse(&input.attrs)?;
    let not_named =
        || Error::new(input.ident.span(), "a projection is a struct with named fields, which name attributes");
    let Data::Struct(data) = &input.data else { return Err(not_named()) };
    let Fields::Named(fields) = &data.fields else { return Err(not_named()) };
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new(parameter.span(), "a projection has no generic parameters"));
    }
    let (mut names, mut checks) = (Vec::new(), Vec::new());
    for field in &fields.named {
        let attributes = attributes::Field::parse(&field.attrs)?;
        let Some(ident) = &field.ident else { continue };
        if attributes.flattened {
            let message =
                "a flattened field has no attribute of its own, which a projection could ask for; name the fields";
            return Err(Error::new(ident.span(), message));
        }
        if attributes.unread {
            continue;
        }
        let read = attributes.names(&ident.unraw().to_string(), &container)?.read;
        let ty = &field.ty;
        // Spans make the compiler point at the field for its name, and at its type for that.
        let path = quote_spanned!(ident.span()=> <#of>::FIELDS.#ident);
        let ty = quote_spanned!(ty.span()=> ::core::marker::PhantomData::<#ty>);
        checks.push(quote_spanned! {ident.span()=>
            ::dynamo_once::__private::assert_same(&#path, #ty);
            ::dynamo_once::__private::assert_projected(#path.name(), #path.alias_names(), &[#(#read),*]);
        });
        names.extend(read);
    }
    let projection = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::dynamo_once::Projection<#of> for #projection {
            const ATTRIBUTES: &'static [&'static str] = &[#(#names),*];
        }

        const _: () = { #(#checks)* };
    })
}

/// The item that `#[projection(of = ..)]` names.
fn item(input: &DeriveInput) -> Result<Type> {
    let mut of = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("projection")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("of") {
                return Err(meta.error("unknown attribute; a projection takes `of = Item`"));
            }
            if of.is_some() {
                return Err(meta.error("`of` is given twice"));
            }
            of = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    of.ok_or_else(|| {
        Error::new(input.ident.span(), "a projection is one of an item: name it, as in `#[projection(of = Order)]`")
    })
}
