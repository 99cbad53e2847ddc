//! Attempts against a scripted peer, in simulated time; and against real sockets where the HTTP client's own errors matter.

use std::collections::{HashMap, VecDeque};
use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{BehaviorVersion, ConfigBag, Credentials, Intercept, Region};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{IdentityFuture, ResolveCachedIdentity, SharedIdentityResolver};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents as Components;
use aws_smithy_types::body::SdkBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;

use super::*;
use crate::error::Limit;
use crate::retry::tests::SimulatedTime;

const _: () = {
    const fn is_send<T: Send>(_: &T) {}
    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn futures_are_send(caller: &Caller, outgoing: &mut Outgoing, retry: &mut Retry<'_>) {
        is_send(&caller.send(outgoing, retry));
        is_send(&retry.pause(Why::Transport));
    }
    const fn is_shareable<T: Send + Sync + 'static>() {}
    is_shareable::<Caller>();
};

// ---- what an attempt says -------------------------------------------------------------------------------------------

/// Each row: what the peer does, and what is known then.
#[tokio::test(start_paused = true)]
async fn every_failure_says_what_it_proves_and_no_more() {
    let refused = |code: &str| Act::answer(400, error_body(code));
    let rows = [
        (Act::answer(200, "{}"), "done"),
        // Not sent.
        (
            Act::Fail(|| ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionRefused).into())),
            "not applied Unreachable, again Transport",
        ),
        // Sent, and no answer that proves anything.
        (Act::Hang, "unanswered Timeout"),
        (Act::Fail(|| ConnectorError::timeout("read timeout".into())), "unanswered Timeout"),
        (
            Act::Fail(|| ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())),
            "unanswered Unreachable",
        ),
        (Act::Fail(|| ConnectorError::other("connection closed".into(), None)), "unanswered Unreachable"),
        (Act::answer(500, error_body("InternalServerError")), "unanswered Service InternalServerError"),
        (Act::answer(503, error_body("ServiceUnavailable")), "unanswered Service ServiceUnavailable"),
        (Act::answer(503, "<html>"), "unanswered Service"),
        (
            Act::answer(500, error_body("ConditionalCheckFailedException")),
            "unanswered Service ConditionalCheckFailedException",
        ),
        (Act::answer(502, ""), "unanswered Service"),
        (Act::answer(400, "{\"__type\":\"Conditi"), "unanswered Service"),
        (Act::answer(403, "<html>"), "unanswered Service"),
        (Act::answer(302, ""), "unanswered Service"),
        (Act::answer(408, error_body("RequestTimeout")), "unanswered Service RequestTimeout"),
        (Act::answer(429, error_body("ThrottlingException")), "unanswered Service ThrottlingException"),
        (refused("RequestTimeoutException"), "unanswered Timeout RequestTimeoutException"),
        // Refused by the service, for now.
        (
            refused("ProvisionedThroughputExceededException"),
            "not applied Throttled ProvisionedThroughputExceededException, again Throttle",
        ),
        (refused("ThrottlingException"), "not applied Throttled ThrottlingException, again Throttle"),
        (refused("RequestLimitExceeded"), "not applied Throttled RequestLimitExceeded, again Throttle"),
        (
            refused("TransactionConflictException"),
            "not applied Contention TransactionConflictException, again Conflict",
        ),
        (
            refused("ReplicatedWriteConflictException"),
            "not applied Contention ReplicatedWriteConflictException, again Conflict",
        ),
        // Refused for good.
        (refused("ValidationException"), "not applied Rejected ValidationException"),
        (refused("SerializationException"), "not applied Rejected SerializationException"),
        (
            refused("ItemCollectionSizeLimitExceededException"),
            "not applied Rejected ItemCollectionSizeLimitExceededException",
        ),
        (refused("ResourceNotFoundException"), "not applied TableNotFound ResourceNotFoundException"),
        (refused("AccessDeniedException"), "not applied AccessDenied AccessDeniedException"),
        (refused("ExpiredTokenException"), "not applied Credentials ExpiredTokenException"),
        (refused("UnrecognizedClientException"), "not applied Credentials UnrecognizedClientException"),
        (refused("InvalidSignatureException"), "not applied Credentials InvalidSignatureException"),
        (
            Act::answer(403, error_body("MissingAuthenticationTokenException")),
            "not applied Credentials MissingAuthenticationTokenException",
        ),
        // The condition.
        (refused("ConditionalCheckFailedException"), "condition failed"),
        // Success, as far as the status goes.
        (Act::answer(200, "{\"Attributes\":{\"a\":").request_id(), "done"),
        (Act::answer(200, "{\"Attributes\":{\"a\":"), "unanswered Service"),
        (Act::answer(200, "<html>welcome to the airport</html>"), "unanswered Service"),
    ];
    for (act, expected) in rows {
        let label = format!("{act:?}");
        for request in [Kind::Put, Kind::Update, Kind::Delete] {
            let peer = Peer::new([act.clone()]);
            let caller = Caller::new(&peer.config(), &RetryPolicy::new());
            let reply = caller.send(&mut request.outgoing(&caller), &mut caller.begin()).await;
            assert_eq!(describe(&reply), expected, "{label} to {request:?}");
            assert_eq!(peer.seen().len(), 1, "one attempt is one request: {label}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_condition_brings_the_item_as_it_stands() {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":{"id":{"S":"a"}}}"#;
    for request in [Kind::Put, Kind::Update, Kind::Delete] {
        let peer = Peer::new([Act::answer(400, body), Act::answer(400, error_body("ConditionalCheckFailedException"))]);
        let caller = Caller::new(&peer.config(), &RetryPolicy::new());
        let (mut outgoing, mut retry) = (request.outgoing(&caller), caller.begin());
        let Reply::ConditionFailed { item: Some(item) } = caller.send(&mut outgoing, &mut retry).await else {
            panic!("{request:?} lost the item");
        };
        assert_eq!(item["id"], AttributeValue::S("a".into()));
        let reply = caller.send(&mut outgoing, &mut retry).await;
        assert!(matches!(reply, Reply::ConditionFailed { item: None }), "{request:?}: {reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_condition_whose_item_cannot_be_read_is_no_answer() {
    let body =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":7}"#;
    for request in [Kind::Put, Kind::Update, Kind::Delete] {
        let peer = Peer::new([Act::answer(400, body)]);
        let caller = Caller::new(&peer.config(), &RetryPolicy::new());
        let reply = caller.send(&mut request.outgoing(&caller), &mut caller.begin()).await;
        assert!(matches!(reply, Reply::Unanswered { .. }), "{request:?}: {reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn success_brings_what_the_service_returned() {
    let attributes = r#"{"Attributes":{"id":{"S":"a"}}}"#;
    let item = r#"{"Item":{"id":{"S":"a"}}}"#;
    for (request, body) in
        [(Kind::Put, attributes), (Kind::Update, attributes), (Kind::Delete, attributes), (Kind::Get, item)]
    {
        let peer = Peer::new([Act::answer(200, body)]);
        let caller = Caller::new(&peer.config(), &RetryPolicy::new());
        let reply = caller.send(&mut request.outgoing(&caller), &mut caller.begin()).await;
        let Reply::Done { output: Output { answer: Answer::Item(Some(item)), .. } } = reply else {
            panic!("{request:?}: {reply}")
        };
        assert_eq!(item["id"], AttributeValue::S("a".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_with_a_broken_answer_is_not_an_absent_item() {
    let peer = Peer::new([Act::answer(200, "{\"Item\":{\"id\":").request_id()]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    let reply = caller.send(&mut Kind::Get.outgoing(&caller), &mut caller.begin()).await;
    assert_eq!(describe(&reply), "unanswered Service");
}

#[tokio::test(start_paused = true)]
async fn the_sdk_error_is_kept_as_the_source() {
    let peer = Peer::new([Act::answer(400, error_body("ValidationException"))]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    let reply = caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await;
    let Reply::NotApplied { error, .. } = reply else { panic!("{reply}") };
    let answer = error.source().expect("the answer");
    assert_eq!(answer.to_string(), "ValidationException: no");
    let sdk = answer.source().expect("the SDK's error").downcast_ref::<SdkError<PutItemError>>();
    assert!(sdk.is_some_and(|sdk| sdk.code() == Some("ValidationException")));
    assert_eq!(error.to_string(), "rejected (ValidationException)");
}

// ---- before anything is sent ----------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn without_credentials_or_region_nothing_is_sent() {
    let peer = Peer::new([]);
    let no_credentials = Config::builder().behavior_version(BehaviorVersion::latest()).http_client(peer.clone());
    let no_region = no_credentials.clone().credentials_provider(credentials());
    for (what, config) in [
        ("no credentials", no_credentials.region(Region::new("eu-west-1")).build()),
        ("no region", no_region.build()),
        ("no credentials from the provider", peer.config().to_builder().identity_cache(Identities::Failing).build()),
    ] {
        let caller = Caller::new(&config, &RetryPolicy::new());
        let reply = caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await;
        assert_eq!(describe(&reply), "not applied Credentials", "{what}");
    }
    assert_eq!(peer.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_credentials_are_looked_up_proves_that_nothing_was_sent() {
    let peer = Peer::new([]);
    let config = peer.config().to_builder().identity_cache(Identities::Hanging).build();
    let caller = Caller::new(&config, &RetryPolicy::new());
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "not applied Timeout, again Transport");
    // So does the deadline.
    let caller = Caller::new(&config, &RetryPolicy::new().operation_timeout(Duration::from_secs(1)));
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "not applied Timeout, again Transport");
    assert_eq!(peer.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_serialised_is_not_sent_hollow() {
    let peer = Peer::new([]);
    let caller = Caller::new(&peer.config().to_builder().interceptor(Refusing).build(), &RetryPolicy::new());
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    for _ in 0..2 {
        assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "not applied Invalid");
    }
    assert_eq!(peer.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_corrected_by_the_refusal_and_tried_again() {
    let hours_ahead = "Sat, 01 Jan 2033 00:00:00 GMT";
    let skewed = Act::answer(400, error_body("InvalidSignatureException")).header("date", hours_ahead);
    let peer = Peer::new([skewed, Act::answer(200, "{}")]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    let reply = caller.send(&mut outgoing, &mut retry).await;
    assert_eq!(describe(&reply), "not applied Credentials InvalidSignatureException, again Transport");
    assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "done");
    let signed: Vec<_> = peer.seen().into_iter().map(|request| request.header("x-amz-date")).collect();
    assert!(!signed[0].starts_with("2033") && signed[1].starts_with("20330101"), "{signed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bad_signature_under_a_right_clock_is_final() {
    let peer = Peer::new([Act::answer(400, error_body("InvalidSignatureException")).header("date", START_DATE)]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    let reply = caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await;
    assert_eq!(describe(&reply), "not applied Credentials InvalidSignatureException");
}

// ---- sending again --------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_request_sent_again_has_the_same_bytes() {
    for request in [Kind::Put, Kind::Update, Kind::Delete, Kind::Get] {
        let peer = Peer::new([Act::answer(500, ""), Act::Hang, Act::answer(200, "{}")]);
        let caller = Caller::new(&peer.config(), &RetryPolicy::new());
        let (mut outgoing, mut retry) = (request.outgoing(&caller), caller.begin());
        for _ in 0..3 {
            caller.send(&mut outgoing, &mut retry).await;
        }
        let seen = peer.seen();
        assert_eq!((seen.len(), retry.spent().attempts), (3, 3));
        assert!(
            seen[0].body.contains(r#""TableName":"accounts""#) && seen[0].body.contains("\"id\""),
            "{}",
            seen[0].body
        );
        for again in &seen[1..] {
            assert_eq!(again.body, seen[0].body, "{request:?}");
            for header in ["content-length", "content-type", "x-amz-target"] {
                assert_eq!(again.header(header), seen[0].header(header), "{request:?}");
            }
            assert_eq!(again.header("content-length"), seen[0].body.len().to_string());
            assert!(!again.header("authorization").is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn interceptors_of_the_user_see_every_attempt_once() {
    let peer = Peer::new([Act::answer(500, ""), Act::answer(200, "{}")]);
    let caller =
        Caller::new(&peer.config().to_builder().interceptor(Numbering::default()).build(), &RetryPolicy::new());
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    caller.send(&mut outgoing, &mut retry).await;
    caller.send(&mut outgoing, &mut retry).await;
    let seen = peer.seen();
    assert_eq!((seen[0].header("x-number"), seen[1].header("x-number")), ("1".into(), "2".into()));
    assert_eq!(seen[0].body, seen[1].body);
}

#[tokio::test(start_paused = true)]
async fn every_request_has_the_user_agent_that_the_sdk_makes_and_no_count_of_attempts() {
    let peer = Peer::new(vec![Act::answer(200, "{}"); 5]);
    let plain = peer.config().to_builder().retry_config(RetryConfig::disabled()).build();
    Client::from_conf(plain).list_tables().send().await.expect("answered");
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    for request in [Kind::Put, Kind::Put, Kind::Get, Kind::Update] {
        caller.send(&mut request.outgoing(&caller), &mut caller.begin()).await;
    }
    let seen = peer.seen();
    assert!(!seen[0].header("amz-sdk-request").is_empty() && !seen[0].header("amz-sdk-invocation-id").is_empty());
    for ours in &seen[1..] {
        for header in ["user-agent", "x-amz-user-agent"] {
            assert_eq!(ours.header(header), seen[0].header(header));
        }
        assert!(ours.header("x-amz-user-agent").contains("api/dynamodb"), "{}", ours.header("x-amz-user-agent"));
        assert!(ours.header("authorization").contains("x-amz-user-agent"), "it is signed");
        assert_eq!(ours.header("amz-sdk-request") + &ours.header("amz-sdk-invocation-id"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_of_the_user_finds_the_user_agent_of_each_request_as_the_sdk_made_it() {
    let peer = Peer::new(vec![Act::answer(200, "{}"); 3]);
    let config = peer.config().to_builder().interceptor(Boasting::default()).build();
    let caller = Caller::new(&config, &RetryPolicy::new());
    for _ in 0..3 {
        caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await;
    }
    for (ours, number) in peer.seen().iter().zip(1..) {
        let user_agent = ours.header("user-agent");
        assert!(user_agent.starts_with("aws-sdk-rust/"), "{user_agent}");
        assert!(user_agent.ends_with(&format!(" boast/{number}")), "{user_agent}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_attempt_can_be_followed_by_the_same_bytes() {
    let peer = Peer::new([Act::Hang, Act::answer(200, "{}")]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new());
    let (mut outgoing, mut retry) = (Kind::Update.outgoing(&caller), caller.begin());
    let dropped = tokio::time::timeout(Duration::from_millis(1), caller.send(&mut outgoing, &mut retry)).await;
    assert!(dropped.is_err());
    assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "done");
    let seen = peer.seen();
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
}

// ---- time -----------------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_at_its_timeout_also_where_the_configuration_sets_none() {
    let attempt_timeout = |timeout| TimeoutConfig::builder().operation_attempt_timeout(timeout).build();
    let short = Duration::from_millis(300);
    for (timeouts, expected) in [(None, Duration::from_secs(5)), (Some(attempt_timeout(short)), short)] {
        let peer = Peer::new([Act::Hang]);
        let mut config = peer.config().to_builder();
        config.set_timeout_config(timeouts);
        let caller = Caller::new(&config.build(), &RetryPolicy::new());
        let start = Instant::now();
        let reply = caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await;
        assert_eq!(describe(&reply), "unanswered Timeout");
        assert_eq!(start.elapsed().as_millis(), expected.as_millis());
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_an_attempt_off_and_forbids_another() {
    let peer = Peer::new([Act::Hang]);
    let caller = Caller::new(&peer.config(), &RetryPolicy::new().operation_timeout(Duration::from_secs(2)));
    let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller), caller.begin());
    assert_eq!(describe(&caller.send(&mut outgoing, &mut retry).await), "unanswered Timeout");
    assert_eq!(retry.elapsed().as_millis(), 2000);
    assert_eq!(retry.pause(Why::Transport).await, Err(Limit::Deadline));
    let reply = caller.send(&mut outgoing, &mut retry).await;
    assert_eq!(describe(&reply), "not applied Timeout, again Transport", "it isn't even sent");
    assert_eq!((peer.seen().len(), retry.spent().attempts), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_user_configured_is_kept_but_for_retries_and_the_operation_timeout() {
    let peer = Peer::new([]);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(9))
        .build();
    let config = peer.config().to_builder().timeout_config(timeouts).retry_config(RetryConfig::standard()).build();
    let caller = Caller::new(&config, &RetryPolicy::new());
    let ours = caller.client().config();
    let timeouts = ours.timeout_config().expect("set");
    assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(1)));
    assert_eq!(timeouts.read_timeout(), Some(Duration::from_secs(2)));
    assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(5)));
    assert_eq!(timeouts.operation_timeout(), None);
    assert_eq!(ours.retry_config().map(RetryConfig::max_attempts), Some(1));
    assert_eq!(ours.region(), config.region());
    assert_eq!(caller.begin().remaining(), Some(Duration::from_secs(9)));
}

#[tokio::test(start_paused = true)]
async fn stalled_streams_are_watched_for_only_where_the_user_asks_for_it() {
    let config = Peer::new([]).config();
    let asking =
        config.to_builder().stalled_stream_protection(StalledStreamProtectionConfig::enabled().build()).build();
    for (config, watched) in [(config, false), (asking, true)] {
        let caller = Caller::new(&config, &RetryPolicy::new());
        let ours = caller.client().config().stalled_stream_protection().expect("set");
        assert_eq!(ours.is_enabled(), watched);
    }
}

// ---- real sockets ---------------------------------------------------------------------------------------------------

/// The errors of the SDK's default HTTP client, which no script can make.
#[tokio::test]
async fn on_real_sockets_only_a_connection_that_was_made_leaves_doubt() {
    // On a busy machine, what has to come may take its time.
    let (soon, late) = (Duration::from_millis(200), Duration::from_secs(20));
    // Bound, so that nobody else takes the port, but not listening.
    let reserved = TcpSocket::new_v4().expect("a socket");
    reserved.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let refusing = reserved.local_addr().expect("bound").to_string();
    assert_eq!(
        describe(&attempt_at(&format!("http://{refusing}"), [late, late]).await),
        "not applied Unreachable, again Transport"
    );
    assert_eq!(
        describe(&attempt_at("http://nowhere.invalid", [late, late]).await),
        "not applied Unreachable, again Transport"
    );

    // Speaks no TLS: the handshake, a part of connecting, ends at the connect timeout.
    let (mute, _server) = serve(None).await;
    assert_eq!(
        describe(&attempt_at(&format!("https://{mute}"), [soon, late]).await),
        "not applied Unreachable, again Transport"
    );
    // Accepts, reads, and says nothing: ends at the read timeout.
    assert_eq!(describe(&attempt_at(&format!("http://{mute}"), [late, soon]).await), "unanswered Timeout");

    let (closing, _server) = serve(Some("")).await;
    assert_eq!(describe(&attempt_at(&format!("http://{closing}"), [late, late]).await), "unanswered Unreachable");
    let (truncating, _server) =
        serve(Some("HTTP/1.1 200 OK\r\nx-amzn-requestid: r\r\ncontent-length: 100\r\n\r\n{\"Attr")).await;
    assert_eq!(describe(&attempt_at(&format!("http://{truncating}"), [late, late]).await), "done");
    let (anonymous, _server) = serve(Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Attr")).await;
    assert_eq!(describe(&attempt_at(&format!("http://{anonymous}"), [late, late]).await), "unanswered Service");
}

async fn attempt_at(endpoint: &str, [connect, read]: [Duration; 2]) -> Reply {
    let timeouts = TimeoutConfig::builder().connect_timeout(connect).read_timeout(read).build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .timeout_config(timeouts)
        .build();
    let caller = Caller::new(&config, &RetryPolicy::new());
    caller.send(&mut Kind::Put.outgoing(&caller), &mut caller.begin()).await
}

/// Reads a request, answers and closes; or keeps silent.
async fn serve(answer: Option<&'static str>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            match answer {
                Some(answer) => {
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
                None => silent.push(socket),
            }
        }
    });
    (address, server)
}

// ---- events ---------------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn each_attempt_is_an_event_without_keys_or_values() {
    let id = Uuid::from_u128(7);
    let converse = async || {
        let peer = Peer::new([Act::answer(500, error_body("InternalServerError")), Act::answer(200, "{}")]);
        let caller = Caller::new(&peer.config(), &RetryPolicy::new());
        let (mut outgoing, mut retry) = (Kind::Put.outgoing(&caller).write_id(id), caller.begin());
        caller.send(&mut outgoing, &mut retry).await;
        retry.pause(Why::Transport).await.expect("attempts are left");
        caller.send(&mut outgoing, &mut retry).await;
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // A test on another thread may be the first to meet an event, which is then off until it is asked again.
    converse().await;
    tracing::callsite::rebuild_interest_cache();
    log.0.lock().expect("unpoisoned").clear();
    converse().await;

    let text = String::from_utf8(log.0.lock().expect("unpoisoned").clone()).expect("text");
    let ours: Vec<_> = text.lines().filter_map(|line| Some(line.split_once(" dynamo_once::")?.1)).collect();
    let [first, pause, second] = ours[..] else { panic!("{ours:?}") };
    assert_eq!(
        first,
        format!(
            r#"call: attempt attempt=1 operation="insert" outcome=unanswered: service failure (InternalServerError) write_id={id}"#
        )
    );
    assert!(pause.starts_with("retry: pause delay_ms="), "{pause}");
    assert_eq!(second, format!(r#"call: attempt attempt=2 operation="insert" outcome=done write_id={id}"#));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// ---- the scripted peer ----------------------------------------------------------------------------------------------

/// What the peer does with one request.
#[derive(Debug, Clone)]
enum Act {
    Answer { status: u16, headers: Vec<(&'static str, &'static str)>, body: String },
    Fail(fn() -> ConnectorError),
    Hang,
}

impl Act {
    fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value));
        }
        self
    }

    fn request_id(self) -> Self {
        self.header("x-amzn-requestid", "R1")
    }
}

#[derive(Debug, Clone)]
struct Peer(Arc<Mutex<(VecDeque<Act>, Vec<Seen>)>>);

#[derive(Debug, Clone)]
struct Seen {
    headers: HashMap<String, String>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }
}

impl Peer {
    fn new(script: impl IntoIterator<Item = Act>) -> Self {
        Self(Arc::new(Mutex::new((script.into_iter().collect(), Vec::new()))))
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().expect("unpoisoned").1.clone()
    }

    fn config(&self) -> Config {
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(credentials())
            .time_source(SimulatedTime::start())
            .http_client(self.clone())
            .build()
    }
}

impl HttpClient for Peer {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &Components) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Peer {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (script, seen) = &mut *self.0.lock().expect("unpoisoned");
        seen.push(Seen {
            headers: request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: String::from_utf8(request.body().bytes().expect("in memory").to_vec()).expect("json"),
        });
        match script.pop_front().expect("the script has an act for each request") {
            Act::Hang => HttpConnectorFuture::new(std::future::pending()),
            Act::Fail(error) => HttpConnectorFuture::ready(Err(error())),
            Act::Answer { status, headers, body } => {
                let mut response = HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body));
                for (name, value) in headers {
                    response.headers_mut().insert(name, value);
                }
                HttpConnectorFuture::ready(Ok(response))
            }
        }
    }
}

fn error_body(code: &str) -> String {
    format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#)
}

fn credentials() -> Credentials {
    Credentials::new("AKID", "key", None, None, "test")
}

/// The reply's outcome, kind, code and pause.
fn describe(reply: &Reply) -> String {
    let failure = |error: &Error| {
        let code = error.code().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{:?}{code}", error.kind())
    };
    match reply {
        Reply::Done { .. } => "done".into(),
        Reply::ConditionFailed { .. } => "condition failed".into(),
        Reply::NotApplied { error, again: None } => format!("not applied {}", failure(error)),
        Reply::NotApplied { error, again: Some(why) } => format!("not applied {}, again {why:?}", failure(error)),
        Reply::Cancelled { failed, .. } => format!("conditions failed: {}", failed.len()),
        Reply::InProgress { error } => format!("in progress {}", failure(error)),
        Reply::Unanswered { error } => format!("unanswered {}", failure(error)),
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Update,
    Delete,
    Get,
}

impl Kind {
    fn outgoing(self, caller: &Caller) -> Outgoing {
        let (client, clock, key) = (caller.client(), caller.clock(), AttributeValue::S("secret".into()));
        match self {
            Self::Put => Outgoing::new(
                "insert",
                client
                    .put_item()
                    .table_name("accounts")
                    .item("id", key)
                    .item("tags", AttributeValue::Ss(vec!["x".into(), "y".into()]))
                    .condition_expression("attribute_not_exists(#n0)")
                    .expression_attribute_names("#n0", "id"),
                clock,
                &Meters::default(),
            ),
            Self::Update => Outgoing::new(
                "update",
                client
                    .update_item()
                    .table_name("accounts")
                    .key("id", key)
                    .update_expression("SET #n0 = :v0")
                    .expression_attribute_names("#n0", "owner")
                    .expression_attribute_values(":v0", AttributeValue::S("secret".into())),
                clock,
                &Meters::default(),
            ),
            Self::Delete => Outgoing::new(
                "delete",
                client.delete_item().table_name("accounts").key("id", key),
                clock,
                &Meters::default(),
            ),
            Self::Get => {
                Outgoing::new("get", client.get_item().table_name("accounts").key("id", key), clock, &Meters::default())
            }
        }
    }
}

/// [`SimulatedTime::START`].
const START_DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

/// Credentials that don't come.
#[derive(Debug)]
enum Identities {
    Hanging,
    Failing,
}

impl ResolveCachedIdentity for Identities {
    fn resolve_cached_identity<'a>(
        &'a self,
        _: SharedIdentityResolver,
        _: &'a Components,
        _: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        match self {
            Self::Hanging => IdentityFuture::new(std::future::pending()),
            Self::Failing => IdentityFuture::ready(Err("no token".into())),
        }
    }
}

#[derive(Debug)]
struct Refusing;

#[dyn_dispatch_hint]
impl Intercept for Refusing {
    fn name(&self) -> &'static str {
        "Refusing"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &Components,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Err("not today".into())
    }
}

/// Numbers the attempts it sees.
#[derive(Debug, Default)]
struct Numbering(AtomicU8);

/// Adds to the user agent, to that of each request another number.
#[derive(Debug, Default)]
struct Boasting(AtomicU8);

#[dyn_dispatch_hint]
impl Intercept for Boasting {
    fn name(&self) -> &'static str {
        "Boasting"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &Components,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (headers, number) = (context.request_mut().headers_mut(), self.0.fetch_add(1, Ordering::Relaxed) + 1);
        let boast = format!("{} boast/{number}", headers.get("user-agent").unwrap_or_default());
        headers.insert("user-agent", boast);
        Ok(())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Numbering {
    fn name(&self) -> &'static str {
        "Numbering"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &Components,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        context.request_mut().headers_mut().insert("x-number", number.to_string());
        Ok(())
    }
}
