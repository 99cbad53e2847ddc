//! What the documentation promises of the number of requests, counted at the table.

use std::time::Duration;

use dynamo_once::Outcome::{Applied, Replayed, Unchanged};
use dynamo_once::testing::{Fault, Operation, Reply};

use crate::account::{Account, Verb, account};
use crate::peer::{Stored, foreign, number};
use crate::world::{World, ok, sleep};

fn requests(world: &World) -> Vec<String> {
    world.sent().iter().map(|sent| sent.operation.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn undisturbed_write_is_one_request() {
    let f = Account::FIELDS;
    let world = World::new().await;
    let accounts = &world.accounts;
    ok(accounts.insert(&account(1)).send().await, &world.faults);
    assert_eq!(requests(&world), ["PutItem"]);
    let found = accounts.get("a").send().await.expect("is read").expect("is there");
    world.forget_sent();

    ok(accounts.save(found.with(|account| account.balance = 2)).send().await, &world.faults);
    ok(accounts.upsert(&account(3)).send().await, &world.faults);
    ok(accounts.upsert_newer(&account(4), f.balance).send().await, &world.faults);
    ok(accounts.update("a").add(f.balance, 1).send().await, &world.faults);
    ok(accounts.update("a").add(f.balance, 1).when(f.balance.gt(1)).at(5).send().await, &world.faults);
    assert_eq!(requests(&world), ["UpdateItem"; 5]);
    assert_eq!(world.state().await, Some((6, 6)));

    world.forget_sent();
    ok(accounts.delete("a").at(6).send().await, &world.faults);
    ok(accounts.delete("a").send().await, &world.faults);
    assert_eq!(requests(&world), ["DeleteItem"; 2]);
    world.forget_sent();
    ok(accounts.upsert(&account(3)).send().await, &world.faults);
    ok(accounts.delete("a").send().await, &world.faults);
    assert_eq!(requests(&world), ["UpdateItem", "DeleteItem"]);
    assert_eq!(world.stored().await, None);
}

#[tokio::test(start_paused = true)]
async fn refused_write_is_one_request_and_no_read() {
    let f = Account::FIELDS;
    let world = World::with_item().await;
    let accounts = &world.accounts;
    let found = world.others.get("a").send().await.expect("is read").expect("is there");
    let before = world.stored().await;
    assert!(accounts.insert(&account(1)).send().await.unwrap_err().is_already_exists());
    assert!(accounts.insert(&account(1)).keyed("event").send().await.unwrap_err().is_already_exists());
    assert_eq!(requests(&world), ["PutItem"; 2]);
    world.forget_sent();
    assert!(accounts.upsert_newer(&account(10), f.balance).send().await.unwrap_err().is_condition_failed());
    let poor = accounts.update("a").add(f.balance, -20).when(f.balance.ge(20)).send().await.unwrap_err();
    assert!(poor.is_condition_failed());
    assert!(accounts.update("a").add(f.balance, 1).at(2).send().await.unwrap_err().is_version_conflict());
    assert!(accounts.update("b").add(f.balance, 1).send().await.unwrap_err().is_not_found());
    assert_eq!(requests(&world), ["UpdateItem"; 4]);
    assert_eq!(world.stored().await, before);

    world.forget_sent();
    ok(world.others.update("a").add(f.balance, 1).send().await, &world.faults);
    let etag = found.etag();
    let stale = found.with(|account| account.balance = 0);
    assert!(accounts.save(stale).send().await.unwrap_err().is_version_conflict());
    assert!(accounts.delete("a").at(etag).send().await.unwrap_err().is_version_conflict());
    assert!(accounts.delete("b").at(etag).send().await.unwrap_err().is_not_found());
    assert_eq!(requests(&world), ["UpdateItem", "DeleteItem", "DeleteItem"]);
    assert_eq!(world.state().await, Some((11, 2)));
}

#[tokio::test(start_paused = true)]
async fn save_of_nothing_sends_nothing() {
    let world = World::with_item().await;
    let found = world.others.get("a").send().await.expect("is read").expect("is there");
    let etag = found.etag();
    let unchanged = ok(world.accounts.save(found.with(|_| {})).send().await, &world.faults);
    assert_eq!((unchanged.outcome(), unchanged.etag()), (Unchanged, Some(etag)));
    assert!(world.sent().is_empty());
    let unchanged = ok(world.accounts.modify("a", |_| {}).send().await, &world.faults);
    assert_eq!(unchanged.outcome(), Unchanged);
    assert_eq!(requests(&world), ["GetItem"]);
}

#[tokio::test(start_paused = true)]
async fn modify_is_two_requests_and_one_more_for_each_conflict() {
    let world = World::with_item().await;
    ok(world.accounts.modify("a", |account| account.balance += 1).send().await, &world.faults);
    assert_eq!(requests(&world), ["GetItem", "UpdateItem"]);

    world.forget_sent();
    // Another process writes between the read and the write.
    let second = Duration::from_secs(1);
    world.faults.on(Operation::UpdateItem).inject(Fault::reply(Reply::throttled().after(2 * second)));
    let modify = world.accounts.modify("a", |account| account.balance += 1).send();
    let other = async {
        sleep(second).await;
        world.others.update("a").add(Account::FIELDS.balance, 100).send().await
    };
    let (modified, other) = tokio::join!(modify, other);
    ok(other, &world.faults);
    assert_eq!(ok(modified, &world.faults).outcome(), Applied);
    // The throttled write is sent again and conflicts; the one after that goes through.
    assert_eq!(requests(&world), ["GetItem", "UpdateItem", "UpdateItem", "UpdateItem"], "{}", world.faults.log());
    assert_eq!(world.state().await, Some((112, 4)));
}

#[tokio::test(start_paused = true)]
async fn replay_costs_no_more_than_its_resends() {
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.at_version() || verb.reads()) {
        for lost in 1..=3 {
            let world = if verb.inserts() { World::new().await } else { World::with_item().await };
            world.faults.on(verb.operation()).times(lost).inject(Fault::lost_reply());
            let written = ok(verb.call(&world.accounts).await, &world.faults);
            assert_eq!(written.is_replayed(), !verb.deletes(), "{verb}");
            let expected = lost + 1 + usize::from(verb.reads());
            assert_eq!(world.sent().len(), expected, "{verb}: {}", world.faults.log());
            let writes: Vec<_> = world.sent().into_iter().filter(|sent| sent.operation != Operation::GetItem).collect();
            assert!(writes.iter().all(|sent| *sent == writes[0]), "{verb}: the same each time");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn replayed_write_is_in_the_table_once() {
    let expected = |verb: Verb| match verb {
        Verb::Insert | Verb::Keyed => Some((20, 1)),
        Verb::Delete => None,
        Verb::Update | Verb::UpdateWhen | Verb::Modify => Some((11, 2)),
        _ => Some((20, 2)),
    };
    for verb in Verb::ALL.into_iter().filter(|verb| !verb.at_version() || verb.reads()) {
        let world = if verb.inserts() { World::new().await } else { World::with_item().await };
        world.faults.on(verb.operation()).times(5).inject(Fault::lost_reply());
        ok(verb.call(&world.accounts).await, &world.faults);
        assert_eq!(world.state().await, expected(verb), "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn adoption_costs_two_requests_and_one_ever_after() {
    for verb in [Verb::Upsert, Verb::UpsertNewer, Verb::Update, Verb::UpdateWhen] {
        let world = World::new().await;
        world.put_foreign(foreign().and("theirs", number(1))).await;
        ok(verb.call(&world.accounts).await, &world.faults);
        assert_eq!(requests(&world), ["UpdateItem"; 2], "{verb}");
        assert_eq!(world.stored().await.expect("is there")["theirs"], number(1), "{verb}");

        world.forget_sent();
        ok(world.accounts.update("a").add(Account::FIELDS.balance, 1).send().await, &world.faults);
        assert_eq!(requests(&world), ["UpdateItem"], "{verb}");
        assert_eq!(world.state().await.expect("is there").1, 2, "{verb}");
    }
    let world = World::new().await;
    world.put_foreign(foreign()).await;
    ok(Verb::Delete.call(&world.accounts).await, &world.faults);
    assert_eq!((requests(&world).len(), world.stored().await), (2, None));
}

#[tokio::test(start_paused = true)]
async fn adoption_survives_a_lost_reply() {
    let world = World::new().await;
    world.put_foreign(foreign()).await;
    world.faults.on(Operation::UpdateItem).nth(2).inject(Fault::lost_reply());
    let written = ok(Verb::Update.call(&world.accounts).await, &world.faults);
    assert_eq!((written.outcome(), written.version()), (Replayed, Some(1)));
    assert_eq!((world.sent().len(), world.state().await), (3, Some((16, 1))));
}
