//! A query or a scan that can be sent, and its pages, one after the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_core::Stream;

use crate::call::{Page, Request};
use crate::error::Error;
use crate::expr::{Names, Values};
use crate::fingerprint::Fingerprint;
use crate::item::RawItem;
use crate::op::source::Source;
use crate::settle;
use crate::start_token::StartToken;
use crate::table::Core;

/// A query or a scan that can be sent.
pub(crate) struct Plan {
    pub(crate) core: Arc<Core>,
    pub(crate) source: Source,
    pub(crate) expressions: Expressions,
    pub(crate) is_strong: bool,
    /// Whether a filter of the caller's takes items out.
    pub(crate) is_filtered: bool,
    /// A value of the sort key that is read, and isn't among the items.
    pub(crate) except: Option<AttributeValue>,
    pub(crate) limit: Option<usize>,
    pub(crate) page_size: Option<i32>,
    pub(crate) after: Option<RawItem>,
    pub(crate) query: Fingerprint,
    /// The attributes that make an item's place: the key's, and the index's.
    pub(crate) keys: Vec<&'static str>,
    pub(crate) reads: Reads,
}

pub(crate) struct Expressions {
    pub(crate) key_condition: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) projection: Option<String>,
    pub(crate) names: Names,
    pub(crate) values: Values,
}

/// What comes of the items that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Items,
    /// Nothing but how many they are.
    Count,
}

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

    pub(crate) async fn count(self: Arc<Self>, segment: Option<[i32; 2]>) -> Result<u64, Error> {
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
