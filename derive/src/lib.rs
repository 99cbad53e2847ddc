//! The derive macros of `dynamo-once`. Use them through that crate, which documents them.

mod attributes;
mod case;
mod document;
mod index;
mod item;
mod key;
mod key_attribute;
mod maintained;
mod newtype;
mod paths;
mod projection;
mod template;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Item`, and makes `FIELDS`, the typed paths of a struct's fields.
///
/// On the struct: `#[item(table = "..")]` names the table, `#[item(version_attribute = "..")]` the attribute of the version
/// (`version` unless set). `#[item(tombstones(ttl = "..", days = 7))]` lets deletes leave tombstones, which expire by the table's
/// TTL attribute.
///
/// There too, a key can be put together of fields, by their names: `#[item(partition_key = "USER#{user_id}", sort_key =
/// "ORDER#{order_id:010}")]`. The key's type is then `ItemKey`; `Order::key(..)` makes one of the fields' values, and
/// `Order::keys(..)` stands for all items with a partition key. The attributes are `pk` and `sk`, unless
/// `partition_key_attribute = ".."` and `sort_key_attribute = ".."` name others. A number may have a width, `{order_id:010}`, so that
/// the keys have its order; a range over the sort keys is refused for a number without one. A template without fields is the same key for all items; one key may be a template, and the other a marked
/// field.
///
/// `#[item(index(name = "by-status", partition_key = status, sort_key = placed_at))]` declares a secondary index, whose keys are
/// fields' own attributes, or templates in quotes; those are stored in `by-status-pk` and `by-status-sk`, unless
/// `partition_key_attribute` and `sort_key_attribute` name others. `Order::by_status(..)`, or what `function = ..` names, stands for
/// its items with a partition key. `local` in the place of a partition key makes it a local index. An item whose field is `None`
/// isn't in the index.
///
/// On a field: `#[item(partition_key)]` (one field, unless there is a template), `#[item(sort_key)]` (one at most), and `#[item(version)]`, which
/// shows the item's version in the field. Edits to it are ignored; its name is the version's attribute. It has no path in
/// `FIELDS`, since no condition or update of yours may touch it: ask for a version by `at`.
///
/// Fields that maintain themselves, of the types `EpochSeconds` and `EpochMillis` or an `Option` of one: `#[item(created_at)]` holds when
/// the item was made, `#[item(updated_at)]` when it was last written, and `#[item(expires_after(days = 30))]` (also `hours`, `minutes`,
/// `seconds`; in seconds only) when it expires: after the write that made it, or with `sliding` after the last. The library
/// writes them, and edits to them are ignored. See `Expiry` for what an expired item is to reads and writes.
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

/// Makes the typed paths of a nested struct's fields, so that `f.address.field(|a| a.city)` leads to them.
///
/// For a struct with named fields that is stored as a map: in a field of an item, in a list or in a map. The names are as serde
/// stores them, and skipped and flattened fields have no path, as with `Item`. A `None` is stored as serde has it, as null unless the
/// field has a `skip_serializing_if`; set by an update, it is removed where an absent one is read as `None`.
#[proc_macro_derive(Document)]
pub fn derive_document(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    document::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lets a newtype of a key type be a key: a tuple struct with one field, or a `#[serde(transparent)]` struct with one. And an enum without
/// data, such as a status, which is stored as its variant's name; serde's `rename` and `rename_all` are honoured.
#[proc_macro_derive(KeyAttribute)]
pub fn derive_key_attribute(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_attribute::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lets a newtype do in conditions and updates what it wraps can do: a tuple struct with one field, or a `#[serde(transparent)]`
/// struct with one.
///
/// It implements `Ordered`, `Delta`, `Prefix`, `Contains`, `Elements`, `List`, `Map` and `Document`, each where the inner type does.
/// Values stay the newtype's: `f.price.lt(Cents(100))`, `.add(f.price, Cents(-5))`.
#[proc_macro_derive(Newtype)]
pub fn derive_newtype(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    newtype::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
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
