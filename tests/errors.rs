//! What an error says, and what it keeps to itself.

use std::collections::HashMap;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use dynamo_once::testing::{Embedded, Faults, Operation};
use dynamo_once::{Error, ErrorKind, Etag, Item, RetryPolicy, Store, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "things")]
struct Thing {
    #[item(partition_key)]
    id: String,
    text: String,
    #[serde(default)]
    state: State,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "serde_dynamo::string_set")]
    tags: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
enum State {
    #[default]
    Open,
}

fn thing(id: &str, text: &str) -> Thing {
    Thing { id: id.to_owned(), text: text.to_owned(), state: State::Open, tags: vec![] }
}

async fn table() -> (Embedded, Table<Thing>) {
    let engine = Embedded::start().await;
    let things = Store::new(engine.config().build()).table::<Thing>();
    things.create_if_missing().await.expect("the table is made");
    (engine, things)
}

#[tokio::test]
async fn what_the_service_says_of_a_table_that_it_does_not_make_is_told() {
    let engine = Embedded::start().await;
    let nameless = Store::new(engine.config().build()).table_named::<Thing>("no name");
    let error = nameless.create_if_missing().await.expect_err("is no name of a table");
    let text = error.to_string();
    assert!(text.starts_with("create_if_missing in no name: the table could not be created: "), "{text}");
    assert!(error.code() == Some("ValidationException") && text.contains("tableName"), "{text}");
}

/// The error itself, and what is behind it.
fn chain(error: &Error) -> impl Iterator<Item = &dyn std::error::Error> {
    std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
}

#[tokio::test(start_paused = true)]
async fn a_version_conflict_says_which_version_was_expected_and_which_is_stored() -> Result<(), Error> {
    let (engine, things) = table().await;
    things.insert(&thing("a", "x")).send().await?;
    let stale = things.get("a").send().await?.expect("is there");
    let etag = Etag::from(&stale);
    let f = Thing::FIELDS;
    things.update("a").set(f.text, "y").send().await?;
    things.update("a").set(f.text, "z").send().await?;
    for (verb, error) in [
        ("save to", things.save(stale.with(|thing| thing.text = "secret".into())).send().await),
        ("update in", things.update("a").set(f.text, "secret").at(etag).send().await),
        ("delete from", things.delete("a").at(etag).send().await),
    ] {
        let text = error.expect_err("is stale").to_string();
        assert_eq!(text, format!("{verb} things: version conflict: expected version 1, found version 3"));
    }

    things.delete("a").send().await?;
    things.insert(&thing("a", "x")).send().await?;
    let error = things.update("a").set(f.text, "secret").at(etag).send().await.expect_err("is another item");
    assert!(error.to_string().ends_with("expected version 1, found that of an item made anew since"), "{error}");

    let foreign = |text: &str| {
        let strings =
            [("id", "b"), ("text", text)].map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        engine.client().put_item().table_name("things").set_item(Some(strings.into())).send()
    };
    foreign("x").await.expect("the engine takes it");
    let read = things.get("b").send().await?.expect("is there");
    foreign("y").await.expect("the engine takes it");
    let error = things.save(read.with(|thing| thing.text = "secret".into())).send().await.expect_err("was changed");
    assert!(error.is_version_conflict(), "{error:?}");
    assert!(
        error.to_string().ends_with("expected an item without a version, found it with other contents than were read"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn debug_shows_nothing_that_a_decoder_or_the_service_quotes_of_the_item() {
    let (engine, things) = table().await;
    let secret: HashMap<_, _> = [
        ("id".to_owned(), AttributeValue::S("a".into())),
        ("text".to_owned(), AttributeValue::S("x".into())),
        ("state".to_owned(), AttributeValue::S("secret".into())),
    ]
    .into();
    engine.client().put_item().table_name("things").set_item(Some(secret)).send().await.expect("the engine takes it");
    let decode = things.get("a").send().await.expect_err("doesn't decode");
    assert!(decode.is_decode());
    let text = decode.to_string();

    things.insert(&thing("b", "x")).send().await.expect("is inserted");
    let mut decode = Some(decode);
    let declined = things.modify("b", |_| Err(decode.take().expect("is asked once").into())).send().await;
    let declined = declined.expect_err("is declined");

    // That a set has an element twice is for the service to say, and it does so by quoting the set.
    let twice = Thing { tags: vec!["secret".into(), "secret".into()], ..thing("c", "x") };
    let rejected = things.insert(&twice).send().await.expect_err("is no set");
    assert_eq!((rejected.kind(), rejected.code()), (ErrorKind::Rejected, Some("ValidationException")));
    for error in [&declined, &rejected] {
        let shown = format!("{error} {error:?} {error:#?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(texts(error).contains("secret"), "the source says it: {}", texts(error));
    }
    assert!(format!("{declined:?}").contains(&text), "what is behind is shown as far as it may be: {declined:?}");
    let reason = chain(&rejected).nth(1).expect("the service's reason").to_string();
    assert!(reason.starts_with("ValidationException: ") && reason.contains("duplicates"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_lacks_is_said() {
    let engine = Embedded::start().await;
    let faults = Faults::around(engine.http_client());
    let bare =
        || aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::latest()).http_client(faults.clone());
    let whole = || {
        let credentials = Credentials::new("a", "b", None, None, "test");
        bare().region(Region::new("us-east-1")).credentials_provider(credentials)
    };
    let no_such_profile =
        aws_config::profile::ProfileFileCredentialsProvider::builder().profile_name("of no one").build();
    let secret = thing("a", "secret");
    for (config, kind, says) in [
        (
            bare().region(Region::new("us-east-1")).build(),
            ErrorKind::Credentials,
            "no credentials: the SDK's configuration",
        ),
        (
            whole().credentials_provider(no_such_profile).build(),
            ErrorKind::Credentials,
            "no credentials: their provider failed",
        ),
        (
            bare().credentials_provider(Credentials::new("a", "b", None, None, "test")).build(),
            ErrorKind::Credentials,
            "no region",
        ),
        (bare().build(), ErrorKind::Credentials, "no credentials"),
        (whole().endpoint_url("nonsense").build(), ErrorKind::Invalid, "no URL"),
    ] {
        let table = Store::new(config).table::<Thing>();
        for error in [
            table.insert(&secret).send().await.map(drop),
            table.update("a").set(Thing::FIELDS.text, "secret").send().await.map(drop),
            table.get("a").send().await.map(drop),
        ] {
            let error = error.expect_err("can't be signed");
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.to_string().contains(says), "{error} doesn't say {says}");
            let shown = format!("{} {error:?}", texts(&error));
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
    let operations = [Operation::GetItem, Operation::PutItem, Operation::UpdateItem];
    assert!(operations.into_iter().all(|operation| faults.received(operation) == 0), "nothing is sent");
}

#[tokio::test]
async fn an_endpoint_that_no_one_listens_at_is_told_from_missing_credentials() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("has a number");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .endpoint_url(format!("http://{unused}"))
        .build();
    let store = Store::builder(config).retry(RetryPolicy::new().max_attempts(1)).build();
    let error = store.table::<Thing>().get("a").send().await.expect_err("isn't reached");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(format!("{error:?}").to_lowercase().contains("connection refused"), "the reason is at hand: {error:?}");
}

/// What all there is behind an error says.
fn texts(error: &Error) -> String {
    chain(error).map(|error| format!("{error}; ")).collect()
}
