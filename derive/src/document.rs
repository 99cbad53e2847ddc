//! `#[derive(Document)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::attributes::Container;
use crate::item::{fields, reject_ambiguous};
use crate::paths::Paths;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let named = matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Named(_)));
    if !named {
        let message = "a document is a struct with named fields, which name its attributes; a field that is an enum or a tuple \
                       is named as a whole";
        return Err(Error::new(input.ident.span(), message));
    }
    if let Some(parameter) = input.generics.params.first() {
        let message = "a document has no generic parameters; derive `Document` on a concrete struct";
        return Err(Error::new(parameter.span(), message));
    }
    let fields = fields(input, &Container::parse(&input.attrs)?)?;
    reject_ambiguous(&fields)?;
    let document = &input.ident;
    let Paths { name, declaration, value } = Paths::new(input, &fields);
    Ok(quote! {
        #declaration

        #[automatically_derived]
        impl ::dynamo_once::Document for #document {
            type Struct = Self;
            type Fields = #name;
            const FIELDS: #name = #value;
        }
    })
}
