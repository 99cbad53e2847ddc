//! The kinds of requests, and what comes back of each.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemFluentBuilder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemOutput;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsOutput;
use aws_sdk_dynamodb::operation::transact_get_items::builders::TransactGetItemsFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};

use super::Reply;
use crate::flight::{Flight, Watched};
use crate::item::RawItem;
use crate::retry::Clock;
use crate::retry::classify::classify;

/// What the service returned.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) answer: Answer,
    /// The capacity units that it took, where that was asked for: of reads, and of writes.
    pub(crate) units: Option<[f64; 2]>,
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// One item; nothing also where the answer to a write broke off after the fact was clear.
    Item(Option<RawItem>),
    /// Of a query or a scan.
    Page(Page),
    /// Of a batch of reads.
    Batch { items: Vec<RawItem>, unprocessed: Vec<RawItem> },
    /// Of the reads of a transaction, in their order.
    Items(Vec<Option<RawItem>>),
}

/// A page of a query or a scan.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<RawItem>,
    /// How many items passed the filter.
    pub(crate) count: u64,
    /// How many items were read, those among them that the filter took out.
    pub(crate) scanned: u64,
    /// The key to go on after; `None` at the end.
    pub(crate) last: Option<RawItem>,
}

impl Output {
    pub(crate) fn into_item(self) -> Option<RawItem> {
        match self.answer {
            Answer::Item(item) => item,
            Answer::Page(_) | Answer::Batch { .. } | Answer::Items(_) => None,
        }
    }

    pub(crate) fn into_items(self) -> Vec<Option<RawItem>> {
        match self.answer {
            Answer::Items(items) => items,
            Answer::Item(_) | Answer::Page(_) | Answer::Batch { .. } => Vec::new(),
        }
    }

    pub(crate) fn into_page(self) -> Page {
        match self.answer {
            Answer::Page(page) => page,
            Answer::Item(_) | Answer::Batch { .. } | Answer::Items(_) => Page::default(),
        }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::Item(None)
    }
}

/// An output of the SDK's, taken in.
trait Taken {
    const IS_READ: bool;

    fn capacity(&self) -> Option<f64>;

    fn answer(self) -> Answer;
}

macro_rules! requests {
    ($($kind:ident($builder:ident);)*) => {
        /// A request, as [`Caller::client`](super::Caller::client) builds it.
        pub(crate) enum Request {
            $($kind($builder),)*
        }

        #[derive(Clone, Copy)]
        pub(super) enum Kind {
            $($kind,)*
        }

        $(impl From<$builder> for Request {
            fn from(request: $builder) -> Self {
                Self::$kind(request)
            }
        })*

        impl Request {
            /// The same, which asks for the capacity that it takes.
            pub(super) fn measured(self) -> Self {
                match self {
                    $(Self::$kind(request) => {
                        request.return_consumed_capacity(ReturnConsumedCapacity::Total).into()
                    })*
                }
            }

            /// The attempt, which is sent once it is waited for.
            pub(super) fn dispatch(self, flight: &Flight, clock: &Clock) -> Watched<Reply> {
                let (watched, clock) = (flight.clone(), clock.clone());
                match self {
                    $(Self::$kind(request) => flight.watch(async move {
                        match request.send().await {
                            Ok(output) => Reply::Done { output: taken(output) },
                            Err(error) => classify(error, watched.progress(), clock.now()),
                        }
                    }),)*
                }
            }
        }
    };
}

requests! {
    Put(PutItemFluentBuilder);
    Update(UpdateItemFluentBuilder);
    Delete(DeleteItemFluentBuilder);
    Get(GetItemFluentBuilder);
    Query(QueryFluentBuilder);
    Scan(ScanFluentBuilder);
    Batch(BatchGetItemFluentBuilder);
    Transact(TransactWriteItemsFluentBuilder);
    TransactGet(TransactGetItemsFluentBuilder);
}

impl Request {
    pub(super) fn shell(&self) -> (Kind, Option<String>) {
        let (kind, table) = match self {
            Self::Put(request) => (Kind::Put, request.get_table_name()),
            Self::Update(request) => (Kind::Update, request.get_table_name()),
            Self::Delete(request) => (Kind::Delete, request.get_table_name()),
            Self::Get(request) => (Kind::Get, request.get_table_name()),
            Self::Query(request) => (Kind::Query, request.get_table_name()),
            Self::Scan(request) => (Kind::Scan, request.get_table_name()),
            Self::Batch(_) => (Kind::Batch, &None),
            Self::Transact(_) => (Kind::Transact, &None),
            Self::TransactGet(_) => (Kind::TransactGet, &None),
        };
        (kind, table.clone())
    }
}

impl Kind {
    /// A request of this kind for this table, which is all that routing and signing look at.
    pub(super) fn without_content(self, client: &Client, table: Option<String>) -> Request {
        match self {
            Self::Put => client.put_item().set_table_name(table).into(),
            Self::Update => client.update_item().set_table_name(table).into(),
            Self::Delete => client.delete_item().set_table_name(table).into(),
            Self::Get => client.get_item().set_table_name(table).into(),
            Self::Query => client.query().set_table_name(table).into(),
            Self::Scan => client.scan().set_table_name(table).into(),
            Self::Batch => client.batch_get_item().into(),
            Self::Transact => client.transact_write_items().into(),
            Self::TransactGet => client.transact_get_items().into(),
        }
    }
}

fn taken<O: Taken>(output: O) -> Output {
    let units = output.capacity().map(|units| if O::IS_READ { [units, 0.0] } else { [0.0, units] });
    Output { answer: output.answer(), units }
}

fn total(capacity: Option<&ConsumedCapacity>) -> Option<f64> {
    capacity.and_then(ConsumedCapacity::capacity_units)
}

macro_rules! one_item {
    ($($output:ident.$item:ident, read: $is_read:literal;)*) => {$(
        impl Taken for $output {
            const IS_READ: bool = $is_read;

            fn capacity(&self) -> Option<f64> {
                total(self.consumed_capacity())
            }

            fn answer(self) -> Answer {
                Answer::Item(self.$item)
            }
        }
    )*};
}

one_item! {
    PutItemOutput.attributes, read: false;
    UpdateItemOutput.attributes, read: false;
    DeleteItemOutput.attributes, read: false;
    GetItemOutput.item, read: true;
}

macro_rules! page {
    ($($output:ident)*) => {$(
        impl Taken for $output {
            const IS_READ: bool = true;

            fn capacity(&self) -> Option<f64> {
                total(self.consumed_capacity())
            }

            fn answer(self) -> Answer {
                Answer::Page(Page {
                    items: self.items.unwrap_or_default(),
                    count: u64::try_from(self.count).unwrap_or_default(),
                    scanned: u64::try_from(self.scanned_count).unwrap_or_default(),
                    last: self.last_evaluated_key.filter(|key| !key.is_empty()),
                })
            }
        }
    )*};
}

page!(QueryOutput ScanOutput);

impl Taken for BatchGetItemOutput {
    const IS_READ: bool = true;

    fn capacity(&self) -> Option<f64> {
        let tables = self.consumed_capacity.as_ref()?;
        Some(tables.iter().filter_map(ConsumedCapacity::capacity_units).sum())
    }

    fn answer(self) -> Answer {
        let items = self.responses.unwrap_or_default().into_values().flatten().collect();
        let unprocessed = self.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
        Answer::Batch { items, unprocessed }
    }
}

impl Taken for TransactWriteItemsOutput {
    const IS_READ: bool = false;

    fn capacity(&self) -> Option<f64> {
        let tables = self.consumed_capacity.as_ref()?;
        Some(tables.iter().filter_map(ConsumedCapacity::capacity_units).sum())
    }

    fn answer(self) -> Answer {
        Answer::default()
    }
}

impl Taken for TransactGetItemsOutput {
    const IS_READ: bool = true;

    fn capacity(&self) -> Option<f64> {
        let tables = self.consumed_capacity.as_ref()?;
        Some(tables.iter().filter_map(ConsumedCapacity::capacity_units).sum())
    }

    fn answer(self) -> Answer {
        Answer::Items(self.responses.unwrap_or_default().into_iter().map(|response| response.item).collect())
    }
}
