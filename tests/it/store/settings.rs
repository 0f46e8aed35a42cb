//! `BLP`, `GTC` and `PRP`: modes, properties and who is told; versions at their end.

use super::{add, address, benches, name, new_account, new_contact};
use msnd::{
    model::{
        AccountId, Change, Edit, Group, GroupId, GroupSet, List, Privacy, Prompt, Properties,
        PropertyKey, Refusal,
    },
    store::{NewAccount, NewContact},
};

fn set(key: PropertyKey, value: &str) -> Edit {
    Edit::SetProperty { key, value: Some(value.to_owned()) }
}

fn clear(key: PropertyKey) -> Edit {
    Edit::SetProperty { key, value: None }
}

#[tokio::test]
async fn modes_change_once() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        for (edit, change) in [
            (Edit::SetPrivacy(Privacy::BlockOthers), Change::Privacy(Privacy::BlockOthers)),
            (Edit::SetPrompt(Prompt::Never), Change::Private),
        ] {
            assert_eq!(bench.change(alice, edit.clone()).await, change);
            assert_eq!(bench.refused(alice, edit).await, Refusal::AlreadyInMode);
        }
        let roster = bench.roster(alice).await;
        assert_eq!((roster.privacy, roster.prompt), (Privacy::BlockOthers, Prompt::Never));
        let unchanged = Edit::SetPrompt(Prompt::Never);
        assert_eq!(bench.refused(alice, unchanged).await, Refusal::AlreadyInMode);
    }
}

#[tokio::test]
async fn watchers_who_may_see_are_told_of_shared_properties() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        bench.store.create_accounts(["dave", "erin"].map(new_account).into()).await.unwrap();
        let [dave, erin] = [bench.id("dave").await, bench.id("erin").await];
        for watcher in [bob, carol, dave] {
            bench.change(watcher, add(List::Forward, "alice")).await;
        }
        bench.change(alice, add(List::Block, "carol")).await;
        bench.change(alice, add(List::Allow, "dave")).await;
        let told = async |edit: Edit| match bench.change(alice, edit).await {
            Change::Property { told, .. } => told,
            other => panic!("{other:?}"),
        };
        let version = async |who: AccountId| bench.roster(who).await.version;

        let phone = set(PropertyKey::MobilePhone, "46 555");
        assert_eq!(told(phone.clone()).await, [(bob, 3), (dave, 3)]);
        assert_eq!([version(bob).await, version(dave).await], [3, 3], "offline or not");
        assert_eq!([version(carol).await, version(erin).await], [2, 1]);
        bench.change(alice, Edit::SetPrivacy(Privacy::BlockOthers)).await;
        assert_eq!(told(phone.clone()).await, [(dave, 4)], "the same value is told again");
        assert_eq!(told(clear(PropertyKey::MobilePhone)).await, [(dave, 5)]);
        assert_eq!(told(set(PropertyKey::WebWatch, "1")).await, [], "the owner's alone");
        assert_eq!(version(dave).await, 5);

        // Oneself too, with the version of the change.
        bench.change(alice, Edit::SetPrivacy(Privacy::AllowOthers)).await;
        bench.change(alice, add(List::Forward, "alice")).await;
        let own = bench.roster(alice).await.version + 1;
        assert_eq!(told(phone).await, [(alice, own), (bob, 4), (dave, 6)]);
    }
}

#[tokio::test]
async fn properties_are_set_and_cleared() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let key = PropertyKey::WorkPhone;
        let value = Some("46 8".to_owned());
        let change = bench.change(alice, set(key, "46 8")).await;
        assert_eq!(change, Change::Property { key, value: value.clone(), told: vec![] });
        assert_eq!(bench.roster(alice).await.properties.get(&key), value.as_ref());
        for cleared in [clear(key), set(key, ""), clear(key)] {
            let change = bench.change(alice, cleared).await;
            assert_eq!(change, Change::Property { key, value: None, told: vec![] });
            assert!(bench.roster(alice).await.properties.is_empty());
        }
    }
}

#[tokio::test]
async fn nobody_can_be_paged_without_a_device() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.change(bob, add(List::Forward, "alice")).await;
        let in_force = async |edit: Edit| match bench.change(alice, edit).await {
            Change::Property { value, told, .. } => (value, told),
            other => panic!("{other:?}"),
        };
        let (yes, no) = (Some("Y".to_owned()), Some("N".to_owned()));
        let (allowed, enabled) = (PropertyKey::MobileAllowed, PropertyKey::MobileEnabled);
        assert_eq!(in_force(set(allowed, "Y")).await, (no.clone(), vec![(bob, 3)]));
        assert_eq!(in_force(set(enabled, "Y")).await, (yes.clone(), vec![]));
        assert_eq!(bench.roster(alice).await.properties.get(&allowed), no.as_ref());
        assert_eq!(in_force(set(allowed, "Y")).await, (yes.clone(), vec![(bob, 4)]));

        // Without a device again, permission goes too, and watchers are told.
        assert_eq!(in_force(set(enabled, "N")).await, (no.clone(), vec![(bob, 5)]));
        assert_eq!(bench.roster(alice).await.properties.get(&allowed), no.as_ref());
        let watcher = bench.roster(bob).await;
        assert_eq!(watcher.version, 5);
        assert_eq!(watcher.contacts[0].properties.get(&allowed), no.as_ref());
        assert_eq!(in_force(clear(enabled)).await, (None, vec![]));
        assert_eq!(bench.roster(bob).await.version, 5, "nothing changed for the watcher");
    }
}

#[tokio::test]
async fn the_last_version_is_followed_by_the_first() {
    for bench in benches().await {
        // Everybody's version is the last one.
        let account = |who, contacts| {
            let account = new_account(who);
            NewAccount { list_version: u32::MAX, contacts, ..account }
        };
        let watching = |whom| vec![new_contact(whom, 1, 0)];
        let made = [
            account("alice", vec![]),
            account("bob", watching("alice")),
            account("carol", watching("bob")),
            account("dave", vec![]),
            account("erin", vec![NewContact { groups: GroupSet(2), ..new_contact("dave", 1, 0) }]),
            account("frank", vec![]),
        ];
        let made = made.map(|account| {
            let second = Group { id: GroupId::new(1).unwrap(), name: name("Second") };
            NewAccount { groups: [account.groups, vec![second]].concat(), ..account }
        });
        bench.store.create_accounts(made.into()).await.unwrap();
        let [alice, bob] = [bench.id("alice").await, bench.id("bob").await];
        let [carol, dave] = [bench.id("carol").await, bench.id("dave").await];
        let [erin, frank] = [bench.id("erin").await, bench.id("frank").await];

        let watched = bench.done(alice, add(List::Forward, "frank")).await;
        let (reverse_version, properties) = (1, Some(Properties::new()));
        let expected = Change::Watched { contact: frank, reverse_version, properties };
        assert_eq!((watched.version, watched.change), (1, expected));
        assert_eq!(bench.roster(frank).await.version, 1);

        let told = bench.done(alice, set(PropertyKey::HomePhone, "1")).await;
        let (key, value) = (PropertyKey::HomePhone, Some("1".to_owned()));
        assert_eq!(told.change, Change::Property { key, value, told: vec![(bob, 1)] });

        let removed = bench.done(erin, Edit::RemoveGroup { group: GroupId::new(1).unwrap() }).await;
        let dropped = vec![(dave, 1)];
        assert_eq!((removed.version, removed.change), (1, Change::GroupRemoved { dropped }));

        bench.store.remove_account(&address("bob")).await.unwrap();
        assert_eq!(bench.roster(carol).await.version, 1);
    }
}
