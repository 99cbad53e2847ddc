//! What a query or a scan is asked for, until it can be sent.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::expr::{Condition, Node, RawPath, Rendering};
use crate::fingerprint;
use crate::item::{Item, RawItem};
use crate::op::get::Consistency;
use crate::op::pages::{Expressions, Plan, Reads};
use crate::op::source::Source;
use crate::start_token::StartToken;
use crate::table::{Core, Table};
use crate::versioned::Versioned;

/// What a query or a scan is asked for, so far; its items are read as an `R`.
pub(crate) struct Selection<T: Item, R> {
    pub(crate) table: Table<T>,
    pub(crate) source: Source,
    pub(crate) filter: Option<Condition<T>>,
    pub(crate) limit: Option<usize>,
    pub(crate) page_size: Option<usize>,
    pub(crate) consistency: Option<Consistency>,
    pub(crate) after: Option<StartToken>,
    pub(crate) shape: Shape<R>,
}

/// What is made of an item.
pub(crate) struct Shape<R> {
    /// The attributes to ask for, where that isn't the whole item.
    pub(crate) attributes: Option<&'static [&'static str]>,
    pub(crate) decode: Decode<R>,
}

pub(crate) type Decode<R> = fn(&Core, RawItem) -> Result<Option<Versioned<R>>, Error>;

impl<T: Item> Selection<T, T> {
    pub(crate) fn new(table: Table<T>, source: Source) -> Self {
        let shape = Shape { attributes: None, decode: |core, raw| core.found(raw) };
        Self { table, source, filter: None, limit: None, page_size: None, consistency: None, after: None, shape }
    }
}

impl<T: Item, R> Selection<T, R> {
    /// The same, whose items are read as another type.
    pub(crate) fn shaped<P>(self, shape: Shape<P>) -> Selection<T, P> {
        let Self { table, source, filter, limit, page_size, consistency, after, shape: _ } = self;
        Selection { table, source, filter, limit, page_size, consistency, after, shape }
    }

    pub(crate) fn filter(&mut self, condition: Condition<T>) {
        self.filter = Some(match self.filter.take() {
            Some(filter) => filter.and(condition),
            None => condition,
        });
    }

    pub(crate) fn into_plan(self) -> Result<(Plan, Decode<R>), Error> {
        self.plan(Reads::Items)
    }

    fn plan(self, reads: Reads) -> Result<(Plan, Decode<R>), Error> {
        let (core, operation) = (Arc::clone(self.table.core()), self.source.operation());
        self.checked(reads).map_err(|error| error.with_operation(operation, core.name()))
    }

    fn checked(self, reads: Reads) -> Result<(Plan, Decode<R>), Error> {
        let core = Arc::clone(self.table.core());
        if self.limit == Some(0) {
            return Err(Error::invalid("a limit of 0 asks for nothing; leave the limit out to read all items"));
        }
        if self.page_size == Some(0) {
            return Err(Error::invalid(
                "a page of 0 items leads nowhere; leave the page size out to read pages of 1 MB",
            ));
        }
        let source = self.source.checked(self.after.is_some())?;
        let is_strong = match (self.consistency, source.can_be_strong()) {
            (Some(Consistency::Strong), false) => {
                return Err(Error::invalid(
                    "reads of a global index can't be strong; leave the consistency out, or ask for eventual",
                ));
            }
            (consistency, can_be_strong) => can_be_strong && consistency != Some(Consistency::Eventual),
        };

        let mut rendering = Rendering::new();
        let (key_condition, except) = source.key_condition()?;
        let key_condition = key_condition.map(|node| rendering.condition(&node));
        let is_filtered = self.filter.is_some();
        let filter = self.filter.map(Condition::into_node).transpose()?;
        source.check_filter(filter.as_ref())?;
        let leaves_tombstones = core.schema().tombstones_left().is_some();
        let is_live = leaves_tombstones.then(|| no_tombstone(&core));
        let filter = [filter, is_live, source.entities(&core)].into_iter().flatten().reduce(Node::and);
        let mut filter = filter.map(|node| rendering.condition(&node));

        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let query = {
            let (names, values) = rendering.clone().finish(&[])?;
            let [operation, index, order] = source.identity();
            let texts = [operation, core.name(), index, order, &text(&key_condition), &text(&filter)];
            fingerprint::expressions(&texts, &names, &values)
        };
        let keys = source.keys(&core);
        let after = self.after.map(|token| token.key(query, &keys, source.partition())).transpose()?;

        // Those that another program has left are told when items are read, and have to be told where none is. It's the same query.
        if reads == Reads::Count && !leaves_tombstones {
            let no_tombstone = rendering.condition(&no_tombstone(&core));
            // The `AND` beside a filter.
            rendering.count(1);
            filter = Some(match filter {
                Some(filter) => format!("{no_tombstone} AND {filter}"),
                None => no_tombstone,
            });
        }
        let looks_at_items = reads == Reads::Items || except.is_some() || source.is_shared(&core);
        let reads = if looks_at_items { Reads::Items } else { Reads::Count };
        let attributes = self.shape.attributes.filter(|_| looks_at_items);
        let projection = attributes.map(|attributes| project(&core, attributes, &keys, &mut rendering));
        let texts = [text(&key_condition), text(&filter), text(&projection)];
        let (names, values) = rendering.finish(&texts.each_ref().map(String::as_str))?;
        let plan = Plan {
            source,
            expressions: Expressions { key_condition, filter, projection, names, values },
            is_strong,
            is_filtered,
            except,
            limit: self.limit,
            page_size: self.page_size.map(|size| i32::try_from(size).unwrap_or(i32::MAX)),
            after,
            query,
            keys,
            reads,
            core,
        };
        Ok((plan, self.shape.decode))
    }

    /// Counts the items, without decoding them.
    pub(crate) async fn count(mut self) -> Result<u64, Error> {
        // Where items have to be looked at, their keys will do.
        self.shape.attributes = Some(&[]);
        let plan = Arc::new(self.plan(Reads::Count)?.0);
        let counts = plan.segments().map(|segment| Arc::clone(&plan).count(segment));
        let counts = futures_util::future::try_join_all(counts).await?;
        let count = counts.into_iter().sum();
        Ok(plan.limit.map_or(count, |limit| count.min(limit as u64)))
    }
}

/// A tombstone is no item. (AWS: what a filter takes out is read, and paid for, all the same.)
fn no_tombstone(core: &Core) -> Node {
    Node::not_exists(RawPath::from(core.format().stamp.tombstone.clone()))
}

/// The projection's attributes, and what the library has to see: the item's place, its version, its birth, and whether it has expired.
fn project(core: &Core, attributes: &[&str], keys: &[&str], rendering: &mut Rendering) -> String {
    let stamp = &core.format().stamp;
    let ttl = core.schema().expiry().map(|expiry| expiry.ttl_attribute_name());
    let own = [core.format().version, &stamp.birth, &stamp.tombstone].into_iter().chain(ttl);
    let mut names: Vec<&str> = Vec::with_capacity(attributes.len() + keys.len() + 4);
    for name in attributes.iter().chain(keys).copied().chain(own) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names: Vec<_> = names.into_iter().map(|name| rendering.name(name).to_string()).collect();
    names.join(", ")
}

/// The settings that queries and scans have in common, and their ends.
macro_rules! selecting {
    ($type:ident<T $(, $sort:ident)?>, $verb:literal) => {
        impl<T: Item, $($sort,)? R> $type<T, $($sort,)? R> {
            /// Takes the items only for which the condition holds; several conditions have to hold all.
            ///
            /// The service reads the others all the same, and they are paid for.
            pub fn filter(mut self, condition: Condition<T>) -> Self {
                self.selection.filter(condition);
                self
            }

            /// Ends after so many items, those among them that don't decode.
            ///
            /// Without a filter, no more are read than that: but a few of other types, or tombstones, where there are such.
            pub fn limit(mut self, items: usize) -> Self {
                self.selection.limit = Some(items);
                self
            }

            /// Sets how many items a request reads at most; as many as have 1 MB, unless set.
            pub fn page_size(mut self, items: usize) -> Self {
                self.selection.page_size = Some(items);
                self
            }

            /// Sets how fresh the reads have to be: strong unless set, but of a global index, whose reads are eventual.
            #[doc(alias = "consistent_read")]
            pub fn consistency(mut self, consistency: Consistency) -> Self {
                self.selection.consistency = Some(consistency);
                self
            }

            /// Goes on where another one with the same conditions has ended.
            #[doc(alias = "exclusive_start_key")]
            pub fn start_after(mut self, token: StartToken) -> Self {
                self.selection.after = Some(token);
                self
            }

            /// Reads the items one by one, and a page whenever one is needed.
            #[doc(alias = "paginate")]
            #[doc(alias = "into_paginator")]
            pub fn items(self) -> Items<R> {
                Items::new($verb, self.selection)
            }

            /// Reads one page: [`limit`](Self::limit) items, or 25 where none is set, by as many requests as that takes.
            ///
            /// # Errors
            ///
            /// As [`items`](Self::items); items that don't decode are beside the others, in [`Page::failures`].
            #[doc(alias = "last_evaluated_key")]
            pub async fn page(self) -> Result<Page<R>, Error> {
                Page::read($verb, self.selection).await
            }

            /// Counts the items, without fetching them: all that there are, or up to the [`limit`](Self::limit). Those that don't decode
            /// are counted too.
            ///
            /// The service reads as much as if it sent them. Where items of other types share the place, or a bound lets in one that
            /// doesn't belong, the keys are fetched to tell them.
            ///
            /// # Errors
            ///
            /// As [`items`](Self::items).
            #[doc(alias = "select")]
            pub async fn count(self) -> Result<u64, Error> {
                self.selection.count().await
            }
        }
    };
}

pub(crate) use selecting;

impl<T: Item, R> fmt::Debug for Selection<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("table", &self.table)
            .field("source", &self.source)
            .field("limit", &self.limit)
            .field("page_size", &self.page_size)
            .field("consistency", &self.consistency)
            .finish_non_exhaustive()
    }
}
