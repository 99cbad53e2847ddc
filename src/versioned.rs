//! An item as read, with the version that it had.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::error::Error;
use crate::item::{Item, RawItem, image};
use crate::protocol::guard::{Birth, Expect};
use crate::protocol::log::WriteId;

/// An item as it was read, and the version it had then.
///
/// Dereferences to the item. To change it, see [`with`](Versioned::with).
#[derive(Clone)]
pub struct Versioned<T> {
    item: T,
    etag: Etag,
    stored: Stored,
}

/// The item as it was stored: kept, and shared by clones, where a difference can't be told without it. Where no version tells that it is
/// still the one that was read, that is all of it. Else it is its maps, whose paths have to be there, and what beside them the item itself
/// doesn't serialise; and nothing where it has no maps. Many items may be kept at a time.
#[derive(Clone)]
pub(crate) struct Stored(Option<Arc<RawItem>>);

/// An item as it was read, and as it is to be: what [`Table::save`](crate::Table::save) takes.
pub struct Changed<T> {
    /// The item as it serialised before the change; a failure is kept for `send`.
    pub(crate) before: Result<RawItem, Error>,
    pub(crate) after: T,
    pub(crate) etag: Etag,
    pub(crate) stored: Stored,
}

/// The version and the birth of an item, by which a later write can tell that it is still the one that was read.
///
/// Its text form (`Display`, `FromStr`, serde) is opaque and, put in double quotes, an HTTP `ETag`; one in quotes, as
/// `If-Match` brings it back, is read too. A bare version number is accepted as well ([`Etag::from`]); it is weaker, since an
/// item that was deleted and made again can have the same version.
///
/// The etag of an item that only other programs have written says that none of this crate has, and the version if there is
/// one. Where there is none, what other programs change in between goes unseen, unless it is in what
/// [`save`](crate::Table::save) itself changes; the first managed write puts an end to that.
///
/// ```
/// use dynamo_once::Etag;
///
/// let if_match = "\"7-0190163d8694739b8b0ab83ec6c0a7c0\"";
/// let etag: Etag = if_match.parse()?;
/// assert_eq!(format!("\"{etag}\""), if_match);
/// # Ok::<(), dynamo_once::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Etag {
    version: u64,
    birth: Birth,
}

impl<T> Versioned<T> {
    pub(crate) fn new(item: T, etag: Etag, raw: RawItem) -> Self
    where
        T: Item,
    {
        Self { item, etag, stored: Stored::keep::<T>(raw, etag) }
    }

    /// A part of an item, of which no difference is ever told.
    pub(crate) fn projected(item: T, etag: Etag) -> Self {
        Self { item, etag, stored: Stored(None) }
    }

    /// The item's version: 1 at its insert, one more at each write. An item that another program wrote may have none: 0.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.etag.version
    }

    /// The item's version and birth.
    #[must_use]
    pub fn etag(&self) -> Etag {
        self.etag
    }

    /// The item itself.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.item
    }

    /// Changes the item, for [`Table::save`](crate::Table::save).
    ///
    /// ```
    /// use dynamo_once::{Changed, Item, Versioned};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, Item)]
    /// struct Account {
    ///     #[item(partition_key)]
    ///     id: String,
    ///     owner: String,
    /// }
    ///
    /// fn rename(found: Versioned<Account>) -> Changed<Account> {
    ///     found.with(|account| account.owner = "eve".into())
    /// }
    /// ```
    #[must_use]
    pub fn with(self, change: impl FnOnce(&mut T)) -> Changed<T>
    where
        T: Item,
    {
        let Ok(changed) = self.try_with(|item| {
            change(item);
            Ok::<_, Infallible>(())
        });
        changed
    }

    pub(crate) fn try_with<E>(self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<Changed<T>, E>
    where
        T: Item,
    {
        let before = image(&self.item);
        let mut after = self.item;
        change(&mut after)?;
        Ok(Changed { before, after, etag: self.etag, stored: self.stored })
    }
}

impl Stored {
    fn keep<T: Item>(raw: RawItem, etag: Etag) -> Self {
        if etag.birth == Birth::Foreign {
            return Self(Some(Arc::new(raw)));
        }
        if !raw.values().any(AttributeValue::is_m) {
            return Self(None);
        }
        let is_known = |name: &str| T::SCHEMA.known_attributes().iter().any(|attribute| attribute.name() == name);
        let kept = raw.into_iter().filter(|(name, value)| value.is_m() || !is_known(name));
        Self(Some(Arc::new(kept.collect())))
    }

    /// What is kept of the item as it was stored; `None` where it has a log and no maps.
    pub(crate) fn raw(&self) -> Option<&RawItem> {
        self.0.as_deref()
    }
}

impl<T: PartialEq> PartialEq for Versioned<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.item, self.etag) == (&other.item, other.etag)
    }
}

impl<T: Eq> Eq for Versioned<T> {}

impl<T: fmt::Debug> fmt::Debug for Versioned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned").field("item", &self.item).field("etag", &self.etag).finish_non_exhaustive()
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> fmt::Debug for Changed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("etag", &self.etag).finish_non_exhaustive()
    }
}

impl Etag {
    pub(crate) fn new(version: u64, birth: Birth) -> Self {
        Self { version, birth }
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn birth(&self) -> Birth {
        self.birth
    }

    /// What a call at this etag expects.
    pub(crate) fn expect(self) -> Expect {
        Expect::At { version: self.version, birth: self.birth }
    }
}

impl From<u64> for Etag {
    fn from(version: u64) -> Self {
        Self { version, birth: Birth::Any }
    }
}

impl<T> From<&Versioned<T>> for Etag {
    fn from(item: &Versioned<T>) -> Self {
        item.etag
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.birth {
            Birth::Any => write!(f, "{}", self.version),
            Birth::Foreign => write!(f, "{}-unmanaged", self.version),
            Birth::Known(birth) => write!(f, "{}-{}", self.version, birth.uuid().simple()),
        }
    }
}

impl FromStr for Etag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.starts_with("W/") {
            return Err(Error::invalid(WEAK));
        }
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let (version, birth) = match text.split_once('-') {
            None => (text, Some(Birth::Any)),
            Some((version, "unmanaged")) => (version, Some(Birth::Foreign)),
            Some((version, birth)) => {
                let birth = (birth.len() == 32).then(|| Uuid::try_parse(birth).ok()).flatten();
                (version, birth.map(|birth| Birth::Known(WriteId(birth.as_u128()))))
            }
        };
        let etag = version.parse().ok().zip(birth).map(|(version, birth)| Self { version, birth });
        // An etag has one form only: no plus sign, no leading zeros, no capital letters.
        match etag.filter(|etag| etag.to_string() == text) {
            Some(Self { birth: Birth::Known(birth), .. }) if birth.is_of_later_format() => Err(Error::invalid(LATER)),
            Some(etag) => Ok(etag),
            None => Err(Error::invalid("this is no etag: take it from `Versioned::etag`, or give a version number")),
        }
    }
}

const WEAK: &str = "a weak etag (`W/`) may stand for several versions of an item; send the strong one, without `W/`";
const LATER: &str = "the etag is of a later format than this version of the library can read; upgrade it";

impl Serialize for Etag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Etag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
