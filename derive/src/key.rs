//! The keys of an item and of its indexes: of a field each, or put together of fields.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, Ident, Result, Visibility};

use crate::attributes::Container;
use crate::index::{Declared, Index};
use crate::item::Field;
use crate::template::Template;

/// A key attribute.
pub(crate) enum Key<'a> {
    Field(&'a Field<'a>),
    Template {
        template: &'a Template,
        attribute: String,
        /// Those that the template takes, in order.
        fields: Vec<&'a Field<'a>>,
    },
}

/// All keys of an item type.
pub(crate) struct Keys<'a> {
    pub(crate) partition: Key<'a>,
    pub(crate) sort: Option<Key<'a>>,
    pub(crate) indexes: Vec<IndexKeys<'a>>,
}

/// The keys of an index.
pub(crate) struct IndexKeys<'a> {
    index: &'a Index,
    /// `None` where it is the table's.
    partition: Option<Key<'a>>,
    sort: Option<Key<'a>>,
}

impl<'a> Key<'a> {
    fn of_template(template: &'a Template, attribute: String, fields: &'a [Field<'a>]) -> Result<Self> {
        let span = template.text.span();
        let taken = template.fields().map(|(name, _)| named(fields, name, span)).collect::<Result<Vec<_>>>()?;
        if attribute.is_empty() {
            return Err(Error::new(span, "the key's attribute has no name; name it, or leave that to the library"));
        }
        for field in &taken {
            if field.attributes.version.is_some() {
                return Err(Error::new(span, "the version changes with every write, and can't be a part of a key"));
            }
            if field.attributes.maintained.span().is_some() {
                let message = format!(
                    "`{}` maintains itself, so that no key can be put together of it; an index can have the field itself for a key",
                    field.ident
                );
                return Err(Error::new(span, message));
            }
        }
        Ok(Self::Template { template, attribute, fields: taken })
    }

    fn of_declared(declared: &'a Declared, fields: &'a [Field<'a>]) -> Result<Self> {
        match declared {
            Declared::Template(template, attribute) => Self::of_template(template, attribute.clone(), fields),
            Declared::Field(ident) => {
                let field = named(fields, &ident.unraw().to_string(), ident.span())?;
                if field.attributes.version.is_some() {
                    return Err(Error::new(ident.span(), "the version changes with every write, and can't be a key"));
                }
                Ok(Self::Field(field))
            }
        }
    }

    /// The name of its attribute.
    pub(crate) fn attribute(&self) -> &str {
        match self {
            Self::Field(field) => &field.name,
            Self::Template { attribute, .. } => attribute,
        }
    }

    /// The name of the attribute, where a template puts it together.
    fn computed(&self) -> Option<(&str, Span)> {
        match self {
            Self::Field(_) => None,
            Self::Template { attribute, template, .. } => Some((attribute, template.text.span())),
        }
    }

    /// The fields that make it.
    fn fields(&self) -> &[&'a Field<'a>] {
        match self {
            Self::Field(field) => std::slice::from_ref(field),
            Self::Template { fields, .. } => fields,
        }
    }

    fn template(&self) -> Option<TokenStream> {
        match self {
            Self::Field(_) => None,
            Self::Template { template, fields, .. } => Some(template.tokens(|name| {
                let field = fields.iter().find(|field| field.ident.unraw() == name);
                field.map(|field| field.name.clone()).unwrap_or_default()
            })),
        }
    }

    fn key_type(&self) -> TokenStream {
        match self {
            Self::Field(field) => {
                let ty = field.key_ty();
                quote!(<#ty as ::dynamo_once::KeyAttribute>::TYPE)
            }
            Self::Template { .. } => quote!(::dynamo_once::KeyType::String),
        }
    }

    fn index_key(&self) -> TokenStream {
        let (name, key_type) = (self.attribute(), self.key_type());
        match self.template() {
            None => quote!(::dynamo_once::__private::IndexKey::field(#name, #key_type)),
            Some(template) => quote!(::dynamo_once::__private::IndexKey::template(#name, &#template)),
        }
    }

    /// What fails to compile where a field can't be in such a key.
    fn checks(&self, ty: impl Fn(&Field<'_>) -> TokenStream) -> TokenStream {
        let widths: Vec<_> = match self {
            Self::Field(_) => vec![],
            Self::Template { template, .. } => template.fields().map(|(_, width)| width).collect(),
        };
        let checks = self.fields().iter().enumerate().map(|(position, field)| {
            let ty = ty(field);
            let stored_as_is = field.attributes.serialize_with.as_ref().map(|serialize| {
                quote_spanned!(serialize.span()=> ::dynamo_once::__private::assert_key_is_stored_as_is::<#ty>();)
            });
            let part = widths.get(position).map(|width| {
                let number = (*width > 0)
                    .then(|| quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_template_number::<#ty>();));
                quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_template_part::<#ty>(); #number)
            });
            quote_spanned!(ty.span()=> ::dynamo_once::__private::assert_key::<#ty>(); #stored_as_is #part)
        });
        quote!(#(#checks)*)
    }

    /// The type of sort keys that a partition has.
    fn sort_ty(&self) -> TokenStream {
        match self {
            Self::Field(field) => field.key_ty(),
            Self::Template { fields, .. } => {
                let types = fields.iter().map(|field| field.key_ty());
                quote!((#(#types,)*))
            }
        }
    }
}

impl<'a> Keys<'a> {
    pub(crate) fn new(
        container: &'a Container,
        fields: &'a [Field<'a>],
        [partition, sort]: [Option<&'a Field<'a>>; 2],
        item: &Ident,
    ) -> Result<Self> {
        let templates = [&container.partition_key, &container.sort_key];
        let attributes = [&container.partition_key_attribute, &container.sort_key_attribute];
        let mut keys = Vec::new();
        for (position, field) in [partition, sort].into_iter().enumerate() {
            let (template, attribute) = (templates[position], attributes[position]);
            keys.push(match (field, template) {
                (Some(_), Some(template)) => {
                    return Err(Error::new(
                        template.text.span(),
                        "the key is put together here, and a field is marked as it too; leave one of them out",
                    ));
                }
                (_, Some(template)) => {
                    let attribute =
                        attribute.as_ref().map_or_else(|| ["pk", "sk"][position].to_owned(), |name| name.value());
                    Some(Key::of_template(template, attribute, fields)?)
                }
                (field, None) => {
                    if let Some(name) = attribute {
                        return Err(Error::new(name.span(), crate::index::NO_TEMPLATE));
                    }
                    field.map(Key::Field)
                }
            });
        }
        let sort = keys.pop().flatten();
        let partition = keys.pop().flatten().ok_or_else(|| {
            Error::new(item.span(), "an item has a partition key: mark its field with `#[item(partition_key)]`, or put it together of fields with `#[item(partition_key = \"USER#{user_id}\")]` on the struct")
        })?;
        let indexes = container.indexes.iter().map(|index| {
            let of =
                |declared: &'a Option<Declared>| declared.as_ref().map(|key| Key::of_declared(key, fields)).transpose();
            Ok(IndexKeys { index, partition: of(&index.partition_key)?, sort: of(&index.sort_key)? })
        });
        let keys = Self { partition, sort, indexes: indexes.collect::<Result<_>>()? };
        for sort in keys.sort.iter().chain(keys.indexes.iter().filter_map(|index| index.sort.as_ref())) {
            if let Key::Template { template, fields, .. } = sort
                && fields.len() > MOST_PARTS
            {
                let message = format!("a sort key is put together of {MOST_PARTS} fields at most");
                return Err(Error::new(template.text.span(), message));
            }
        }
        keys.reject_clashes(container, fields)?;
        Ok(keys)
    }

    /// The attributes that are put together, each once.
    pub(crate) fn computed(&self) -> impl Iterator<Item = (&str, Span)> {
        let of_indexes = self.indexes.iter().flat_map(|index| [&index.partition, &index.sort]).flatten();
        [Some(&self.partition), self.sort.as_ref()].into_iter().flatten().chain(of_indexes).filter_map(Key::computed)
    }

    fn reject_clashes(&self, container: &Container, fields: &[Field<'_>]) -> Result<()> {
        let computed: Vec<_> = self.computed().collect();
        for (position, (name, span)) in computed.iter().enumerate() {
            if let Some(field) = fields.iter().find(|field| field.names().any(|other| other == *name)) {
                let message = format!(
                    "the key is put into the attribute `{name}`, which is that of the field `{}`; name another \
                     (`partition_key_attribute`, `sort_key_attribute`)",
                    field.ident
                );
                return Err(Error::new(*span, message));
            }
            if computed[..position].iter().any(|(other, _)| other == name) {
                let message = format!(
                    "two keys are put into the attribute `{name}`; name another for one of them (`partition_key_attribute`, \
                     `sort_key_attribute`)"
                );
                return Err(Error::new(*span, message));
            }
            let ttl = container.tombstones.as_ref().map(|tombstones| tombstones.ttl.value());
            if crate::item::is_stamp(name) || ttl.as_deref() == Some(name) {
                let message = format!(
                    "the attribute `{name}` is reserved for the log of an item's writes, or is the TTL attribute; name another \
                     (`partition_key_attribute`, `sort_key_attribute`)"
                );
                return Err(Error::new(*span, message));
            }
        }
        for (position, keys) in self.indexes.iter().enumerate() {
            let earlier = &self.indexes[..position];
            let (index, name) = (keys.index, keys.index.name.value());
            if earlier.iter().any(|other| other.index.name.value() == name) {
                return Err(Error::new(index.name.span(), format!("two indexes have the name `{name}`; rename one")));
            }
            let is_taken = index.function == "key" || index.function == "keys";
            if is_taken && self.is_typed() || earlier.iter().any(|other| other.index.function == index.function) {
                let message = format!(
                    "the function `{}` is made for another key; name one for this index: `function = ..`",
                    index.function
                );
                return Err(Error::new(index.function.span(), message));
            }
        }
        Ok(())
    }

    /// Whether the key is an `ItemKey`.
    fn is_typed(&self) -> bool {
        [Some(&self.partition), self.sort.as_ref()].into_iter().flatten().any(|key| key.computed().is_some())
    }

    /// `Item::Key`.
    pub(crate) fn ty(&self, item: &Ident) -> TokenStream {
        if self.is_typed() {
            return quote!(::dynamo_once::ItemKey<#item>);
        }
        match (&self.partition, &self.sort) {
            (Key::Field(partition), Some(Key::Field(sort))) => {
                let (partition, sort) = (&partition.ty, &sort.ty);
                quote!((#partition, #sort))
            }
            (partition, _) => partition.sort_ty(),
        }
    }

    /// What the schema has of them.
    pub(crate) fn schema(&self) -> TokenStream {
        let keys = || [Some(&self.partition), self.sort.as_ref()].into_iter();
        let templates = self.is_typed().then(|| {
            let templates = keys().map(|key| match key.and_then(Key::template) {
                Some(template) => quote!(::core::option::Option::Some(&#template)),
                None => quote!(::core::option::Option::None),
            });
            let types = keys().flatten().map(Key::key_type);
            quote!(.key_templates([#(#templates),*], &[#(#types),*]))
        });
        let indexes = self.indexes.iter().map(|IndexKeys { index, partition, sort }| {
            let name = &index.name;
            let sort = sort.iter().map(Key::index_key);
            let new = match partition {
                Some(partition) => {
                    let partition = partition.index_key();
                    quote!(global(#name, #partition))
                }
                None => {
                    let partition = self.partition.index_key();
                    quote!(local(#name, #partition))
                }
            };
            quote!(::dynamo_once::__private::Index::#new #(.sort(#sort))*)
        });
        let indexes = (!self.indexes.is_empty()).then(|| quote!(.indexes(&[#(#indexes),*])));
        quote!(#templates #indexes)
    }

    /// What fails to compile where a field can't be in a key.
    pub(crate) fn checks(&self) -> TokenStream {
        let keys = [Some(&self.partition), self.sort.as_ref()].into_iter().flatten();
        let keys = keys.map(|key| key.checks(|field| field.ty.clone()));
        let of_indexes = self.indexes.iter().flat_map(|index| [&index.partition, &index.sort]).flatten();
        let of_indexes = of_indexes.map(|key| key.checks(|field| field.key_ty()));
        quote!(#(#keys)* #(#of_indexes)*)
    }

    /// The functions that make keys and partitions.
    pub(crate) fn functions(&self, item: &Ident, vis: &Visibility) -> TokenStream {
        let mut functions = Vec::new();
        if self.is_typed() {
            let fields = distinct([Some(&self.partition), self.sort.as_ref()].into_iter().flatten());
            let (parameters, values) = (parameters(&fields), values(&fields));
            let doc = format!("The key of the [`{item}`] with {}.", listed(&fields));
            functions.push(quote! {
                #[doc = #doc]
                #[doc = ""]
                #[doc = "What can't be a part of a key, such as an empty string, is told by `send`."]
                #vis fn key(#parameters) -> ::dynamo_once::ItemKey<#item> {
                    ::dynamo_once::ItemKey::of([#values])
                }
            });
        }
        if let Some(sort) = self.sort.as_ref().filter(|_| self.is_typed()) {
            let fields = distinct([&self.partition].into_iter());
            let (parameters, values, sort_ty) = (parameters(&fields), values(&fields), sort.sort_ty());
            let doc = format!("All [`{item}`]s with {}: what `Table::query` takes.", listed(&fields));
            functions.push(quote! {
                #[doc = #doc]
                #[doc = ""]
                #[doc = "What can't be a part of a key, such as an empty string, is told by `send`."]
                #vis fn keys(#parameters) -> ::dynamo_once::Partition<#item, #sort_ty> {
                    ::dynamo_once::Partition::of_key([#values])
                }
            });
        }
        for IndexKeys { index, partition, sort } in &self.indexes {
            let fields = distinct([partition.as_ref().unwrap_or(&self.partition)].into_iter());
            let (parameters, values) = (parameters(&fields), values(&fields));
            let sort_ty = sort.as_ref().map_or_else(|| quote!(()), Key::sort_ty);
            let (name, function) = (&index.name, &index.function);
            let doc = format!(
                "All [`{item}`]s in the index `{}` with {}: what `Table::query` takes.",
                name.value(),
                listed(&fields)
            );
            functions.push(quote! {
                #[doc = #doc]
                #[doc = ""]
                #[doc = "What can't be a part of a key, such as an empty string, is told by `send`."]
                #vis fn #function(#parameters) -> ::dynamo_once::Partition<#item, #sort_ty> {
                    ::dynamo_once::Partition::of_index(#name, [#values])
                }
            });
        }
        if functions.is_empty() {
            return TokenStream::new();
        }
        quote! {
            #[allow(
                dead_code,
                private_bounds,
                private_interfaces,
                clippy::too_many_arguments,
                reason = "not every key is used, and they are as private and as many as the fields are"
            )]
            impl #item { #(#functions)* }
        }
    }
}

fn named<'a>(fields: &'a [Field<'a>], name: &str, span: Span) -> Result<&'a Field<'a>> {
    let field = fields.iter().find(|field| field.ident.unraw() == name);
    let field = field.ok_or_else(|| {
        Error::new(span, format!("the struct has no field `{name}` that is stored as an attribute of its own"))
    })?;
    if field.attributes.unread {
        return Err(Error::new(
            span,
            format!("the field `{name}` is stored but not read back, so that a read item would have another key"),
        ));
    }
    Ok(field)
}

fn distinct<'k, 'a: 'k>(keys: impl Iterator<Item = &'k Key<'a>>) -> Vec<&'a Field<'a>> {
    let mut distinct: Vec<&Field<'_>> = Vec::new();
    for field in keys.flat_map(Key::fields) {
        if distinct.iter().all(|other| other.ident != field.ident) {
            distinct.push(field);
        }
    }
    distinct
}

fn parameters(fields: &[&Field<'_>]) -> TokenStream {
    let parameters = fields.iter().map(|field| {
        let (ident, ty) = (field.ident, field.key_ty());
        quote!(#ident: impl ::dynamo_once::IntoKey<#ty>)
    });
    quote!(#(#parameters),*)
}

fn values(fields: &[&Field<'_>]) -> TokenStream {
    let values = fields.iter().map(|field| {
        let (ident, ty, name) = (field.ident, field.key_ty(), &field.name);
        quote!((
            #name,
            ::dynamo_once::KeyAttribute::to_attribute(&::dynamo_once::IntoKey::<#ty>::into_key(#ident)),
        ))
    });
    quote!(#(#values),*)
}

/// The fields, in a sentence.
fn listed(fields: &[&Field<'_>]) -> String {
    let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.ident.unraw())).collect();
    match &names[..] {
        [] => "this key".to_owned(),
        [one] => format!("this {one}"),
        [first @ .., last] => format!("these {} and {last}", first.join(", ")),
    }
}

/// As many as the library takes for the bounds of a query.
const MOST_PARTS: usize = 4;
