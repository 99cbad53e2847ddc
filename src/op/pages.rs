//! What a query or a scan asks for, and the one place that turns its pages into items.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_core::Stream;

use crate::call::{Page, Request};
use crate::error::Error;
use crate::expr::{Condition, Names, Node, RawPath, Rendering, Values};
use crate::fingerprint::{self, Fingerprint};
use crate::item::{Item, RawItem};
use crate::op::get::Consistency;
use crate::op::sort::{Bounds, SortKeys, check_value};
use crate::settle;
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

/// Where the items are.
pub(crate) enum Source {
    Query {
        index: Option<&'static str>,
        /// Whether reads of it can be strong.
        is_strong: bool,
        /// The partition key, and its value.
        key: (&'static str, AttributeValue),
        sort: Option<SortKeys>,
        bounds: Bounds,
        is_descending: bool,
        /// What can't be asked for, kept for the end.
        fault: Option<Error>,
    },
    Scan {
        segments: u32,
    },
}

/// What is made of an item.
pub(crate) struct Shape<R> {
    /// The attributes to ask for, where that isn't the whole item.
    pub(crate) attributes: Option<&'static [&'static str]>,
    pub(crate) decode: Decode<R>,
}

pub(crate) type Decode<R> = fn(&Core, RawItem) -> Result<Option<Versioned<R>>, Error>;

/// A query or a scan that can be sent.
pub(crate) struct Plan {
    pub(crate) core: Arc<Core>,
    source: Source,
    expressions: Expressions,
    is_strong: bool,
    /// Whether a filter of the caller's takes items out.
    is_filtered: bool,
    /// A value of the sort key that is read, and isn't among the items.
    except: Option<AttributeValue>,
    limit: Option<usize>,
    page_size: Option<i32>,
    after: Option<RawItem>,
    query: Fingerprint,
    /// The attributes that make an item's place: the key's, and the index's.
    keys: Vec<&'static str>,
    reads: Reads,
}

struct Expressions {
    key_condition: Option<String>,
    filter: Option<String>,
    projection: Option<String>,
    names: Names,
    values: Values,
}

/// What comes of the items that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Items,
    /// Nothing but how many they are.
    Count,
}

/// A million, by AWS, "Scan" (`TotalSegments`).
const MOST_SEGMENTS: u32 = 1_000_000;

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
            fingerprint::query(&texts, &names, &values)
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

impl Source {
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Query { .. } => "query",
            Self::Scan { .. } => "scan",
        }
    }

    /// What tells it from others, beside its conditions.
    fn identity(&self) -> [&'static str; 3] {
        match self {
            Self::Query { index, is_descending, .. } => {
                ["query", index.unwrap_or_default(), if *is_descending { "descending" } else { "ascending" }]
            }
            Self::Scan { .. } => ["scan", "", ""],
        }
    }

    fn checked(self, has_start: bool) -> Result<Self, Error> {
        match self {
            Self::Query { fault: Some(fault), .. } => Err(fault),
            Self::Query { key: (name, ref value), .. } => check_value(name, value, 0).map(|()| self),
            Self::Scan { segments: 0 } => {
                Err(Error::invalid("a scan of 0 segments reads nothing; leave the segments out to scan serially"))
            }
            Self::Scan { segments } if segments > MOST_SEGMENTS => Err(Error::invalid(format!(
                "{segments} segments are more than the {MOST_SEGMENTS} that DynamoDB takes; ask for less"
            ))),
            Self::Scan { segments: 2.. } if has_start => Err(Error::invalid(NO_PLACE)),
            Self::Scan { .. } => Ok(self),
        }
    }

    fn can_be_strong(&self) -> bool {
        match self {
            Self::Query { is_strong, .. } => *is_strong,
            Self::Scan { .. } => true,
        }
    }

    fn key_condition(&self) -> Result<(Option<Node>, Option<AttributeValue>), Error> {
        let Self::Query { key: (name, value), sort, bounds, .. } = self else { return Ok((None, None)) };
        let partition = Node::equal(RawPath::from(*name), value.clone());
        let comparison = match (sort, bounds) {
            (Some(sort), bounds) => sort.compare(bounds.clone())?,
            (None, Bounds::All) => return Ok((Some(partition), None)),
            (None, _) => {
                return Err(Error::invalid("the partition's items have no sort key; leave the condition on it out"));
            }
        };
        Ok(match comparison.node {
            Some(node) => (Some(partition.and(node)), comparison.except),
            None => (Some(partition), None),
        })
    }

    /// DynamoDB takes no key attribute in the filter of a query. (AWS, "Filter expressions for the Query operation".)
    fn check_filter(&self, filter: Option<&Node>) -> Result<(), Error> {
        let (Self::Query { key: (partition, _), sort, .. }, Some(filter)) = (self, filter) else { return Ok(()) };
        let keys = [Some(*partition), sort.map(|sort| sort.name)];
        match filter.names().into_iter().find(|name| keys.contains(&Some(*name))) {
            Some(name) => Err(Error::invalid(format!(
                "the filter names the key attribute `{name}`, which DynamoDB doesn't take in a query; a condition on the sort key is \
                 one of the query's own (`eq`, `lt`, `between`, ...)"
            ))),
            None => Ok(()),
        }
    }

    /// Items of other types that a scan doesn't have to bring, by what their keys begin with. What is left of them is told by the items.
    fn entities(&self, core: &Core) -> Option<Node> {
        let Self::Scan { .. } = self else { return None };
        let starts = core.schema().computed_keys().filter(|(_, template)| !template.start().is_empty());
        let begins = starts.map(|(name, template)| {
            Node::Function("begins_with", RawPath::from(name), AttributeValue::S(template.start().to_owned()))
        });
        begins.reduce(Node::and)
    }

    fn partition(&self) -> Option<&(&'static str, AttributeValue)> {
        match self {
            Self::Query { key, .. } => Some(key),
            Self::Scan { .. } => None,
        }
    }

    /// The attributes that make an item's place.
    fn keys(&self, core: &Core) -> Vec<&'static str> {
        let mut keys: Vec<_> = core.schema().key_names().collect();
        if let Self::Query { key: (partition, _), sort, .. } = self {
            for name in std::iter::once(*partition).chain(sort.map(|sort| sort.name)) {
                if !keys.contains(&name) {
                    keys.push(name);
                }
            }
        }
        keys
    }

    /// Whether there may be items of other types, or such that have expired, which have to be looked at to be told.
    fn is_shared(&self, core: &Core) -> bool {
        let has_template = matches!(self, Self::Query { sort: Some(SortKeys { template: Some(_), .. }), .. });
        has_template || core.schema().computed_keys().next().is_some() || core.schema().expiry().is_some()
    }

    /// Whether the item has a sort key that the type's template makes.
    fn holds(&self, item: &RawItem) -> bool {
        match self {
            Self::Query { sort: Some(sort), .. } => sort.contain(item),
            _ => true,
        }
    }
}

pub(crate) const NO_PLACE: &str =
    "a parallel scan has no order, and so no place to go on from; scan without segments for a start token";

impl Plan {
    /// The segments of a parallel scan, or the one that isn't.
    pub(crate) fn segments(&self) -> impl ExactSizeIterator<Item = Option<[i32; 2]>> + use<> {
        let total = match self.source {
            Source::Scan { segments: total @ 2.. } => i32::try_from(total).ok(),
            _ => None,
        };
        (0..total.unwrap_or(1)).map(move |segment| total.map(|total| [segment, total]))
    }

    /// The attributes that make an item's place.
    pub(crate) fn keys(&self) -> &[&'static str] {
        &self.keys
    }

    /// The token to go on after this place.
    pub(crate) fn token(&self, place: &[AttributeValue]) -> Option<StartToken> {
        // An item without one of the attributes has no place, and values mustn't go by others' names.
        let is_whole = place.len() == self.keys.len();
        StartToken::after(self.query, self.keys.iter().copied().zip(place)).filter(|_| is_whole)
    }

    /// The token that it began with.
    pub(crate) fn start(&self) -> Option<StartToken> {
        let start = self.after.as_ref()?;
        let place: Vec<_> = self.keys.iter().filter_map(|name| start.get(*name)).cloned().collect();
        self.token(&place)
    }

    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }

    async fn count(self: Arc<Self>, segment: Option<[i32; 2]>) -> Result<u64, Error> {
        let mut cursor = Cursor::new(&self, segment);
        let (mut count, mut next) = (0, self.after.clone());
        loop {
            let page = self.read(segment, next, cursor.size()).await?;
            let found = match self.reads {
                Reads::Count => page.count,
                Reads::Items => page.items.iter().filter(|item| self.is_wanted(item)).count() as u64,
            };
            count += found;
            cursor.is_skipping |= page.scanned > found;
            cursor.missing =
                cursor.missing.map(|missing| missing.saturating_sub(usize::try_from(found).unwrap_or(missing)));
            match page.last {
                Some(last) if cursor.missing != Some(0) => next = Some(last),
                _ => return Ok(count),
            }
        }
    }

    async fn read(&self, segment: Option<[i32; 2]>, start: Option<RawItem>, size: Option<i32>) -> Result<Page, Error> {
        let request = self.request(segment, start, size);
        Ok(settle::read(&self.core, self.source.operation(), request).await?.0.into_page())
    }

    fn request(&self, segment: Option<[i32; 2]>, start: Option<RawItem>, size: Option<i32>) -> Request {
        let client = self.core.store().client();
        let Expressions { key_condition, filter, projection, names, values } = &self.expressions;
        let names = (!names.is_empty()).then(|| names.clone());
        let values = (!values.is_empty()).then(|| values.clone());
        let select = (self.reads == Reads::Count).then_some(Select::Count);
        macro_rules! common {
            ($request:expr) => {
                $request
                    .table_name(self.core.name())
                    .set_filter_expression(filter.clone())
                    .set_projection_expression(projection.clone())
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_exclusive_start_key(start)
                    .set_limit(size)
                    .set_select(select)
                    .consistent_read(self.is_strong)
            };
        }
        match &self.source {
            Source::Query { index, is_descending, .. } => common!(client.query())
                .set_index_name(index.map(str::to_owned))
                .set_key_condition_expression(key_condition.clone())
                .set_scan_index_forward(is_descending.then_some(false))
                .into(),
            Source::Scan { .. } => common!(client.scan())
                .set_segment(segment.map(|[segment, _]| segment))
                .set_total_segments(segment.map(|[_, total]| total))
                .into(),
        }
    }

    /// Whether what was read is one of the items that were asked for.
    fn is_wanted(&self, item: &RawItem) -> bool {
        let is_excepted = || match (&self.except, &self.source) {
            (Some(bound), Source::Query { sort: Some(sort), .. }) => item.get(sort.name) == Some(bound),
            _ => false,
        };
        // The items of several types may live in the same place.
        let is_one = self.core.schema().is_of(item) && self.source.holds(item);
        is_one && !is_excepted() && !self.core.is_expired(item)
    }
}

/// Goes through the pages of a plan, or of one segment of it, and hands out the items as they are stored. It has one page at a time.
pub(crate) struct Cursor {
    plan: Arc<Plan>,
    segment: Option<[i32; 2]>,
    page: vec::IntoIter<RawItem>,
    next: Next,
    /// How many items are asked for still.
    missing: Option<usize>,
    /// Whether items were read that aren't among those asked for.
    is_skipping: bool,
}

/// What follows the page at hand.
enum Next {
    /// The page after this key.
    Page(Option<RawItem>),
    Reading(Pin<Box<dyn Future<Output = Result<Page, Error>> + Send>>),
    End,
}

impl Cursor {
    pub(crate) fn new(plan: &Arc<Plan>, segment: Option<[i32; 2]>) -> Self {
        Self {
            plan: Arc::clone(plan),
            segment,
            page: Vec::new().into_iter(),
            next: Next::Page(plan.after.clone()),
            missing: plan.limit,
            is_skipping: false,
        }
    }

    /// What was handed out last is none of the items, for all that could be told here.
    pub(crate) fn skip(&mut self) {
        self.missing = self.missing.map(|missing| missing + 1);
        self.is_skipping = true;
    }

    /// Whether there may be more.
    pub(crate) fn has_more(&self) -> bool {
        self.page.len() > 0 || !matches!(self.next, Next::End)
    }

    /// How many items the next request may read: no more than are missing, where each that is read is one that is wanted. Once some aren't,
    /// nobody knows how many there are of them, and a page costs less than many requests.
    fn size(&self) -> Option<i32> {
        let most = |size: usize| i32::try_from(size).unwrap_or(i32::MAX);
        let missing = self.missing.filter(|_| !self.plan.is_filtered && !self.is_skipping);
        let missing = missing.map(|missing| most(missing.max(1)).saturating_add(i32::from(self.plan.except.is_some())));
        missing.into_iter().chain(self.plan.page_size).min()
    }
}

impl Stream for Cursor {
    type Item = Result<RawItem, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            for item in this.page.by_ref() {
                if this.plan.is_wanted(&item) {
                    this.missing = this.missing.map(|missing| missing.saturating_sub(1));
                    return Poll::Ready(Some(Ok(item)));
                }
                this.is_skipping = true;
            }
            match &mut this.next {
                Next::Page(start) => {
                    let (plan, segment, start) = (Arc::clone(&this.plan), this.segment, start.take());
                    let size = this.size();
                    this.next = Next::Reading(Box::pin(async move { plan.read(segment, start, size).await }));
                }
                Next::Reading(reading) => {
                    let read = ready!(reading.as_mut().poll(cx));
                    this.next = Next::End;
                    match read {
                        Ok(page) => {
                            this.is_skipping |= page.scanned > page.count;
                            this.next = page.last.map_or(Next::End, |last| Next::Page(Some(last)));
                            this.page = page.items.into_iter();
                        }
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Next::End => return Poll::Ready(None),
            }
        }
    }
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

/// Never shows values.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query { index, key: (name, _), is_descending, .. } => f
                .debug_struct("Query")
                .field("index", index)
                .field("partition_key", name)
                .field("is_descending", is_descending)
                .finish_non_exhaustive(),
            Self::Scan { segments } => f.debug_struct("Scan").field("segments", segments).finish(),
        }
    }
}
