//! What requests consume.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

/// A count of requests and of the capacity that they consume.
///
/// It counts the calls of a store ([`StoreBuilder::meter`](crate::StoreBuilder::meter)) or of a table
/// ([`Table::metered`](crate::Table::metered)), by operation. Clones share one count. The service sends some 60 bytes more with each
/// answer; without a meter, nothing is asked for.
///
/// The service doesn't report what a refused request consumes: a write whose condition fails takes write units for the item as it
/// stands, which is [`unreported`](Consumed::unreported) here. (AWS, "DynamoDB read and write operations".)
///
/// # Examples
///
/// ```
/// # use dynamo_once::{Item, Meter, Store, testing::Embedded};
/// # #[derive(serde::Serialize, serde::Deserialize, Item)]
/// # #[item(table = "accounts")]
/// # struct Account { #[item(partition_key)] id: String, balance: i64 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Embedded::start().await;
/// # let accounts = Store::new(engine.config().build()).table::<Account>();
/// # accounts.create_if_missing().await?;
/// let meter = Meter::new();
/// let accounts = accounts.metered(&meter);
/// accounts.insert(&Account { id: "acc-1".into(), balance: 10 }).send().await?;
/// accounts.get("acc-1").send().await?;
///
/// assert_eq!(meter.of("insert").write_units, 1.0);
/// assert_eq!((meter.total().requests, meter.total().read_units), (2, 1.0));
/// println!("{meter}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<&'static str, Consumed>>>);

/// What requests consumed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Consumed {
    /// The requests that were sent, retries and fences among them.
    pub requests: u64,
    /// The read capacity units that the service reported.
    pub read_units: f64,
    /// The write capacity units that the service reported.
    pub write_units: f64,
    /// The requests of which the service reported nothing: lost, throttled, refused, or under way.
    pub unreported: u64,
}

/// The meters of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meters(Arc<[Meter]>);

impl Meter {
    /// A count that starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What all operations consumed.
    #[must_use]
    pub fn total(&self) -> Consumed {
        let mut total = Consumed::default();
        self.by_operation().into_iter().for_each(|(_, consumed)| total += consumed);
        total
    }

    /// What the calls of this verb consumed: `insert`, `get`, `query` and so on, the fences of a write included.
    #[must_use]
    pub fn of(&self, operation: &str) -> Consumed {
        self.counts().get(operation).copied().unwrap_or_default()
    }

    /// What the calls of each verb consumed, in the order of their names.
    #[must_use]
    pub fn by_operation(&self) -> Vec<(&'static str, Consumed)> {
        self.counts().iter().map(|(operation, consumed)| (*operation, *consumed)).collect()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Consumed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and one more.
    pub(crate) fn with(&self, meter: &Meter) -> Self {
        Self(self.0.iter().chain([meter]).cloned().collect())
    }

    /// Counts a request that goes out: nobody may wait for its answer any more when that comes.
    pub(crate) fn sent(&self, operation: &'static str) {
        self.change(operation, |consumed| {
            consumed.requests += 1;
            consumed.unreported += 1;
        });
    }

    /// Counts the read and write units that the service reported of one of them.
    pub(crate) fn reported(&self, operation: &'static str, [read_units, write_units]: [f64; 2]) {
        self.change(operation, |consumed| {
            consumed.read_units += read_units;
            consumed.write_units += write_units;
            consumed.unreported -= 1;
        });
    }

    fn change(&self, operation: &'static str, change: impl Fn(&mut Consumed)) {
        self.0.iter().for_each(|meter| change(meter.counts().entry(operation).or_default()));
    }
}

impl AddAssign for Consumed {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
        self.unreported += other.unreported;
    }
}

/// A table of the operations.
impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14}{:>10}{:>12}{:>12}{:>12}",
            "operation", "requests", "read units", "write units", "unreported"
        )?;
        for (operation, consumed) in self.by_operation().into_iter().chain([("all", self.total())]) {
            let Consumed { requests, read_units, write_units, unreported } = consumed;
            writeln!(f, "{operation:<14}{requests:>10}{read_units:>12.1}{write_units:>12.1}{unreported:>12}")?;
        }
        Ok(())
    }
}
