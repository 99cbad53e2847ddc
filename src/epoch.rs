//! Times as DynamoDB's programs store them: numbers, in a unit that their type says.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::expr::{Delta, Ordered};

macro_rules! epoch {
    ($(#[$doc:meta])* $epoch:ident, $unit:literal, $from:ident, $count:ident, by $($delta:ty)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        #[expect(clippy::exhaustive_structs, reason = "it is the number")]
        pub struct $epoch(pub u64);

        /// A time before 1970 is 0.
        impl From<SystemTime> for $epoch {
            fn from(time: SystemTime) -> Self {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Self(u64::try_from(since.$count()).unwrap_or(u64::MAX))
            }
        }

        /// Fails for what is beyond the times of this system.
        impl TryFrom<$epoch> for SystemTime {
            type Error = Error;

            fn try_from(epoch: $epoch) -> Result<Self, Error> {
                Self::UNIX_EPOCH.checked_add(Duration::$from(epoch.0)).ok_or_else(|| {
                    Error::invalid(concat!("no time of this system is so many ", $unit, " after 1970"))
                })
            }
        }

        /// The number.
        impl fmt::Display for $epoch {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Ordered for $epoch {}

        $(
            impl Delta<$epoch> for $delta {
                fn into_delta(self) -> Result<AttributeValue, Error> {
                    Ok(AttributeValue::N(self.to_string()))
                }
            }

            impl Delta<Option<$epoch>> for $delta {
                fn into_delta(self) -> Result<AttributeValue, Error> {
                    Ok(AttributeValue::N(self.to_string()))
                }
            }
        )*
    };
}

epoch! {
    /// A time in seconds since 1970, UTC: what DynamoDB's TTL goes by. Stored as a number.
    ///
    /// It is compared, and added to, as one: `f.due.lt(EpochSeconds(1_800_000_000))`, `.add(f.due, 3600)`.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use dynamo_once::EpochSeconds;
    ///
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// assert_eq!(EpochSeconds::from(time), EpochSeconds(1_800_000_000));
    /// assert_eq!(SystemTime::try_from(EpochSeconds(1_800_000_000))?, time);
    /// # Ok::<(), dynamo_once::Error>(())
    /// ```
    EpochSeconds, "seconds", from_secs, as_secs, by i8 i16 i32 i64 u8 u16 u32 u64
}

epoch! {
    /// A time in milliseconds since 1970, UTC. Stored as a number, and compared and added to as one.
    EpochMillis, "milliseconds", from_millis, as_millis, by i8 i16 i32 i64 u8 u16 u32 u64
}

impl From<EpochMillis> for EpochSeconds {
    fn from(time: EpochMillis) -> Self {
        Self(time.0 / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back_and_those_out_of_reach_are_told() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        assert_eq!(EpochMillis::from(time), EpochMillis(1_800_000_000_123));
        assert_eq!(SystemTime::try_from(EpochMillis::from(time)).expect("is one"), time);
        assert_eq!(EpochSeconds::from(time), EpochSeconds(1_800_000_000));
        assert_eq!(EpochSeconds::from(EpochMillis(1_999)), EpochSeconds(1));
        assert_eq!(EpochSeconds::from(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), EpochSeconds(0));
        assert!(SystemTime::try_from(EpochSeconds(u64::MAX)).expect_err("is far off").is_invalid());
    }

    #[test]
    fn a_time_is_stored_shown_and_added_to_as_a_number() {
        let number = AttributeValue::N("7".to_owned());
        assert_eq!(crate::expr::encode(&EpochSeconds(7)).expect("is a number"), number);
        let read: Option<EpochMillis> = serde_dynamo::from_attribute_value(number.clone()).expect("is a number");
        assert_eq!(read, Some(EpochMillis(7)));
        assert_eq!(format!("{:>3}", EpochSeconds(7)), "  7");
        assert_eq!(Delta::<EpochSeconds>::into_delta(7).expect("is a number"), number);
        assert_eq!(Delta::<Option<EpochMillis>>::into_delta(7_u64).expect("is a number"), number);
    }
}
