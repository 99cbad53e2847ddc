//! The items of a query or a scan: as a stream, or a page of them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_core::{FusedStream, Stream};
use futures_util::stream::SelectAll;

use crate::error::Error;
use crate::item::{Item, RawItem};
use crate::op::pages::{Cursor, Plan};
use crate::op::selection::{Decode, Selection};
use crate::op::source::NO_PLACE;
use crate::start_token::StartToken;
use crate::versioned::Versioned;

/// The items of a [`Query`](crate::Query) or a [`Scan`](crate::Scan), one by one.
///
/// A [`Stream`], so that the combinators of the `futures` crates work; [`next`](Items::next) and [`collect`](Items::collect) need none.
/// It has one page in memory at a time (of a parallel scan, one of each segment), and reads the next one when that is used up.
///
/// # Errors
///
/// An item that is not of its type is [`Decode`](crate::ErrorKind::Decode), and one whose version or log can't be read is
/// [`Malformed`](crate::ErrorKind::Malformed), both with the raw item ([`Error::raw_current`]): the stream goes on behind it. What else fails
/// ends the stream: input that makes no query ([`Invalid`](crate::ErrorKind::Invalid)), a start token of
/// another ([`BadToken`](crate::ErrorKind::BadToken)), or a request whose retries are over. After the
/// latter, [`next_token`](Items::next_token) says where another query can go on.
#[must_use = "nothing is read until it is asked for"]
pub struct Items<R> {
    operation: &'static str,
    source: Source,
    /// How many may be handed out still.
    left: Option<usize>,
    decode: Decode<R>,
    plan: Option<Arc<Plan>>,
    /// The key attributes of the last item that was handed out.
    place: Vec<AttributeValue>,
}

/// A page of items; see [`Query::page`](crate::Query::page).
pub struct Page<R> {
    items: Vec<Versioned<R>>,
    failures: Vec<Error>,
    next: Option<StartToken>,
}

enum Source {
    One(Cursor),
    /// The segments of a parallel scan.
    Many(SelectAll<Cursor>),
    /// What can't be asked for.
    Fault(Error),
    Ended,
}

/// The items of a page, where no limit is set.
const PAGE: usize = 25;

impl<R> Items<R> {
    pub(crate) fn new<T: Item>(operation: &'static str, selection: Selection<T, R>) -> Self {
        let decode = selection.shape.decode;
        let (source, plan) = match selection.into_plan() {
            Ok((plan, _)) => {
                let plan = Arc::new(plan);
                let mut cursors = plan.segments().map(|segment| Cursor::new(&plan, segment));
                let source = match (cursors.next(), cursors.len()) {
                    (Some(cursor), 0) => Source::One(cursor),
                    (first, _) => Source::Many(first.into_iter().chain(cursors).collect()),
                };
                (source, Some(plan))
            }
            Err(error) => (Source::Fault(error), None),
        };
        let left = plan.as_ref().and_then(|plan| plan.limit());
        Self { operation, source, left, decode, plan, place: Vec::new() }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    ///
    /// See [`Items`].
    pub async fn next(&mut self) -> Option<Result<Versioned<R>, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All items, or the first error.
    ///
    /// # Errors
    ///
    /// See [`Items`].
    pub async fn collect(mut self) -> Result<Vec<Versioned<R>>, Error> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await {
            items.push(item?);
        }
        Ok(items)
    }

    /// Where another query or scan goes on: after the last item that was handed out, whether it decoded or not. `None` where that is at the
    /// beginning.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) of a parallel scan, which has no order.
    pub fn next_token(&self) -> Result<Option<StartToken>, Error> {
        let Some(plan) = &self.plan else { return Ok(None) };
        if plan.segments().len() > 1 {
            return Err(Error::invalid(NO_PLACE).with_operation(self.operation, plan.core.name()));
        }
        Ok(if self.place.is_empty() { plan.start() } else { plan.token(&self.place) })
    }

    /// Whether there may be more than was handed out.
    fn has_more(&self) -> bool {
        match &self.source {
            Source::One(cursor) => cursor.has_more(),
            Source::Many(_) => true,
            Source::Fault(_) | Source::Ended => false,
        }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RawItem, Error>>> {
        let read = match &mut self.source {
            Source::One(cursor) => ready!(Pin::new(cursor).poll_next(cx)),
            Source::Many(segments) => ready!(Pin::new(segments).poll_next(cx)),
            Source::Fault(_) => match std::mem::replace(&mut self.source, Source::Ended) {
                Source::Fault(error) => Some(Err(error)),
                _ => None,
            },
            Source::Ended => None,
        };
        if !matches!(read, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        Poll::Ready(read)
    }
}

impl<R> Stream for Items<R> {
    type Item = Result<Versioned<R>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.left == Some(0) {
                return Poll::Ready(None);
            }
            let item = match ready!(this.poll_raw(cx)) {
                Some(Ok(item)) => item,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            let Some(plan) = &this.plan else { return Poll::Ready(None) };
            keep_place(&mut this.place, plan.keys().iter().filter_map(|name| item.get(*name)));
            let item = match (this.decode)(&plan.core, item) {
                Ok(Some(item)) => Ok(item),
                Ok(None) => {
                    if let Source::One(cursor) = &mut this.source {
                        cursor.skip();
                    }
                    continue;
                }
                Err(error) => Err(error.with_operation(this.operation, plan.core.name())),
            };
            this.left = this.left.map(|left| left - 1);
            return Poll::Ready(Some(item));
        }
    }
}

/// Keeps the key attributes of an item, in the memory of those before it: most items are no one's last.
fn keep_place<'i>(place: &mut Vec<AttributeValue>, keys: impl Iterator<Item = &'i AttributeValue>) {
    let mut count = 0;
    for key in keys {
        match (place.get_mut(count), key) {
            (Some(AttributeValue::S(kept)), AttributeValue::S(text)) => kept.clone_from(text),
            (Some(AttributeValue::N(kept)), AttributeValue::N(number)) => kept.clone_from(number),
            (Some(kept), key) => *kept = key.clone(),
            (None, key) => place.push(key.clone()),
        }
        count += 1;
    }
    place.truncate(count);
}

impl<R> FusedStream for Items<R> {
    fn is_terminated(&self) -> bool {
        self.left == Some(0) || matches!(self.source, Source::Ended)
    }
}

impl<R> Page<R> {
    pub(crate) async fn read<T: Item>(operation: &'static str, mut selection: Selection<T, R>) -> Result<Self, Error> {
        selection.limit = Some(selection.limit.unwrap_or(PAGE));
        let mut read = Items::new(operation, selection);
        if read.plan.is_some() {
            // Of a parallel scan, before anything is sent.
            read.next_token()?;
        }
        let mut page = Self { items: Vec::new(), failures: Vec::new(), next: None };
        while let Some(item) = read.next().await {
            match item {
                Ok(item) => page.items.push(item),
                // It is the item's, not a request's.
                Err(error) if error.raw_current().is_some() => page.failures.push(error),
                Err(error) => return Err(error),
            }
        }
        if read.has_more() {
            page.next = read.next_token()?;
        }
        Ok(page)
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Versioned<R>] {
        &self.items
    }

    /// The items, without the page.
    #[must_use]
    pub fn into_items(self) -> Vec<Versioned<R>> {
        self.items
    }

    /// What could not be decoded among the items, each with the raw item ([`Error::raw_current`]).
    #[must_use]
    pub fn failures(&self) -> &[Error] {
        &self.failures
    }

    /// Where the next page begins; `None` at the end.
    ///
    /// Where the page ends with the last item, it may take a request to find out that nothing follows: then the next page is empty.
    #[must_use]
    pub fn next_token(&self) -> Option<&StartToken> {
        self.next.as_ref()
    }
}

impl<R> fmt::Debug for Items<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("operation", &self.operation).field("left", &self.left).finish_non_exhaustive()
    }
}

/// Never shows contents.
impl<R> fmt::Debug for Page<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("failures", &self.failures)
            .field("has_next", &self.next.is_some())
            .finish_non_exhaustive()
    }
}
