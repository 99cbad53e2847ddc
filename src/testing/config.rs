//! The SDK configuration that the test doubles hand out: everything set, nothing read from the environment.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, HttpClient, Region};

/// A configuration with made-up credentials that sends through `http`.
pub(super) fn offline(http: impl HttpClient + 'static) -> Builder {
    // The SDK's retry budget is global to the process and shared by all clients of a region. Clients that meet faults
    // on purpose would spend it for each other, so each configuration gets a budget of its own.
    static PARTITIONS: AtomicU64 = AtomicU64::new(0);
    let partition = PARTITIONS.fetch_add(1, Ordering::Relaxed);

    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "dynamo-once testing"))
        // Never looked up: nothing that uses this configuration opens a socket.
        .endpoint_url("http://dynamodb.invalid")
        .retry_partition(RetryPartition::new(format!("dynamo-once-testing-{partition}")))
        .http_client(http)
}
