//! The store: one client, one retry budget, and the tables behind them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_dynamodb::{Client, Config};

use crate::call::Caller;
use crate::format::Format;
use crate::item::Item;
use crate::key::Key;
use crate::lanes::Lanes;
use crate::meter::{Meter, Meters};
use crate::once::Records;
use crate::protocol::log::WriteId;
use crate::protocol::rules::LANES;
use crate::retry::RetryPolicy;
use crate::stamp::{STAMP_PREFIX, StampNames, WriteIds};
use crate::table::Table;

/// DynamoDB, as seen by one program: its client, its retry policy, and its table names.
///
/// Cheap to clone; clones share one client, one retry budget, and the lanes that calls on one item take. Make one per
/// process.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    caller: Caller,
    lanes: Arc<Lanes>,
    ids: WriteIds,
    stamp: Arc<StampNames>,
    table_names: TableNames,
    meters: Meters,
}

/// Builds a [`Store`]; see [`Store::builder`].
#[derive(Debug)]
#[must_use]
pub struct StoreBuilder {
    config: Config,
    retry: RetryPolicy,
    stamp_prefix: String,
    table_names: TableNames,
    meters: Meters,
}

/// How the name that an item declares becomes the name of a table.
#[derive(Clone)]
enum TableNames {
    Prefix(String),
    Resolver(Arc<dyn Fn(&str) -> String + Send + Sync>),
}

impl Store {
    /// A store on the given configuration: an `aws_config::SdkConfig` by reference, or a finished
    /// [`aws_sdk_dynamodb::Config`].
    ///
    /// Retries, timeouts, the HTTP client, the clock and the credentials are the configuration's. The SDK's own retries are
    /// turned off in the store's copy of it, since the store has to know of each attempt what became of it; so is its
    /// protection against stalled streams where the configuration doesn't ask for it, since each attempt has a timeout. Requests
    /// go without the headers `amz-sdk-request` and `amz-sdk-invocation-id`, in which the SDK would count its own retries.
    ///
    /// ```
    /// # async fn example() {
    /// let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let store = dynamo_once::Store::new(&config);
    /// # }
    /// ```
    #[must_use]
    pub fn new(config: impl Into<Config>) -> Self {
        Self::builder(config).build()
    }

    /// A store on the configuration of a client that exists already.
    #[must_use]
    pub fn from_client(client: &Client) -> Self {
        Self::new(client.config().clone())
    }

    /// Starts a store whose retry policy, table names or stamp differ from the defaults.
    pub fn builder(config: impl Into<Config>) -> StoreBuilder {
        StoreBuilder {
            config: config.into(),
            retry: RetryPolicy::new(),
            stamp_prefix: STAMP_PREFIX.to_owned(),
            table_names: TableNames::Prefix(String::new()),
            meters: Meters::default(),
        }
    }

    /// The table that the item type names in its `#[item(table = "..")]`, through the store's prefix or resolver.
    ///
    /// A type that names none is refused when this is compiled: give it a name, or use
    /// [`table_named`](Store::table_named).
    #[must_use]
    pub fn table<T: Item>(&self) -> Table<T> {
        let declared = const {
            match T::SCHEMA.table_name() {
                Some(name) => name,
                None => panic!("the item names no table: add #[item(table = \"..\")], or use Store::table_named"),
            }
        };
        self.table_named(self.resolved(declared))
    }

    fn resolved(&self, declared: &str) -> String {
        match &self.shared.table_names {
            TableNames::Prefix(prefix) => format!("{prefix}{declared}"),
            TableNames::Resolver(resolve) => resolve(declared),
        }
    }

    /// The table with this very name, whatever the item type declares.
    #[must_use]
    pub fn table_named<T: Item>(&self, name: impl Into<String>) -> Table<T> {
        const {
            let attributes = if T::SCHEMA.sort_key_name().is_some() { 2 } else { 1 };
            assert!(
                <T::Key as Key>::TYPES.len() == attributes,
                "a schema with a sort key has a key of two, and no other has"
            );
        }
        let format = Format { stamp: Arc::clone(&self.shared.stamp), version: T::SCHEMA.version_attribute_name() };
        Table::new(self.clone(), name.into(), T::SCHEMA, format)
    }

    /// Whether the other is a clone of this one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// A client on the configuration as it was given, the SDK's retries included.
    pub(crate) fn sdk(&self) -> Client {
        Client::from_conf(self.shared.config.clone())
    }

    /// The table of records of operations that run once, by this name through the store's prefix or resolver. See [`Records`].
    #[must_use]
    #[doc(alias = "idempotency")]
    pub fn records(&self, table: impl AsRef<str>) -> Records {
        self.records_named(self.resolved(table.as_ref()))
    }

    /// The table of records with this very name.
    #[must_use]
    pub fn records_named(&self, table: impl Into<String>) -> Records {
        Records::new(self.table_named(table))
    }

    /// The client to build requests with; they are sent by the [`Caller`].
    pub(crate) fn client(&self) -> &Client {
        self.shared.caller.client()
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.shared.caller
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    pub(crate) fn lanes(&self) -> &Arc<Lanes> {
        &self.shared.lanes
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.shared.caller.clock().now()
    }

    /// A fresh write id above this one, where the format has any left.
    pub(crate) fn write_id(&self, above: WriteId) -> Option<WriteId> {
        self.shared.ids.next(self.now(), above)
    }
}

impl StoreBuilder {
    /// Sets the retry policy, in the place of the one that the SDK configuration implies.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Puts a prefix before the table names that item types declare: `dev-` makes `accounts` the table `dev-accounts`.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_names = TableNames::Prefix(prefix.into());
        self
    }

    /// Turns the table names that item types declare, and those that [`Store::records`] is given, into the names of tables.
    pub fn table_names(mut self, resolve: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.table_names = TableNames::Resolver(Arc::new(resolve));
        self
    }

    /// Sets the prefix of the attributes that carry the stamp; `_w` unless set. All programs that write a table have to
    /// agree on it.
    pub fn stamp_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stamp_prefix = prefix.into();
        self
    }

    /// Counts all calls of the store, and the capacity that they consume, by this meter.
    #[doc(alias = "return_consumed_capacity")]
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.meters = self.meters.with(meter);
        self
    }

    /// Finishes the store.
    #[must_use]
    pub fn build(self) -> Store {
        Store {
            shared: Arc::new(Shared {
                caller: Caller::new(&self.config, &self.retry),
                lanes: Lanes::new(fastrand::u8(0..LANES as u8)),
                ids: WriteIds::default(),
                stamp: Arc::new(StampNames::new(&self.stamp_prefix)),
                table_names: self.table_names,
                meters: self.meters,
                config: self.config,
            }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl fmt::Debug for TableNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => f.debug_tuple("Prefix").field(prefix).finish(),
            Self::Resolver(_) => f.debug_tuple("Resolver").finish_non_exhaustive(),
        }
    }
}
