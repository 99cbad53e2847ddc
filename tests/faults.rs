//! Each fault, met by the plain SDK in front of an embedded engine: what is stored, what was counted, what the log
//! says.

#![cfg(feature = "embedded")]
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, which does not cover their helper functions")]

use std::collections::HashMap;
use std::error::Error;
use std::task::Poll;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dynamo_once::testing::{Arrival, Embedded, Fault, Faults, Operation, Rates, Reply, Request, Scripted};
use serde_json::json;
use tokio::time::Instant;

/// A table of counters behind `Faults`.
struct Bench {
    engine: Embedded,
    faults: Faults,
    client: Client,
}

impl Bench {
    async fn start() -> Self {
        let engine = Embedded::start().await;
        create_table(&engine.client()).await;
        let faults = Faults::around(engine.http_client());
        let client = Client::from_conf(engine.config().http_client(faults.clone()).build());
        Self { engine, faults, client }
    }

    /// A client through the same faults that gives up an attempt after a second.
    fn impatient(&self) -> Client {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(1)).build();
        let config = self.engine.config().timeout_config(timeouts);
        Client::from_conf(config.http_client(self.faults.clone()).build())
    }

    async fn insert(&self) -> Result<PutItemOutput, SdkError<PutItemError>> {
        insert(&self.client).await
    }

    async fn count(&self) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
        count(&self.client).await
    }

    /// What is stored, asked past the faults.
    async fn stored(&self) -> Option<i64> {
        let get = self.engine.client().get_item().table_name("counters").key("id", text("a")).consistent_read(true);
        let item = get.send().await.unwrap().item?;
        Some(item["n"].as_n().unwrap().parse().unwrap())
    }

    fn last_outcome(&self) -> String {
        self.faults.log().entries().last().unwrap().outcome().to_owned()
    }
}

async fn create_table(client: &Client) {
    let id =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let table = client.create_table().table_name("counters").attribute_definitions(id).key_schema(key);
    table.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

/// Puts the counter at 1 if it isn't there.
async fn insert(client: &Client) -> Result<PutItemOutput, SdkError<PutItemError>> {
    let put = client.put_item().table_name("counters").item("id", text("a")).item("n", AttributeValue::N("1".into()));
    put.condition_expression("attribute_not_exists(id)").send().await
}

/// Adds 1 to the counter.
async fn count(client: &Client) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
    let update = client.update_item().table_name("counters").key("id", text("a")).update_expression("ADD n :one");
    update.expression_attribute_values(":one", AttributeValue::N("1".into())).send().await
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn is_refused(result: Result<PutItemOutput, SdkError<PutItemError>>) -> bool {
    matches!(result, Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception))
}

fn is_connect<E: Error + 'static>(error: &E) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            return true;
        }
        cause = error.source();
    }
    false
}

use Operation::{PutItem, UpdateItem};

#[tokio::test(start_paused = true)]
async fn without_a_fault_requests_pass_through_and_are_logged() {
    let bench = Bench::start().await;
    bench.insert().await.unwrap();
    assert!(is_refused(bench.insert().await));
    assert_eq!(bench.stored().await, Some(1));
    assert_eq!((bench.faults.received(PutItem), bench.faults.reached(PutItem), bench.faults.injected()), (2, 2, 0));
    assert_eq!(
        bench.faults.log().to_string(),
        "#1  PutItem  -  table: 200                                  caller: 200\n\
         #2  PutItem  -  table: 400 ConditionalCheckFailedException  caller: 400 ConditionalCheckFailedException\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_the_error_of_a_real_one_and_never_reaches_the_table() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).times(3).inject(Fault::connection_refused());
    let error = bench.insert().await.unwrap_err();
    assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error:?}");
    assert!(is_connect(&error));
    assert_eq!(bench.stored().await, None);
    assert_eq!((bench.faults.received(PutItem), bench.faults.reached(PutItem)), (3, 0));
    assert_eq!(bench.last_outcome(), "connection refused");
    bench.insert().await.unwrap();
}

#[tokio::test]
async fn a_really_refused_connection_looks_the_same() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let engine = Embedded::start().await;
    let config = engine.config().build().to_builder();
    let mut config = config.endpoint_url(format!("http://127.0.0.1:{port}"));
    config.set_http_client(None);
    let error = insert(&Client::from_conf(config.build())).await.unwrap_err();
    assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error:?}");
    assert!(is_connect(&error));
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_breaks_the_connection_and_never_reaches_the_table() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).times(3).inject(Fault::lost_request());
    let error = bench.insert().await.unwrap_err();
    assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error:?}");
    assert!(!is_connect(&error));
    assert_eq!(bench.stored().await, None);
    assert_eq!((bench.faults.received(PutItem), bench.faults.reached(PutItem)), (3, 0));
    assert_eq!(bench.last_outcome(), "connection broken");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_the_plain_sdk_refuse_its_own_insert() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).inject(Fault::lost_reply());
    assert!(is_refused(bench.insert().await));
    assert_eq!(bench.stored().await, Some(1));
    assert_eq!(
        bench.faults.log().to_string(),
        "#1  PutItem  lost reply  table: 200                                  caller: connection broken\n\
         #2  PutItem  -           table: 400 ConditionalCheckFailedException  caller: 400 ConditionalCheckFailedException\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_makes_the_plain_sdk_count_twice() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).inject(Fault::lost_reply());
    bench.count().await.unwrap();
    assert_eq!(bench.stored().await, Some(2));
    assert_eq!((bench.faults.received(UpdateItem), bench.faults.reached(UpdateItem)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hang_lasts_until_the_attempt_times_out_in_simulated_time() {
    let bench = Bench::start().await;
    let begun = Instant::now();
    bench.faults.on(PutItem).inject(Fault::hang());
    insert(&bench.impatient()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(bench.stored().await, Some(1));
    assert_eq!((bench.faults.received(PutItem), bench.faults.reached(PutItem)), (2, 1));
    assert_eq!(bench.faults.log().entries()[0].outcome(), "gave up");
}

#[tokio::test(start_paused = true)]
async fn a_hang_after_the_write_has_applied_it() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).inject(Fault::hang().applied());
    assert!(is_refused(insert(&bench.impatient()).await));
    assert_eq!((bench.stored().await, bench.faults.reached(PutItem)), (Some(1), 2));
    assert_eq!(bench.faults.log().entries()[0].fault().unwrap().to_string(), "hang, applied");
}

#[tokio::test(start_paused = true)]
async fn a_hang_ends_with_the_read_timeout_where_there_is_one() {
    let bench = Bench::start().await;
    let timeouts = TimeoutConfig::builder().read_timeout(Duration::from_secs(2)).build();
    let config = bench.engine.config().timeout_config(timeouts).http_client(bench.faults.clone());
    bench.faults.on(PutItem).times(3).inject(Fault::hang());
    let error = insert(&Client::from_conf(config.build())).await.unwrap_err();
    assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_timeout()), "{error:?}");
    assert_eq!(bench.last_outcome(), "timeout");
}

#[tokio::test(start_paused = true)]
async fn a_late_request_arrives_on_command_after_its_caller_has_been_served() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).inject(Fault::late(Arrival::OnCommand));
    bench.count().await.unwrap();
    assert_eq!((bench.stored().await, bench.faults.held_back()), (Some(1), 1));
    assert_eq!(bench.faults.deliver_late().await, 1);
    assert_eq!((bench.stored().await, bench.faults.held_back()), (Some(2), 0));
    assert_eq!(bench.faults.deliver_late().await, 0);
    assert_eq!((bench.faults.received(UpdateItem), bench.faults.reached(UpdateItem)), (2, 2));
    assert_eq!(bench.faults.log().entries()[0].answers(), ["200 (late, after #2)"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_request_counts_as_held_back_until_it_is_answered_or_dropped() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).times(2).inject(Fault::late(Arrival::OnCommand));
    bench.count().await.unwrap();
    {
        let mut delivery = std::pin::pin!(bench.faults.deliver_late());
        // It has left, and steps aside before the engine has it.
        assert!(std::future::poll_fn(|cx| Poll::Ready(delivery.as_mut().poll(cx))).await.is_pending());
        assert_eq!((bench.stored().await, bench.faults.held_back()), (Some(1), 2));
    }
    assert_eq!(bench.faults.held_back(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_request_arrives_after_its_caller_has_given_up() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).times(3).inject(Fault::late(Arrival::OnCommand).hanging());
    count(&bench.impatient()).await.unwrap_err();
    assert_eq!((bench.stored().await, bench.faults.held_back()), (None, 3));
    assert_eq!(bench.faults.deliver_late().await, 3);
    assert_eq!(bench.stored().await, Some(3));
    assert!(bench.faults.log().entries().iter().all(|entry| entry.outcome() == "gave up"));
}

#[tokio::test(start_paused = true)]
async fn a_late_request_arrives_after_the_next_one_of_its_operation() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).inject(Fault::late(Arrival::AfterNext));
    bench.insert().await.unwrap();
    // The re-send came first and was applied; the first attempt arrived after it and failed its condition.
    let log = bench.faults.log();
    assert_eq!(log.entries()[0].answers(), ["400 ConditionalCheckFailedException (late, after #2)"]);
    assert_eq!(log.entries()[1].answers(), ["200"]);
    assert_eq!((bench.stored().await, bench.faults.held_back()), (Some(1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_late_request_does_not_wait_for_other_operations() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).times(3).inject(Fault::late(Arrival::AfterNext));
    bench.insert().await.unwrap_err();
    bench.count().await.unwrap();
    assert_eq!((bench.faults.reached(PutItem), bench.faults.held_back()), (0, 3));
    assert!(is_refused(bench.insert().await));
    assert_eq!((bench.faults.reached(PutItem), bench.faults.held_back()), (4, 0));
}

#[expect(clippy::disallowed_methods, reason = "the time is simulated")]
#[tokio::test(start_paused = true)]
async fn a_late_request_arrives_after_a_while_of_simulated_time() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).inject(Fault::late(Arrival::After(Duration::from_secs(60))));
    bench.count().await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(bench.stored().await, Some(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.stored().await, Some(2));
    assert_eq!(bench.faults.held_back(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_executed_twice_and_its_second_answer_is_returned() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).inject(Fault::duplicate());
    assert!(is_refused(bench.insert().await));
    assert_eq!(bench.stored().await, Some(1));
    assert_eq!((bench.faults.received(PutItem), bench.faults.reached(PutItem)), (1, 2));
    assert_eq!(bench.faults.log().entries()[0].answers(), ["200", "400 ConditionalCheckFailedException"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_arrives_after_so_many_further_requests() {
    let bench = Bench::start().await;
    bench.faults.on(UpdateItem).inject(Fault::duplicate_after(2));
    for expected in [1, 2, 4] {
        bench.count().await.unwrap();
        assert_eq!(bench.stored().await, Some(expected));
    }
    assert_eq!((bench.faults.received(UpdateItem), bench.faults.reached(UpdateItem)), (3, 4));

    bench.faults.on(UpdateItem).inject(Fault::duplicate_after(0));
    bench.count().await.unwrap();
    assert_eq!(bench.stored().await, Some(6));
}

#[tokio::test(start_paused = true)]
async fn server_errors_come_before_or_after_the_write() {
    for (fault, status, stored) in [
        (Fault::internal_error(), "500 InternalServerError", 1),
        (Fault::internal_error().applied(), "500 InternalServerError", 2),
        (Fault::unavailable(), "503 ServiceUnavailable", 1),
        (Fault::unavailable().applied(), "503 ServiceUnavailable", 2),
    ] {
        let bench = Bench::start().await;
        bench.faults.on(UpdateItem).inject(fault.clone());
        bench.count().await.unwrap();
        assert_eq!(bench.stored().await, Some(stored), "{fault}");
        assert_eq!(bench.faults.log().entries()[0].outcome(), status);
        assert_eq!(bench.faults.reached(UpdateItem), stored as usize, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_service_are_the_ones_the_sdk_models() {
    let bench = Bench::start().await;
    let sent = async |fault: Fault| {
        bench.faults.on(PutItem).times(3).inject(fault);
        let error = bench.insert().await.unwrap_err();
        bench.faults.stop();
        error.into_service_error()
    };
    assert!(sent(Fault::throughput_exceeded()).await.is_provisioned_throughput_exceeded_exception());
    assert!(sent(Fault::throttled()).await.is_throttling_exception());
    assert!(sent(Fault::transaction_conflict()).await.is_transaction_conflict_exception());
    assert!(sent(Fault::internal_error()).await.is_internal_server_error());
    assert_eq!(sent(Fault::unavailable()).await.meta().code(), Some("ServiceUnavailable"));
    assert_eq!(sent(Fault::transaction_in_progress()).await.meta().code(), Some("TransactionInProgressException"));
    assert_eq!(sent(Fault::reply(Reply::error("ItemTooLarge"))).await.meta().code(), Some("ItemTooLarge"));
    assert_eq!((bench.stored().await, bench.faults.reached(PutItem)), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_truncated_reply_keeps_its_status_and_the_write() {
    let bench = Bench::start().await;
    bench.faults.on(PutItem).inject(Fault::truncated_reply());
    let error = bench.insert().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 200, "{error:?}");
    assert!(error.raw_response().unwrap().headers().contains_key("x-amzn-requestid"));
    assert_eq!((bench.stored().await, bench.faults.reached(PutItem)), (Some(1), 1));
    assert_eq!(bench.last_outcome(), "200 truncated");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reply_takes_its_time() {
    let bench = Bench::start().await;
    let begun = Instant::now();
    bench.faults.on(PutItem).inject(Fault::slow_reply(Duration::from_secs(30)));
    bench.insert().await.unwrap();
    assert_eq!((begun.elapsed().as_secs(), bench.stored().await), (30, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_script_picks_requests_by_operation_order_and_content() {
    let bench = Bench::start().await;
    let faults = &bench.faults;
    faults.on(UpdateItem).nth(2).inject(Fault::throttled());
    faults.on(UpdateItem).nth(4).times(2).inject(Fault::unavailable());
    faults.on(PutItem).when(|request| request.attributes("Item")["id"] == text("b")).inject(Fault::lost_request());
    bench.insert().await.unwrap();
    for _ in 0..3 {
        bench.count().await.unwrap();
    }
    let met: Vec<bool> = faults.log().entries().iter().map(|entry| entry.fault().is_some()).collect();
    assert_eq!(met, [false, false, true, false, true, true, false], "\n{}", faults.log());
    assert_eq!(bench.stored().await, Some(4));

    // Two lines for the same request: the second waits for the next.
    faults.on(UpdateItem).inject(Fault::throttled());
    faults.on(UpdateItem).inject(Fault::unavailable());
    bench.count().await.unwrap();
    let log = faults.log();
    let met = log.entries().iter().rev().map(|entry| entry.fault().map(ToString::to_string));
    assert_eq!(met.take(3).collect::<Vec<_>>(), [None, Some("503".into()), Some("throttled".into())], "\n{log}");

    faults.on_any().always().inject(Fault::transaction_in_progress());
    bench.count().await.unwrap_err();
    bench.insert().await.unwrap_err();
    faults.stop();
    bench.count().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_seeded_schedule_repeats_itself() {
    let mut logs = Vec::new();
    for seed in [3, 3, 4] {
        let bench = Bench::start().await;
        bench.faults.seeded(seed, Rates::spread(0.6).on(UpdateItem)).unwrap();
        for _ in 0..40 {
            let _any = bench.count().await;
        }
        assert!(bench.faults.injected() > 10, "\n{}", bench.faults.log());
        // Every execution counted one.
        bench.faults.deliver_late().await;
        assert_eq!(bench.stored().await, Some(bench.faults.reached(UpdateItem) as i64), "\n{}", bench.faults.log());
        logs.push(bench.faults.log().to_string());
    }
    assert_eq!(logs[0], logs[1]);
    assert_ne!(logs[0], logs[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_execution_is_counted_under_many_tasks_and_threads() {
    let bench = Bench::start().await;
    bench.faults.seeded(11, Rates::spread(0.5).on(UpdateItem)).unwrap();
    let backoff = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let config = bench.engine.config().retry_config(backoff.with_max_backoff(Duration::from_millis(2)));
    let client = Client::from_conf(config.http_client(bench.faults.clone()).build());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        tasks.spawn(async move { count(&client).await.is_ok() });
    }
    tasks.join_all().await;
    bench.faults.deliver_late().await;
    let log = bench.faults.log();
    assert_eq!(bench.stored().await, Some(bench.faults.reached(UpdateItem) as i64), "\n{log}");
    assert!(log.entries().iter().all(|entry| entry.outcome() != "waiting"), "\n{log}");
    assert!(bench.faults.injected() > 30, "\n{log}");
}

#[tokio::test]
async fn rates_that_cannot_be_are_an_error() {
    let faults = Faults::around(Scripted::new());
    assert!(faults.seeded(1, Rates::spread(1.5)).is_err());
    assert!(faults.seeded(1, Rates::new().with(Fault::hang(), f64::NAN)).is_err());
    faults.seeded(1, Rates::spread(1.0)).unwrap();
}

#[tokio::test]
async fn faults_work_over_a_real_connection() {
    let engine = Embedded::start().await;
    create_table(&engine.client()).await;
    let faults = Faults::around(aws_smithy_http_client::Builder::new().build_http());
    let config = engine.config().endpoint_url(engine.endpoint()).http_client(faults.clone());
    let client = Client::from_conf(config.build());
    faults.on(PutItem).inject(Fault::lost_reply());
    assert!(is_refused(insert(&client).await));
    faults.on(PutItem).inject(Fault::truncated_reply());
    insert(&client).await.unwrap_err();
    assert_eq!((faults.received(PutItem), faults.reached(PutItem)), (3, 3));
}

/// An item whose lane holds what this request was about to write.
fn as_written(request: &Request) -> Option<HashMap<String, AttributeValue>> {
    Some(request.attributes("Item"))
}

#[tokio::test(start_paused = true)]
async fn a_scripted_peer_answers_as_written_and_keeps_what_it_was_asked() {
    let peer = Scripted::new()
        .then(PutItem, Reply::connection_refused())
        .then(PutItem, Reply::broken_connection())
        .then_with(PutItem, |request| Reply::condition_failed(as_written(request)));
    let error = insert(&peer.client()).await.unwrap_err().into_service_error();
    let PutItemError::ConditionalCheckFailedException(error) = error else { panic!("{error:?}") };
    assert_eq!(error.item().unwrap()["n"], AttributeValue::N("1".into()));

    peer.finish();
    assert_eq!(peer.requests().len(), 3);
    assert_eq!(peer.requests()[2].text("ConditionExpression"), Some("attribute_not_exists(id)"));
    assert_eq!(peer.requests()[2].body()["Item"]["n"], json!({ "N": "1" }));
    assert_eq!(
        peer.to_string(),
        "#1 PutItem on counters: connection refused\n\
         #2 PutItem on counters: connection broken\n\
         #3 PutItem on counters: 400 ConditionalCheckFailedException\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scripted_peer_plays_every_kind_of_reply_in_simulated_time() {
    let begun = Instant::now();
    let peer = Scripted::new()
        .then(UpdateItem, Reply::hang())
        .then(UpdateItem, Reply::throughput_exceeded())
        .then(UpdateItem, Reply::ok(json!({})).after(Duration::from_millis(500)))
        .then(UpdateItem, Reply::ok(json!({})).truncated())
        .then(UpdateItem, Reply::error("ValidationException").message("no such path"));
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(9)).build();
    let client = Client::from_conf(peer.config().timeout_config(timeouts).build());

    count(&client).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(9500));
    assert_eq!(count(&client).await.unwrap_err().raw_response().unwrap().status().as_u16(), 200);
    let refused = count(&client).await.unwrap_err().into_service_error();
    assert_eq!((refused.meta().code(), refused.meta().message()), (Some("ValidationException"), Some("no such path")));
    peer.finish();
}

#[tokio::test(start_paused = true)]
async fn a_scripted_peer_says_where_the_conversation_went_another_way() {
    let peer = Scripted::new().then(PutItem, Reply::ok(json!({})));
    count(&peer.client()).await.unwrap_err();
    assert_eq!((peer.remaining(), peer.requests().len()), (1, 1));
    assert_eq!(
        peer.to_string(),
        "#1 UpdateItem on counters: not expected: UpdateItem on counters came instead of PutItem\n\
         -- PutItem: did not come\n"
    );
    assert!(std::panic::catch_unwind(|| peer.finish()).is_err());
}

#[test]
fn items_survive_the_way_through_json() {
    let item = dynamo_once::testing::item(&json!({
        "s": { "S": "x" }, "n": { "N": "1.5" }, "b": { "B": "AAEC/w==" }, "t": { "BOOL": true }, "z": { "NULL": true },
        "ss": { "SS": ["a", "b"] }, "ns": { "NS": ["1"] }, "bs": { "BS": ["AA=="] },
        "l": { "L": [{ "M": { "in": { "N": "7" } } }] }, "broken": { "S": 7 }, "unknown": { "X": "x" },
    }));
    assert_eq!(item.len(), 9);
    let AttributeValue::L(list) = &item["l"] else { panic!("{:?}", item["l"]) };
    assert_eq!(list[0].as_m().unwrap()["in"], AttributeValue::N("7".into()));
    assert_eq!(item["b"].as_b().unwrap().as_ref(), [0, 1, 2, 255]);
}

#[tokio::test]
async fn the_engine_answers_alike_with_and_without_a_socket() {
    let engine = Embedded::start().await;
    create_table(&engine.client()).await;
    let over_http = aws_smithy_http_client::Builder::new().build_http();
    let wired = Client::from_conf(engine.config().endpoint_url(engine.endpoint()).http_client(over_http).build());
    for client in [&engine.client(), &wired] {
        let outcome = |error: SdkError<PutItemError>| {
            let status = error.raw_response().unwrap().status().as_u16();
            let code = error.as_service_error().unwrap().meta().code().unwrap().to_owned();
            (status, code)
        };
        let put = |id: AttributeValue, n: &str| {
            client.put_item().table_name("counters").item("id", id).item("n", AttributeValue::N(n.into()))
        };
        put(text("a"), "1").send().await.unwrap();
        let refused = put(text("a"), "1").condition_expression("attribute_not_exists(id)").send().await.unwrap_err();
        assert_eq!(outcome(refused), (400, "ConditionalCheckFailedException".into()));
        let validation = (400, "ValidationException".to_owned());
        assert_eq!(outcome(put(text(""), "1").send().await.unwrap_err()), validation);
        assert_eq!(outcome(put(AttributeValue::Bool(true), "1").send().await.unwrap_err()), validation);
        assert_eq!(outcome(put(text("a"), &"1".repeat(39)).send().await.unwrap_err()), validation);
        assert_eq!(outcome(put(text("a"), "NaN").send().await.unwrap_err()), validation);
        let no_table = put(text("a"), "1").table_name("nowhere").send().await.unwrap_err();
        assert_eq!(outcome(no_table), (400, "ResourceNotFoundException".into()));
        let too_large = put(text("a"), "1").item("blob", text(&"x".repeat(410_000))).send().await.unwrap_err();
        assert_eq!(outcome(too_large), validation);
        let no_set = put(text("a"), "1").item("set", AttributeValue::Ss(Vec::new())).send().await.unwrap_err();
        assert_eq!(outcome(no_set), validation);
    }
}

#[test]
fn the_server_stops_with_the_engine() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let engine = runtime.block_on(Embedded::start());
    let address = engine.endpoint().strip_prefix("http://").unwrap().to_owned();
    // An open connection doesn't keep it.
    let open = std::net::TcpStream::connect(&address).unwrap();
    drop(engine);
    assert!(std::net::TcpStream::connect(&address).is_err());
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn tasks_on_one_thread_come_between_a_read_and_a_write() {
    let bench = Bench::start().await;
    bench.insert().await.unwrap();
    let lost = async || {
        let read = bench.client.get_item().table_name("counters").key("id", text("a")).send().await.unwrap();
        let n: i64 = read.item.unwrap()["n"].as_n().unwrap().parse().unwrap();
        let put = bench.client.put_item().table_name("counters").item("id", text("a"));
        put.item("n", AttributeValue::N((n + 1).to_string())).send().await.unwrap();
    };
    tokio::join!(lost(), lost());
    assert_eq!(bench.stored().await, Some(2), "both read 1 before either wrote");
}
