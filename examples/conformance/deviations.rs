//! Where engines are known not to do as the service does, and why dynamo-once doesn't mind.
//!
//! A new version of an engine may do better: the run then says which entry can go.

use crate::engine::Engine;
use crate::engine::Engine::{DynamoDbLocal, Embedded, LocalStack};

pub(crate) struct Deviation {
    pub(crate) engines: &'static [Engine],
    pub(crate) check: &'static str,
    /// What the check gets instead, to the letter: anything else is a failure.
    pub(crate) instead: &'static str,
    pub(crate) harmless: &'static str,
}

// Seen on dynoxide 3.2.0, LocalStack 4.14.0 and DynamoDB Local 1.25.1.
pub(crate) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        engines: &[Embedded],
        check: "only_strings_numbers_and_binaries_have_an_order",
        instead: "fails",
        harmless: "a typed path has `lt` and its like for numbers, strings and binaries only",
    },
    Deviation {
        engines: &[Embedded],
        check: "more_than_a_hundred_values_are_refused",
        instead: "holds",
        harmless: "`is_in` refuses them itself",
    },
    Deviation {
        engines: &[Embedded],
        check: "attribute_type_takes_no_other_type",
        instead: "fails",
        harmless: "`AttributeType` has the ten types and no other",
    },
    Deviation {
        engines: &[Embedded],
        check: "update_that_creates_has_nothing_old",
        instead: "{\"id\": S(\"update_that_creates_has_nothing_old\")}",
        harmless: "ALL_OLD is asked for by fences, and their guard lets none create an item",
    },
    Deviation {
        engines: &[Embedded],
        check: "expression_of_more_than_300_operators_is_refused",
        instead: "holds",
        harmless: "operators are counted before an expression is sent",
    },
    Deviation {
        engines: &[Embedded],
        check: "names_with_a_leading_underscore_need_a_placeholder",
        instead: "accepted",
        harmless: "every name has a placeholder",
    },
    Deviation {
        engines: &[LocalStack],
        check: "table_has_one_attribute_for_expiry",
        instead: "accepted",
        harmless: "no verb sets the attribute of a table",
    },
    Deviation {
        engines: &[LocalStack, DynamoDbLocal],
        check: "update_that_cannot_be_applied_cancels",
        instead: "ValidationException",
        harmless: "no verb sends a transaction, and either answer says that nothing was applied",
    },
];

pub(crate) fn known(engine: Engine, check: &str) -> Option<&'static Deviation> {
    DEVIATIONS.iter().find(|deviation| deviation.check == check && deviation.engines.contains(&engine))
}
