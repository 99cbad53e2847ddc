//! The typed paths of a struct's fields.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::DeriveInput;

use crate::item::Field;

/// The struct of the typed paths, and its one value.
pub(crate) struct Paths {
    pub(crate) name: Ident,
    pub(crate) declaration: TokenStream,
    pub(crate) value: TokenStream,
}

impl Paths {
    pub(crate) fn new(input: &DeriveInput, fields: &[Field<'_>]) -> Self {
        let (owner, vis) = (&input.ident, &input.vis);
        let name = format_ident!("{owner}Fields");
        let fields: Vec<_> = fields.iter().filter(|field| field.attributes.version.is_none()).collect();
        let declarations = fields.iter().map(|field| {
            let (ident, vis, ty) = (field.ident, field.vis, &field.ty);
            let doc = format!("The attribute `{}`.", field.name);
            let kind = field.is_part_of_key.then(|| quote!(, ::dynamo_once::KeyField));
            quote!(#[doc = #doc] #vis #ident: ::dynamo_once::Path<#owner, #ty #kind>)
        });
        let values = fields.iter().map(|field| {
            let (ident, path) = (field.ident, path(field));
            quote!(#ident: #path)
        });
        let doc = format!("The typed paths of the fields of [`{owner}`].");
        let declaration = quote! {
            #[doc = #doc]
            #[derive(Clone, Copy, Debug)]
            #[allow(dead_code, reason = "not every field is used in conditions and updates")]
            #vis struct #name { #(#declarations),* }
        };
        Self { value: quote!(#name { #(#values),* }), name, declaration }
    }
}

/// A call that names the other names of a field's attribute.
pub(crate) fn aliases(field: &Field<'_>) -> Option<TokenStream> {
    let aliases = &field.aliases;
    (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])))
}

fn path(field: &Field<'_>) -> TokenStream {
    let (ty, name, aliases) = (&field.ty, &field.name, aliases(field));
    let path = match &field.attributes.serialize_with {
        None => quote!(::dynamo_once::Path::new(#name)),
        Some(serialize) => quote!(::dynamo_once::Path::with_encoder(#name, |value: &#ty| {
            // Names that no type of the user's has, since theirs have to be visible here.
            struct __Encoded<'a>(&'a #ty);
            impl ::dynamo_once::__private::serde::Serialize for __Encoded<'_> {
                fn serialize<__S: ::dynamo_once::__private::serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    #serialize(self.0, serializer)
                }
            }
            ::dynamo_once::__private::encode(&__Encoded(value))
        })),
    };
    let of_key = field.is_part_of_key.then(|| quote!(.of_key()));
    let path = quote!(#path #aliases);
    if !field.absent_is_none {
        return quote!(#path #of_key);
    }
    quote!({
        use ::dynamo_once::__private::NoOption as _;
        if ::dynamo_once::__private::FieldType::<#ty>::IS_OPTION { #path.optional() } else { #path }
    } #of_key)
}
