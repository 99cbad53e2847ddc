//! What stands behind the promise, and how to live with it: pages to read, without any code.
//!
//! | page | answers |
//! |---|---|
//! | [`how_we_know`] | what shows that the promise is kept, and what that doesn't show |
//! | [`where_the_promise_ends`] | what can still happen twice, or end unknown; by which example, and what closes it |
//! | [`moving_a_table`] | what this crate does to items that others have written, and what others see of it |
//! | [`single_table`] | several item types in one table: keys put together of fields, and indexes |
//! | [`lambda`] | a Lambda function's handler, once for each event: queues, deadlines, the table, the policy |
//! | [`permissions`] | which IAM actions each verb needs |
//! | [`values`] | which types of fields go with which conditions and changes; newtypes, timestamps, decimals |
//! | [`testing`] | how to test your own code against lost replies |

#[doc = include_str!("guide/how_we_know.md")]
pub mod how_we_know {}

#[doc = include_str!("guide/where_the_promise_ends.md")]
pub mod where_the_promise_ends {}

#[doc = include_str!("guide/moving_a_table.md")]
pub mod moving_a_table {}

#[doc = include_str!("guide/single_table.md")]
pub mod single_table {}

#[doc = include_str!("guide/lambda.md")]
pub mod lambda {}

#[doc = include_str!("guide/permissions.md")]
pub mod permissions {}

#[doc = include_str!("guide/values.md")]
pub mod values {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}
