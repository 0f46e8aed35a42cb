//! `ADD`, `REM` and `REA`: the four lists, their mirror, names and limits.

use super::{
    add, add_as, address, benches, group, name, new_account, own_name, remove, remove_from,
};
use msnd::{
    model::{
        AccountId, Change, Edit, GroupSet, List, ListBits, Privacy, Properties, PropertyKey,
        Refusal,
    },
    store::{EditError, StoreError},
};

#[tokio::test]
async fn watching_somebody_puts_the_watcher_on_their_reverse_list() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        let change = bench.change(alice, add_as(List::Forward, "bob", "Bobby", None)).await;
        let properties = Some(Properties::new());
        assert_eq!(change, Change::Watched { contact: bob, reverse_version: 2, properties });

        let forward = bench.entry(alice, bob).await.unwrap();
        assert_eq!((forward.lists, forward.groups), (ListBits::FORWARD, GroupSet::ZERO));
        assert_eq!((forward.address, forward.name), (address("bob"), name("Bobby")));
        let reverse = bench.entry(bob, alice).await.unwrap();
        assert_eq!((reverse.lists, reverse.groups), (ListBits::REVERSE, GroupSet(0)));
        assert_eq!(reverse.name, own_name("alice"), "the watcher's nickname");
        assert_eq!(bench.roster(bob).await.version, 2);
        assert_eq!(bench.roster(carol).await.version, 1);

        let change = bench.change(alice, remove(List::Forward, "bob")).await;
        assert_eq!(change, Change::Unwatched { contact: bob, reverse_version: 3 });
        assert_eq!(bench.entry(alice, bob).await, None);
        assert_eq!(bench.entry(bob, alice).await, None);
        assert_eq!(bench.roster(bob).await.version, 3);
    }
}

#[tokio::test]
async fn reverse_bits_join_and_leave_an_entry_that_stays() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.change(bob, add_as(List::Block, "alice", "Al", None)).await;
        bench.change(alice, add(List::Forward, "bob")).await;
        assert_eq!(bench.lists(bob, alice).await, ListBits(4 | 8));
        assert_eq!(bench.entry(bob, alice).await.unwrap().name, name("Al"));
        bench.change(bob, add(List::Forward, "alice")).await;
        assert_eq!(bench.lists(bob, alice).await, ListBits(1 | 4 | 8));
        assert_eq!(bench.lists(alice, bob).await, ListBits(1 | 8));
        bench.change(alice, remove(List::Forward, "bob")).await;
        assert_eq!(bench.lists(bob, alice).await, ListBits(1 | 4));
        assert_eq!(bench.lists(alice, bob).await, ListBits::REVERSE);
    }
}

#[tokio::test]
async fn allow_and_block_tell_nobody_and_exclude_each_other() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let listed = bench.change(alice, add(List::Allow, "bob")).await;
        assert_eq!(listed, Change::Listed { list: List::Allow, contact: bob });
        assert_eq!(bench.refused(alice, add(List::Block, "bob")).await, Refusal::OnOppositeList);
        let gone = bench.change(alice, remove(List::Allow, "bob")).await;
        assert_eq!(gone, Change::Unlisted { list: List::Allow, contact: bob });
        let listed = bench.change(alice, add(List::Block, "bob")).await;
        assert_eq!(listed, Change::Listed { list: List::Block, contact: bob });
        assert_eq!(bench.refused(alice, add(List::Allow, "bob")).await, Refusal::OnOppositeList);
        assert_eq!(bench.lists(alice, bob).await, ListBits::BLOCK);
        bench.change(alice, remove(List::Block, "bob")).await;
        assert_eq!(bench.entry(alice, bob).await, None);
        assert_eq!(bench.roster(bob).await.version, 1);
    }
}

#[tokio::test]
async fn add_is_refused_for_the_most_important_reason() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let refused = async |edit| bench.refused(alice, edit).await;
        let ghost = add_as(List::Forward, "ghost", "g", group(7));
        assert_eq!(refused(ghost).await, Refusal::NoSuchUser);

        bench.change(alice, add(List::Forward, "bob")).await;
        let elsewhere = add_as(List::Forward, "bob", "b", group(7));
        assert_eq!(refused(elsewhere).await, Refusal::NoSuchGroup);
        assert_eq!(refused(add(List::Forward, "bob")).await, Refusal::AlreadyThere);
        let again = add_as(List::Forward, "bob", "b", group(0));
        assert_eq!(refused(again).await, Refusal::AlreadyThere);

        let more = ["dave", "erin", "frank"].map(new_account);
        bench.store.create_accounts(more.into()).await.unwrap();
        for who in ["carol", "dave"] {
            bench.change(alice, add(List::Forward, who)).await;
        }
        assert_eq!(refused(add(List::Forward, "erin")).await, Refusal::ListFull);
        bench.change(alice, add(List::Allow, "bob")).await;
        bench.change(alice, add(List::Block, "carol")).await;
        assert_eq!(refused(add(List::Allow, "bob")).await, Refusal::AlreadyThere);
        assert_eq!(refused(add(List::Allow, "carol")).await, Refusal::OnOppositeList);
        assert_eq!(refused(add(List::Allow, "dave")).await, Refusal::ListFull);
        assert_eq!(refused(add(List::Block, "dave")).await, Refusal::ListFull);
        // A full forward list still takes a contact into a further group.
        bench.change(alice, Edit::AddGroup { name: name("Friends") }).await;
        let filed = bench.change(alice, add_as(List::Forward, "bob", "b", group(1))).await;
        assert_eq!(filed, Change::Private);
    }
}

#[tokio::test]
async fn reverse_lists_are_never_full() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let watchers = ["dave", "erin", "frank", "grace", "heidi"];
        bench.store.create_accounts(watchers.map(new_account).into()).await.unwrap();
        for who in watchers {
            let watcher = bench.id(who).await;
            bench.change(watcher, add(List::Forward, "alice")).await;
        }
        assert_eq!(bench.roster(alice).await.contacts.len(), watchers.len());
        bench.change(alice, add(List::Allow, "bob")).await;
    }
}

#[tokio::test]
async fn remove_is_refused_for_the_most_important_reason() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let refused = async |edit| bench.refused(alice, edit).await;
        let ghost = remove_from(List::Forward, "ghost", group(7));
        assert_eq!(refused(ghost).await, Refusal::NoSuchGroup);
        assert_eq!(refused(remove(List::Forward, "ghost")).await, Refusal::NotOnList);
        assert_eq!(refused(remove(List::Allow, "bob")).await, Refusal::NotOnList);
        let absent = remove_from(List::Forward, "bob", group(7));
        assert_eq!(refused(absent).await, Refusal::NoSuchGroup);

        bench.change(alice, add(List::Forward, "bob")).await;
        bench.change(alice, Edit::AddGroup { name: name("Friends") }).await;
        let elsewhere = remove_from(List::Forward, "bob", group(1));
        assert_eq!(refused(elsewhere).await, Refusal::NotInGroup);
        assert_eq!(refused(remove(List::Block, "bob")).await, Refusal::NotOnList);
        // Being watched is no entry that a client could remove.
        assert_eq!(bench.refused(bob, remove(List::Forward, "alice")).await, Refusal::NotOnList);
    }
}

#[tokio::test]
async fn the_stored_name_changes_only_with_a_new_entry_or_a_new_watch() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let stored = async || bench.entry(alice, bob).await.unwrap().name;
        bench.change(alice, add_as(List::Allow, "bob", "first", None)).await;
        assert_eq!(stored().await, name("first"));
        bench.change(alice, add_as(List::Forward, "bob", "second", None)).await;
        assert_eq!(stored().await, name("second"));
        bench.change(alice, remove(List::Allow, "bob")).await;
        bench.change(alice, add_as(List::Allow, "bob", "third", None)).await;
        assert_eq!(stored().await, name("second"));
        bench.change(alice, Edit::AddGroup { name: name("Friends") }).await;
        bench.change(alice, add_as(List::Forward, "bob", "fourth", group(1))).await;
        assert_eq!(stored().await, name("second"));
        // Somebody's new nickname is theirs; the copies of others stay.
        bench.change(bob, Edit::Rename { name: name("Robert") }).await;
        assert_eq!(stored().await, name("second"));
        assert_eq!(bench.store.account(&address("bob")).await.unwrap().name, name("Robert"));
    }
}

#[tokio::test]
async fn a_contact_can_be_renamed_while_it_is_on_any_list() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let to = |who, to| Edit::RenameContact { contact: address(who), name: name(to) };
        assert_eq!(bench.refused(alice, to("bob", "B")).await, Refusal::NotOnList);
        assert_eq!(bench.refused(alice, to("ghost", "G")).await, Refusal::NotOnList);
        bench.change(bob, add(List::Forward, "alice")).await;
        assert_eq!(bench.change(alice, to("bob", "B")).await, Change::Private);
        assert_eq!(bench.entry(alice, bob).await.unwrap().name, name("B"));
        let version = bench.roster(alice).await.version;
        let same = bench.done(alice, to("bob", "B")).await;
        assert_eq!((same.change, same.version), (Change::None, version));
    }
}

#[tokio::test]
async fn ones_own_name_is_the_accounts() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.change(bob, add(List::Forward, "alice")).await;
        let (version, watcher) = (bench.roster(alice).await.version, bench.roster(bob).await);
        let same = bench.done(alice, Edit::Rename { name: own_name("alice") }).await;
        assert_eq!((same.change, same.version), (Change::None, version));
        let renamed = bench.change(alice, Edit::Rename { name: name("Al") }).await;
        assert_eq!(renamed, Change::Renamed { name: name("Al") });
        assert_eq!(bench.roster(bob).await, watcher, "a watcher's copy and version stay");
    }
}

#[tokio::test]
async fn one_can_watch_oneself() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let watched = bench.change(alice, add(List::Forward, "alice")).await;
        let properties = Some(Properties::new());
        let expected = Change::Watched { contact: alice, reverse_version: 2, properties };
        assert_eq!(watched, expected, "one change, one version");
        assert_eq!(bench.lists(alice, alice).await, ListBits(1 | 8));
        bench.change(alice, add(List::Allow, "alice")).await;
        assert_eq!(bench.lists(alice, alice).await, ListBits(1 | 2 | 8));
        let gone = bench.change(alice, remove(List::Forward, "alice")).await;
        assert_eq!(gone, Change::Unwatched { contact: alice, reverse_version: 4 });
        assert_eq!(bench.lists(alice, alice).await, ListBits::ALLOW);
        bench.change(alice, remove(List::Allow, "alice")).await;
        assert_eq!(bench.entry(alice, alice).await, None);
    }
}

#[tokio::test]
async fn shared_properties_go_to_those_who_are_allowed() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        let set = |key, value: &str| Edit::SetProperty { key, value: Some(value.to_owned()) };
        bench.change(bob, set(PropertyKey::HomePhone, "46 555")).await;
        bench.change(bob, set(PropertyKey::WebWatch, "0")).await;
        let phone = Properties::from([(PropertyKey::HomePhone, "46 555".to_owned())]);
        let watched =
            async |who: AccountId| match bench.change(who, add(List::Forward, "bob")).await {
                Change::Watched { properties, .. } => properties,
                other => panic!("{other:?}"),
            };
        let seen = async |who| bench.entry(who, bob).await.unwrap().properties;

        assert_eq!(watched(alice).await, Some(phone.clone()));
        assert_eq!(seen(alice).await, phone);
        bench.change(bob, Edit::SetPrivacy(Privacy::BlockOthers)).await;
        assert_eq!(seen(alice).await, Properties::new());
        assert_eq!(watched(carol).await, None, "on neither list, in mode BL");
        bench.change(bob, add(List::Allow, "carol")).await;
        assert_eq!(seen(carol).await, phone);
        bench.change(carol, remove(List::Forward, "bob")).await;
        assert_eq!(watched(carol).await, Some(phone.clone()));
        bench.change(bob, remove(List::Allow, "carol")).await;
        bench.change(bob, Edit::SetPrivacy(Privacy::AllowOthers)).await;
        bench.change(bob, add(List::Block, "carol")).await;
        assert_eq!(seen(carol).await, Properties::new());
        // Not watching: nothing to see, allowed or not.
        bench.change(alice, remove(List::Forward, "bob")).await;
        bench.change(alice, add(List::Allow, "bob")).await;
        assert_eq!(seen(alice).await, Properties::new());
    }
}

#[tokio::test]
async fn nobody_edits_an_account_that_is_not_there() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.store.remove_account(&address("alice")).await.unwrap();
        for owner in [alice, AccountId(0), AccountId(u64::MAX)] {
            for edit in [
                add(List::Forward, "bob"),
                remove_from(List::Forward, "ghost", group(7)),
                Edit::RemoveGroup { group: msnd::model::GroupId::ZERO },
                Edit::SetPrivacy(Privacy::AllowOthers),
            ] {
                let outcome = bench.edit(owner, edit).await;
                assert!(
                    matches!(outcome, Err(EditError::Store(StoreError::NotFound))),
                    "{outcome:?}"
                );
            }
        }
        assert!(bench.published.lock().is_empty());
        assert!(bench.roster(bob).await.contacts.is_empty());
    }
}
