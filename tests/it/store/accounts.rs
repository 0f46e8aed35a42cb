//! Making, reading, changing and removing accounts.

use super::{add, address, benches, group, name, new_account, new_contact, own_name, remove};
use msnd::{
    model::{
        AccountId, Circle, Edit, Group, GroupId, GroupSet, List, ListBits, Name, Privacy, Prompt,
        Properties, PropertyKey, Roster, roster::first_groups,
    },
    store::{Callee, NewAccount, NewContact, PasswordHash, StoreError},
};
use secrecy::ExposeSecret;

#[tokio::test]
async fn a_new_account_has_default_settings_and_nobody() {
    for bench in benches().await {
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        let account = bench.store.account(&address("alice")).await.unwrap();
        assert_eq!((account.address, account.name), (address("alice"), own_name("alice")));
        assert_eq!(account.password.0.expose_secret(), "$argon2id$secret");
        assert!(account.enabled && account.list_version == 1);
        // The year 2020, to see that it is seconds and not something else.
        assert!((1_577_836_800..20_000_000_000).contains(&account.created_at_secs));
        let empty = Roster {
            version: 1,
            prompt: Prompt::Ask,
            privacy: Privacy::AllowOthers,
            properties: Properties::new(),
            groups: first_groups(),
            contacts: vec![],
        };
        assert_eq!(bench.roster(account.id).await, empty);
    }
}

#[tokio::test]
async fn what_an_account_starts_with_is_found_again() {
    for bench in benches().await {
        let second = Group { id: GroupId::new(4).unwrap(), name: name("Wörk & \"play\"") };
        let alice = NewAccount {
            list_version: 312,
            privacy: Privacy::BlockOthers,
            prompt: Prompt::Never,
            properties: Properties::from([(PropertyKey::HomePhone, "46 8".to_owned())]),
            groups: [first_groups(), vec![second.clone()]].concat(),
            contacts: vec![
                NewContact { groups: GroupSet(0b10001), ..new_contact("dave", 1, 0) },
                new_contact("carol", 2 | 8, 0),
                new_contact("bob", 1 | 4, 0),
            ],
            ..new_account("alice")
        };
        let carol =
            NewAccount { contacts: vec![new_contact("alice", 1, 0)], ..new_account("carol") };
        let rest = [new_account("bob"), new_account("dave")];
        let all = [vec![alice, carol], rest.into()].concat();
        bench.store.create_accounts(all).await.unwrap();

        let id = bench.id("alice").await;
        let roster = bench.roster(id).await;
        assert_eq!(roster.version, 312, "being made together raises no version");
        assert_eq!((roster.privacy, roster.prompt), (Privacy::BlockOthers, Prompt::Never));
        assert_eq!(roster.properties[&PropertyKey::HomePhone], "46 8");
        assert_eq!(roster.groups[1], second);
        let contacts: Vec<_> = roster
            .contacts
            .iter()
            .map(|c| (c.address.clone(), c.name.clone(), c.lists, c.groups))
            .collect();
        assert_eq!(
            contacts,
            [
                (address("dave"), name("dave"), ListBits(1), GroupSet(0b10001)),
                (address("carol"), name("carol"), ListBits(2 | 8), GroupSet(0)),
                (address("bob"), name("bob"), ListBits(1 | 4), GroupSet(1)),
            ],
            "in the given order"
        );
        let bobs = bench.roster(bench.id("bob").await).await;
        assert_eq!(bobs.version, 1);
        assert_eq!(bobs.contacts[0].lists, ListBits::REVERSE);
        assert_eq!(bobs.contacts[0].name, own_name("alice"));
    }
}

#[tokio::test]
async fn new_accounts_may_watch_those_who_are_there() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let watching = |who, whom: &[&str]| {
            let contacts = whom.iter().map(|whom| new_contact(whom, 1, 0)).collect();
            NewAccount { contacts, ..new_account(who) }
        };
        let made = vec![watching("dave", &["alice", "dave"]), watching("erin", &["alice", "bob"])];
        bench.store.create_accounts(made).await.unwrap();
        let roster = bench.roster(alice).await;
        assert_eq!(roster.version, 2);
        let watchers: Vec<_> =
            roster.contacts.iter().map(|c| (c.address.as_str(), c.lists)).collect();
        let reverse = ListBits::REVERSE;
        assert_eq!(watchers, [("dave@example.test", reverse), ("erin@example.test", reverse)]);
        let dave = bench.roster(bench.id("dave").await).await;
        assert_eq!((dave.version, dave.contacts[1].lists), (1, ListBits(1 | 8)));
    }
}

#[tokio::test]
async fn accounts_are_made_all_or_none() {
    for bench in benches().await {
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        let alice = bench.id("alice").await;
        let with = |change: fn(&mut NewAccount)| {
            let mut account = new_account("bob");
            change(&mut account);
            vec![new_account("carol"), account]
        };
        for (made, why) in [
            (vec![new_account("bob"), new_account("alice")], "alice@example.test exists already"),
            (vec![new_account("bob"), new_account("bob")], "given twice"),
            (
                with(|bob| {
                    bob.contacts = vec![new_contact("alice", 1, 0), new_contact("ghost", 1, 0)]
                }),
                "ghost@example.test is listed but does not exist",
            ),
            (
                with(|bob| bob.contacts = vec![new_contact("alice", 6, 0)]),
                "both allowed and blocked",
            ),
            (with(|bob| bob.contacts = vec![new_contact("alice", 0, 0)]), "on no list"),
            (
                with(|bob| bob.contacts = vec![new_contact("alice", 1, 2)]),
                "group that does not exist",
            ),
            (
                with(|bob| bob.contacts = vec![new_contact("alice", 2, 1)]),
                "not on the forward list",
            ),
            (
                with(|bob| {
                    bob.contacts = vec![new_contact("alice", 1, 0), new_contact("alice", 2, 0)]
                }),
                "alice@example.test given twice",
            ),
            (
                with(|bob| bob.contacts = vec![new_contact("alice", 8, 0)]),
                "alice@example.test is on the reverse list of bob@example.test but",
            ),
            (with(|bob| bob.groups.clear()), "group 0 is missing"),
            (with(|bob| bob.groups.extend(first_groups())), "group 0 given twice"),
            (with(|bob| bob.list_version = 0), "list version"),
        ] {
            match bench.store.create_accounts(made).await {
                Err(StoreError::Conflict(what)) => assert!(what.contains(why), "{why}: {what}"),
                other => panic!("{why}: {other:?}"),
            }
            assert_eq!(bench.store.accounts().await.unwrap().len(), 1, "{why}");
        }
        let roster = bench.roster(alice).await;
        assert_eq!((roster.version, roster.contacts), (1, vec![]));
    }
}

#[tokio::test]
async fn many_accounts_are_made_at_once() {
    for bench in benches().await {
        // More than any one statement carries, in a ring of watchers.
        let count = 1203;
        let who = |number: usize| format!("user{:04}", number % count);
        let made = (0..count)
            .map(|number| NewAccount {
                contacts: vec![new_contact(&who(number + 1), 3, 0)],
                properties: Properties::from([(PropertyKey::MobilePhone, number.to_string())]),
                ..new_account(&who(number))
            })
            .collect();
        bench.store.create_accounts(made).await.unwrap();
        let all = bench.store.accounts().await.unwrap();
        assert_eq!(all.len(), count);
        assert!(all.is_sorted_by(|a, b| a.address < b.address));
        for number in [0, 1, 600, count - 1] {
            let roster = bench.roster(bench.id(&who(number)).await).await;
            let lists: Vec<_> =
                roster.contacts.iter().map(|c| (c.address.clone(), c.lists)).collect();
            let (next, previous) = (address(&who(number + 1)), address(&who(number + count - 1)));
            assert_eq!(lists, [(next, ListBits(3)), (previous, ListBits::REVERSE)]);
            assert_eq!(roster.properties[&PropertyKey::MobilePhone], number.to_string());
            assert_eq!(roster.contacts[0].properties.len(), 1);
        }
    }
}

#[tokio::test]
async fn credentials_change_with_their_epoch() {
    for bench in benches().await {
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        let account = async || bench.store.account(&address("alice")).await.unwrap();
        let before = account().await;
        let hash = PasswordHash("$argon2id$other".into());
        bench.store.set_password(&address("alice"), hash).await.unwrap();
        let changed = account().await;
        assert_eq!(changed.password.0.expose_secret(), "$argon2id$other");
        assert_eq!(changed.credential_epoch, before.credential_epoch + 1);
        for (enabled, rise) in [(false, 2), (false, 3), (true, 4)] {
            bench.store.set_enabled(&address("alice"), enabled).await.unwrap();
            let changed = account().await;
            assert_eq!(changed.enabled, enabled);
            assert_eq!(changed.credential_epoch, before.credential_epoch + rise);
            assert_eq!(changed.list_version, before.list_version);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    fn missing<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) {
        assert!(matches!(outcome, Err(StoreError::NotFound)), "{outcome:?}");
    }
    for bench in benches().await {
        let (store, ghost) = (&bench.store, address("ghost"));
        missing(&store.account(&ghost).await);
        missing(&store.set_password(&ghost, PasswordHash("x".into())).await);
        missing(&store.set_enabled(&ghost, true).await);
        missing(&store.remove_account(&ghost).await);
        for id in [AccountId(0), AccountId(1), AccountId(u64::MAX)] {
            missing(&store.sign_in(id).await);
            missing(&store.roster(id).await);
        }
        assert!(store.accounts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_removed_account_leaves_every_list_and_its_number_is_never_used_again() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        bench.change(alice, add(List::Forward, "carol")).await;
        bench.change(bob, add(List::Block, "carol")).await;
        bench.change(carol, add(List::Forward, "bob")).await;
        bench.store.remove_account(&address("carol")).await.unwrap();
        let (alices, bobs) = (bench.roster(alice).await, bench.roster(bob).await);
        assert_eq!((alices.version, alices.contacts), (3, vec![]));
        assert_eq!((bobs.version, bobs.contacts), (4, vec![]));
        assert!(matches!(bench.store.sign_in(carol).await, Err(StoreError::NotFound)));

        bench.store.create_accounts(vec![new_account("carol")]).await.unwrap();
        assert!(bench.id("carol").await > carol);
        assert!(bench.roster(bench.id("carol").await).await.contacts.is_empty());
    }
}

#[tokio::test]
async fn a_sign_in_has_the_circle_of_the_lists() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        bench.store.create_accounts(vec![new_account("dave")]).await.unwrap();
        let dave = bench.id("dave").await;
        for edit in [
            add(List::Forward, "dave"),
            add(List::Block, "dave"),
            add(List::Forward, "carol"),
            add(List::Forward, "bob"),
            add(List::Allow, "bob"),
            Edit::SetPrivacy(Privacy::BlockOthers),
        ] {
            bench.change(alice, edit).await;
        }
        bench.change(carol, add(List::Forward, "alice")).await;
        let signed_in = bench.store.sign_in(alice).await.unwrap();
        assert_eq!((signed_in.account.id, signed_in.account.address), (alice, address("alice")));
        assert_eq!(signed_in.account.list_version, bench.roster(alice).await.version);
        let circle = Circle {
            forward: vec![dave, carol, bob],
            allow: vec![bob],
            block: vec![dave],
            privacy: Privacy::BlockOthers,
        };
        assert_eq!(signed_in.circle, circle);
        let carols = bench.store.sign_in(carol).await.unwrap().circle;
        assert_eq!(carols, Circle { forward: vec![alice], ..Circle::default() });
    }
}

#[tokio::test]
async fn allowed_and_blocked_people_are_sorted_by_number() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        bench.change(alice, add(List::Allow, "carol")).await;
        bench.change(alice, add(List::Allow, "bob")).await;
        let circle = bench.store.sign_in(alice).await.unwrap().circle;
        assert_eq!(circle.allow, [bob, carol]);
        bench.change(bob, add(List::Block, "carol")).await;
        bench.change(bob, add(List::Block, "alice")).await;
        assert_eq!(bench.store.sign_in(bob).await.unwrap().circle.block, [alice, carol]);
    }
}

#[tokio::test]
async fn debug_output_shows_no_password() {
    for bench in benches().await {
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        let account = bench.store.account(&address("alice")).await.unwrap();
        let shown = format!("{account:?} {:?} {:?}", bench.store, new_account("alice"));
        assert!(!shown.contains("argon2id"), "{shown}");
    }
}

#[tokio::test]
async fn names_of_any_script_survive() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let text = "Ünïcödé 'quoted\" \\ 東京 🎵 %20";
        let to: Name = name(text);
        bench.change(alice, Edit::Rename { name: to.clone() }).await;
        bench.change(alice, Edit::AddGroup { name: name("小さい") }).await;
        bench.change(alice, super::add_as(List::Forward, "bob", text, group(1))).await;
        assert_eq!(bench.entry(bob, alice).await.unwrap().name, to);
        assert_eq!(bench.entry(alice, bob).await.unwrap().name, to);
        assert_eq!(bench.roster(alice).await.groups[1].name, name("小さい"));
    }
}

#[tokio::test]
async fn a_callee_is_judged_by_its_lists_as_they_are() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        let ask = async |caller| bench.store.callee(&address("alice"), caller).await.unwrap();
        let callee = Callee { id: alice, enabled: true, allows: true, caller_enabled: true };
        assert_eq!(ask(bob).await, callee);
        bench.done(alice, add(List::Block, "bob")).await;
        assert_eq!(ask(bob).await, Callee { allows: false, ..callee });
        assert_eq!(ask(carol).await, callee, "somebody on no list");
        bench.done(alice, Edit::SetPrivacy(Privacy::BlockOthers)).await;
        assert!(!ask(carol).await.allows);
        bench.done(alice, add(List::Allow, "carol")).await;
        assert!(ask(carol).await.allows);
        // On her forward list alone, and having her on one's own, is not enough.
        bench.done(alice, remove(List::Block, "bob")).await;
        bench.done(alice, add(List::Forward, "bob")).await;
        bench.done(bob, add(List::Allow, "alice")).await;
        assert!(!ask(bob).await.allows);
        let nobody = ask(AccountId(u64::MAX)).await;
        assert!(!nobody.allows && !nobody.caller_enabled);
        bench.store.set_enabled(&address("bob"), false).await.unwrap();
        assert!(!ask(bob).await.caller_enabled);
        bench.store.set_enabled(&address("alice"), false).await.unwrap();
        assert_eq!(ask(carol).await, Callee { enabled: false, ..callee });
        bench.store.remove_account(&address("alice")).await.unwrap();
        let gone = bench.store.callee(&address("alice"), carol).await;
        assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        assert!(ask(carol).await.id > alice, "another account of this address");
    }
}
