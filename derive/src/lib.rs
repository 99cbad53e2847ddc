//! The derive macros of `dynamo-once`. Use them through that crate, which documents them.

mod attributes;
mod case;
mod item;
mod key_attribute;
mod projection;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Item`, and makes `FIELDS`, the typed paths of a struct's fields.
///
/// On the struct: `#[item(table = "..")]` names the table, `#[item(version_attribute = "..")]` the attribute of the version
/// (`version` unless set). `#[item(tombstones(ttl = "..", days = 7))]` lets deletes leave tombstones, which expire by the table's
/// TTL attribute.
///
/// On a field: `#[item(partition_key)]` (one field, always), `#[item(sort_key)]` (one at most), and `#[item(version)]`, which
/// shows the item's version in the field. Edits to it are ignored; its name is the version's attribute. It has no path in
/// `FIELDS`, since no condition or update of yours may touch it: ask for a version by `at`.
///
/// An `Option` that is `None` is stored as an absent attribute, where it is read as `None` again: everywhere but under
/// `#[serde(default = "..")]`, a `with` or `deserialize_with` without `#[serde(default)]`, and a default of the struct's that
/// isn't `None`. In those it is stored as null, unless it has a `skip_serializing_if`.
///
/// The names are as serde stores them: `rename`, `rename_all` and `alias` are honoured, and so are `with` and
/// `serialize_with` in the values of conditions and updates. Skipped and flattened fields have no path.
#[proc_macro_derive(Item, attributes(item))]
pub fn derive_item(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    item::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lets a newtype of a key type be a key: a tuple struct with one field, or a `#[serde(transparent)]` struct with one.
#[proc_macro_derive(KeyAttribute)]
pub fn derive_key_attribute(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_attribute::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `Projection`: a struct that holds a part of an item.
///
/// `#[projection(of = Order)]` names the item. Each field is one of the item's, with the same type and the same names in serde, which is
/// checked when it is compiled. A field that serde skips is not read.
#[proc_macro_derive(Projection, attributes(projection))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    projection::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
