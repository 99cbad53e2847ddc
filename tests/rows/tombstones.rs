//! The rows that a tombstone decides, and what brings it to life.

use dynamo_once::ErrorKind::{AlreadyExists, KeyReused, NotFound, OutcomeUnknown};
use dynamo_once::Outcome::{Applied, Replayed};
use dynamo_once::testing::{Operation, Reply, Scripted};
use dynamo_once::{Error, Etag, Item, RetryPolicy, Store, Table, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::End;
use crate::peer::{BIRTH, NIL, Raw, Sent, Stored, id, number, stored};
use crate::refused::key_stamp;
use crate::world::SimulatedTime;

#[derive(Debug, Clone, Serialize, Deserialize, Item)]
#[item(table = "accounts", tombstones(ttl = "expires_at"))]
struct Account {
    #[item(partition_key)]
    id: String,
    balance: i64,
}

fn account(balance: i64) -> Account {
    Account { id: "a".into(), balance }
}

/// The tombstone that every verb meets: of version 3.
fn tombstone() -> Raw {
    let mut tombstone = stored().and("_wt", text("expires_at")).and("expires_at", number(1_900_000_000));
    tombstone.remove("balance");
    tombstone
}

fn text(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Insert,
    Keyed,
    Upsert,
    UpsertNewer,
    OrInsert,
    Update,
    Delete,
    DeleteAt,
}

impl Verb {
    /// Those that bring a tombstone to life.
    const REVIVING: [Self; 5] = [Self::Insert, Self::Keyed, Self::Upsert, Self::UpsertNewer, Self::OrInsert];

    async fn call(self, accounts: &Table<Account>) -> Result<Written<Account>, Error> {
        let f = Account::FIELDS;
        match self {
            Self::Insert => accounts.insert(&account(10)).send().await,
            Self::Keyed => accounts.insert(&account(10)).keyed("event").send().await,
            Self::Upsert => accounts.upsert(&account(10)).send().await,
            Self::UpsertNewer => accounts.upsert_newer(&account(10), f.balance).send().await,
            Self::OrInsert => accounts.update("a").add(f.balance, 1).or_insert(&account(10)).send().await,
            Self::Update => accounts.update("a").add(f.balance, 1).send().await,
            Self::Delete => accounts.delete("a").send().await,
            Self::DeleteAt => {
                let etag: Etag = format!("3-{BIRTH:032x}").parse().expect("is an etag");
                accounts.delete("a").at(etag).send().await
            }
        }
    }

    fn inserts(self) -> bool {
        matches!(self, Self::Insert | Self::Keyed)
    }

    /// What its first attempt is.
    fn operation(self) -> Operation {
        if self.inserts() { Operation::PutItem } else { Operation::UpdateItem }
    }
}

type Answer = Box<dyn FnOnce(&[Sent]) -> Reply + Send>;

/// A conversation: the first attempt's answers, then those of whatever follows, which is an update.
struct Play {
    verb: Verb,
    answers: Vec<(Operation, Answer)>,
}

impl Play {
    fn of(verb: Verb) -> Self {
        Self { verb, answers: vec![] }
    }

    fn first(mut self, answer: impl FnOnce(&[Sent]) -> Reply + Send + 'static) -> Self {
        self.answers.push((self.verb.operation(), Box::new(answer)));
        self
    }

    fn lost(self) -> Self {
        self.first(|_| Reply::broken_connection())
    }

    fn stands(self, item: impl FnOnce(&[Sent]) -> Raw + Send + 'static) -> Self {
        self.first(|sent| Reply::condition_failed(Some(item(sent))))
    }

    fn then(self, answer: impl FnOnce(&[Sent]) -> Reply + Send + 'static) -> Self {
        self.on(Operation::UpdateItem, answer)
    }

    fn on(mut self, operation: Operation, answer: impl FnOnce(&[Sent]) -> Reply + Send + 'static) -> Self {
        self.answers.push((operation, Box::new(answer)));
        self
    }

    /// Runs it to its end: the requests, and the version that was told.
    #[track_caller]
    fn ends(self, expected: End) -> impl Future<Output = (Vec<Sent>, Option<u64>)> {
        let at = std::panic::Location::caller();
        async move {
            let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let mut peer = Scripted::new();
            for (operation, answer) in self.answers {
                let sent = sent.clone();
                peer = peer.then_with(operation, move |request| {
                    let mut sent = sent.lock().expect("no test panics here");
                    sent.push(Sent::of(request));
                    answer(&sent)
                });
            }
            let config = peer.config().time_source(SimulatedTime::start()).build();
            let store = Store::builder(config).retry(RetryPolicy::new().jitter_seed(1)).build();
            let result = self.verb.call(&store.table()).await;
            println!("{:?}: {result:?}\n{peer}", self.verb);
            peer.finish();
            let version = result.as_ref().ok().and_then(Written::version);
            let end = result.map(|written| written.outcome()).map_err(|error| error.kind());
            assert_eq!(end, expected, "{:?}, at {at}", self.verb);
            let sent = sent.lock().expect("no test panics here").clone();
            (sent, version)
        }
    }
}

fn applied(_: &[Sent]) -> Reply {
    Reply::ok(json!({}))
}

#[tokio::test(start_paused = true)]
async fn tombstone_comes_to_life_with_one_request_more() {
    for verb in Verb::REVIVING {
        let (sent, version) = Play::of(verb).stands(|_| tombstone()).then(applied).ends(Ok(Applied)).await;
        let [first, revival] = &sent[..] else { panic!("two requests") };
        assert_eq!((revival.id, revival.lane), (first.id, first.lane), "{verb:?}: the same call goes on");
        assert_eq!(version, Some(4), "{verb:?}");
        let body = revival.body.to_string();
        assert!(revival.condition().contains("attribute_exists"), "{verb:?}: a tombstone still: {body}");
        for gone in ["_wt", "expires_at"] {
            assert!(body.contains(gone), "{verb:?}: {gone} goes: {body}");
        }
        assert_eq!(body.contains("_wk"), verb == Verb::Keyed, "{verb:?}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tombstone_kept_of_others_goes_when_it_comes_to_life() {
    for verb in Verb::REVIVING {
        let left = |_: &[Sent]| tombstone().and("of_a_newer_program", number(1)).and("_wk", id(9));
        let (sent, _) = Play::of(verb).stands(left).then(applied).ends(Ok(Applied)).await;
        let names = sent[1].body["ExpressionAttributeNames"].as_object().expect("names").clone();
        let placeholder = |wanted: &str| names.iter().find(|(_, name)| *name == wanted).map(|(key, _)| key.clone());
        let update = sent[1].body["UpdateExpression"].as_str().expect("an update").to_owned();
        let (_, removed) = update.split_once("REMOVE ").expect("something goes");
        for gone in ["of_a_newer_program", "_wt", "expires_at"] {
            assert!(removed.contains(&placeholder(gone).expect(gone)), "{verb:?}: {gone} in {removed}");
        }
        for stays in ["_wb", "id"] {
            let placeholder = placeholder(stays).unwrap_or_else(|| "none".into());
            assert!(!removed.split([',', ' ']).any(|name| name == placeholder), "{verb:?}: {stays} in {removed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tombstone_that_others_bring_to_life_first_is_judged_again() {
    for verb in [Verb::Insert, Verb::Keyed] {
        let play = Play::of(verb).stands(|_| tombstone()).then(|_| Reply::condition_failed(Some(stored())));
        play.ends(Err(AlreadyExists)).await;
    }
    for verb in [Verb::Upsert, Verb::OrInsert] {
        let play = Play::of(verb).stands(|_| tombstone()).then(|_| Reply::condition_failed(Some(stored())));
        let (sent, _) = play.then(applied).ends(Ok(Applied)).await;
        assert!(sent[2].condition().contains("BETWEEN"), "{verb:?}: any version again");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_reply_of_a_revival_is_recognised() {
    for verb in Verb::REVIVING {
        let play = Play::of(verb).stands(|_| tombstone()).then(|_| Reply::broken_connection());
        let ours = |sent: &[Sent]| {
            let last = sent.last().expect("was sent");
            stored().and("version", number(4)).lane(last.lane, last.id, NIL)
        };
        let (sent, version) = play.then(move |sent| Reply::condition_failed(Some(ours(sent)))).ends(Ok(Replayed)).await;
        assert_eq!(sent[1], sent[2], "{verb:?}");
        // An upsert's first attempt could have been the one, if another had been faster; an insert's couldn't.
        assert_eq!(version, verb.inserts().then_some(4), "{verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn write_that_was_applied_and_buried_since_is_recognised() {
    for verb in Verb::REVIVING.into_iter().chain([Verb::Update, Verb::Delete, Verb::DeleteAt]) {
        let ours = |sent: &[Sent]| tombstone().lane(sent[0].lane, sent[0].id, NIL);
        Play::of(verb).lost().stands(ours).ends(Ok(Replayed)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn suspicious_call_goes_on_over_a_tombstone_that_proves_it_was_not_applied() {
    for verb in Verb::REVIVING {
        let (sent, _) = Play::of(verb).lost().stands(|_| tombstone()).then(applied).ends(Ok(Applied)).await;
        assert_eq!(sent[1].id, sent[2].id, "{verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tombstone_of_a_later_birth_proves_nothing() {
    for verb in Verb::REVIVING.into_iter().chain([Verb::Update]) {
        let later = |sent: &[Sent]| tombstone().born(sent[0].id + 1);
        Play::of(verb).lost().stands(later).ends(Err(OutcomeUnknown)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn key_of_a_tombstone_is_still_the_key_of_what_was_inserted() {
    let same = |sent: &[Sent]| tombstone().and("_wk", key_stamp(sent));
    let (_, version) = Play::of(Verb::Keyed).stands(same).ends(Ok(Replayed)).await;
    assert_eq!(version, None, "whoever inserted it may have revived another");
    let other = |sent: &[Sent]| tombstone().and("_wk", crate::refused::altered(key_stamp(sent), 15));
    Play::of(Verb::Keyed).stands(other).ends(Err(KeyReused)).await;
}

#[tokio::test(start_paused = true)]
async fn tombstone_is_what_a_delete_wants_and_an_update_cannot_use() {
    Play::of(Verb::Delete).stands(|_| tombstone()).ends(Ok(Applied)).await;
    Play::of(Verb::Update).stands(|_| tombstone()).ends(Err(NotFound)).await;
    Play::of(Verb::DeleteAt).stands(|_| tombstone()).ends(Err(NotFound)).await;
    let none = |_: &[Sent]| Reply::condition_failed(None);
    Play::of(Verb::Delete).first(none).ends(Ok(Applied)).await;
    Play::of(Verb::Delete).lost().first(none).ends(Ok(Applied)).await;
}

#[tokio::test(start_paused = true)]
async fn delete_that_leaves_a_tombstone_writes_the_log_and_removes_what_it_knows() {
    for verb in [Verb::Delete, Verb::DeleteAt] {
        let (sent, _) = Play::of(verb).first(applied).ends(Ok(Applied)).await;
        let values = sent[0].body["ExpressionAttributeValues"].to_string();
        // A week from the simulated now.
        assert!(values.contains("1800604800") && values.contains("expires_at"), "{values}");
        let (names, update) = (sent[0].body["ExpressionAttributeNames"].to_string(), &sent[0].body["UpdateExpression"]);
        assert!(names.contains("balance") && update.to_string().contains("REMOVE"), "{update}");
    }
}

#[tokio::test(start_paused = true)]
async fn update_or_insert_inserts_where_nothing_stands() {
    let none = |_: &[Sent]| Reply::condition_failed(None);
    for play in [Play::of(Verb::OrInsert).first(none), Play::of(Verb::OrInsert).lost().first(none)] {
        let (sent, version) = play.on(Operation::PutItem, applied).ends(Ok(Applied)).await;
        let [.., update, insert] = &sent[..] else { panic!("two requests at least") };
        assert_eq!((insert.id, version), (update.id, Some(1)), "the same call goes on");
        assert_eq!(insert.body["Item"]["balance"], json!({ "N": "10" }), "as it is given");
    }
    // Another inserts in between, and is updated.
    let play = Play::of(Verb::OrInsert).first(none);
    let play = play.on(Operation::PutItem, |_| Reply::condition_failed(Some(stored()))).then(applied);
    play.ends(Ok(Applied)).await;
    // The insert's reply is lost.
    let play = Play::of(Verb::OrInsert).first(none).on(Operation::PutItem, |_| Reply::broken_connection());
    let ours = |sent: &[Sent]| {
        let last = sent.last().expect("was sent");
        stored().and("version", number(1)).born(last.id).lane(last.lane, last.id, NIL)
    };
    let play = play.on(Operation::PutItem, move |sent| Reply::condition_failed(Some(ours(sent))));
    assert_eq!(play.ends(Ok(Replayed)).await.1, Some(1));
}
