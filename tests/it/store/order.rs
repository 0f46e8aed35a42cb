//! Many edits at a time: commits, versions and publication in one order, whoever waits.

use super::{add, address, benches, name, new_account};
use msnd::model::{Applied, Change, Edit, List, ListBits};
use parking_lot::Mutex;
use std::{future::Future, pin::pin, sync::Arc, task::Poll};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edits_are_published_in_the_order_of_their_versions() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let mut edits = JoinSet::new();
        for number in 0..200 {
            let (store, published) = (Arc::clone(&bench.store), Arc::clone(&bench.published));
            let owner = if number % 2 == 0 { alice } else { bob };
            let edit = Edit::Rename { name: name(&format!("name {number}")) };
            let publish = move |applied: &Applied| published.lock().push(applied.clone());
            edits.spawn(async move { store.edit(owner, edit, Box::new(publish)).await });
        }
        let answers = edits.join_all().await;
        assert!(answers.iter().all(Result::is_ok));
        let published = std::mem::take(&mut *bench.published.lock());
        for owner in [alice, bob] {
            let of: Vec<_> = published.iter().filter(|a| a.owner == owner).collect();
            let versions: Vec<_> = of.iter().map(|applied| applied.version).collect();
            assert_eq!(versions, (2..102).collect::<Vec<_>>());
            assert_eq!(bench.roster(owner).await.version, 101);
        }
        // The last published name is the stored one.
        let last = published.iter().rfind(|applied| applied.owner == alice).unwrap();
        let stored = bench.store.account(&address("alice")).await.unwrap().name;
        assert_eq!(last.change, Change::Renamed { name: stored });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_add_each_other_at_once_both_get_it_right() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        for _ in 0..20 {
            for edit in [add, super::remove] {
                let mut both = JoinSet::new();
                for (owner, whom) in [(alice, "bob"), (bob, "alice")] {
                    let store = Arc::clone(&bench.store);
                    let edit = edit(List::Forward, whom);
                    both.spawn(async move { store.edit(owner, edit, Box::new(|_| ())).await });
                }
                assert!(both.join_all().await.iter().all(Result::is_ok));
                let lists = bench.lists(alice, bob).await;
                assert_eq!(lists, bench.lists(bob, alice).await);
                assert!([ListBits::NONE, ListBits(1 | 8)].contains(&lists));
            }
        }
        assert_eq!(bench.roster(alice).await.version, 81, "twice for each round's two changes");
    }
}

#[tokio::test]
async fn an_edit_is_published_before_it_is_answered_and_readable_by_then() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let publisher = Arc::clone(&order);
        let publish = Box::new(move |_: &Applied| publisher.lock().push("published"));
        bench.store.edit(alice, add(List::Forward, "bob"), publish).await.unwrap();
        order.lock().push("answered");
        assert_eq!(*order.lock(), ["published", "answered"]);
    }
}

#[tokio::test]
async fn an_abandoned_edit_is_made_and_published_all_the_same() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let published = Arc::clone(&bench.published);
        let publish = Box::new(move |applied: &Applied| published.lock().push(applied.clone()));
        {
            // Polled once it is in the queue; then its caller goes away.
            let mut edit = pin!(bench.store.edit(alice, add(List::Forward, "bob"), publish));
            std::future::poll_fn(|context| {
                assert!(edit.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        // The queue is in order: when this one is answered, the abandoned one is done.
        bench.done(bob, Edit::Rename { name: name("Bobby") }).await;
        let owners: Vec<_> = bench.published.lock().iter().map(|applied| applied.owner).collect();
        assert_eq!(owners, [alice, bob]);
        assert_eq!(bench.lists(alice, bob).await, ListBits::FORWARD);
        assert_eq!(bench.lists(bob, alice).await, ListBits::REVERSE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_changes_only() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let store = Arc::clone(&bench.store);
        let writing = async move {
            for round in 0..60 {
                let edit = if round % 2 == 0 { add } else { super::remove };
                store.edit(alice, edit(List::Forward, "alice"), Box::new(|_| ())).await.unwrap();
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(writing);
        for _ in 0..4 {
            let store = Arc::clone(&bench.store);
            tasks.spawn(async move {
                loop {
                    let roster = store.roster(alice).await.unwrap();
                    // Even versions have the entry, odd ones do not; half of it is never there.
                    let lists: Vec<_> = roster.contacts.iter().map(|c| c.lists).collect();
                    let expected = if roster.version % 2 == 0 { vec![ListBits(9)] } else { vec![] };
                    assert_eq!(lists, expected);
                    if roster.version == 61 {
                        break;
                    }
                }
            });
        }
        tasks.join_all().await;
    }
}

#[tokio::test]
async fn accounts_and_edits_share_one_order() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let create = bench.store.create_accounts(vec![new_account("dave")]);
        let watch = bench.edit(alice, add(List::Forward, "dave"));
        let (dave, alone) = (address("dave"), address("alice"));
        let gone = bench.store.remove_account(&dave);
        let disable = bench.store.set_enabled(&alone, false);
        let (create, watch, gone, disable) = tokio::join!(create, watch, gone, disable);
        create.unwrap();
        assert!(matches!(watch.unwrap().change, Change::Watched { .. }));
        gone.unwrap();
        disable.unwrap();
        assert_eq!(bench.roster(alice).await.contacts, []);
        assert!(!bench.store.account(&alone).await.unwrap().enabled);
    }
}
