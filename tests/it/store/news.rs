//! Alerts that wait, mailboxes, and who takes pages.

use super::{Bench, address, benches, new_account};
use msnd::{
    model::{
        AccountId, Alert, AlertId, Mailbox, PropertyKey,
        alert::AlertParts,
        mail::{Folder, MailChange},
    },
    store::{Audience, NewAccount, NewAlert, Posted, Recipients, StoreError},
};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::task::JoinSet;

fn alert(text: &str) -> Alert {
    Alert::new(AlertParts::general(text, 1033)).unwrap()
}

/// Made at second 100 and expired at second 200, at most two for one account, or three if it hears
/// of them.
fn new_alert(to: Recipients, text: &str) -> NewAlert {
    NewAlert {
        to,
        alert: alert(text),
        created_at_secs: 100,
        expires_at_secs: 200,
        waiting_max: 2,
        unconfirmed_max: 3,
    }
}

/// Notes what is published; these accounts hear of it.
#[derive(Debug, Default)]
struct Noted {
    hear: Vec<AccountId>,
    published: Mutex<Vec<Posted>>,
}

impl Audience for Noted {
    fn hears(&self, account: AccountId) -> bool {
        self.hear.contains(&account)
    }

    fn publish(&self, posted: &Posted) {
        self.published.lock().push(posted.clone());
    }
}

fn to(who: &str) -> Recipients {
    Recipients::One(address(who))
}

impl Bench {
    async fn add_alert(&self, new: NewAlert) -> Result<Posted, StoreError> {
        self.store.add_alert(new, Arc::new(Noted::default())).await
    }

    /// The texts that wait, at second 150.
    async fn waiting(&self, id: AccountId) -> Vec<String> {
        let waiting = self.store.waiting_alerts(id, 150).await.unwrap();
        assert!(waiting.alerts.is_sorted_by_key(|(id, _)| *id));
        waiting.alerts.into_iter().map(|(_, alert)| alert.parts().text.clone()).collect()
    }
}

#[tokio::test]
async fn an_alert_waits_as_it_was_given_until_it_is_settled() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        let whole = Alert::new(AlertParts {
            site_id: u32::MAX,
            site_url: Some("http://calendar.example.org".into()),
            action_url: "/day?a=1&b=2".into(),
            subscribe_url: "/settings".into(),
            icon: Some("/bell.png".into()),
            priority: 9,
            html: Some("<b>🌻</b>".into()),
            ..AlertParts::general("Line one\nLine \"two\" 🌻", u16::MAX)
        });
        let whole = whole.unwrap();
        assert!(!bench.store.sign_in(alice).await.unwrap().has_alerts);
        let new = NewAlert { alert: whole.clone(), ..new_alert(to("alice"), "x") };
        let posted = bench.add_alert(new).await.unwrap();
        assert_eq!(posted.recipients, [alice]);
        assert!(bench.store.sign_in(alice).await.unwrap().has_alerts);
        assert!(!bench.store.sign_in(bob).await.unwrap().has_alerts);
        let waiting = bench.store.waiting_alerts(alice, 150).await.unwrap();
        assert_eq!(waiting.alerts, [(posted.id, whole)]);
        // Somebody else's number, one that never was, and twice the same harm nobody.
        let others = vec![(bob, posted.id), (alice, AlertId(u64::MAX)), (AccountId(99), posted.id)];
        bench.store.settle_alerts(others).await.unwrap();
        assert_eq!(bench.waiting(alice).await.len(), 1);
        for _ in 0..2 {
            bench.store.settle_alerts(vec![(alice, posted.id)]).await.unwrap();
            assert_eq!(bench.waiting(alice).await, [""; 0]);
        }
        assert!(!bench.store.sign_in(alice).await.unwrap().has_alerts);
        // Nobody needs it any more, and its number is not given again.
        let next = bench.add_alert(new_alert(to("alice"), "next")).await.unwrap();
        assert!(next.id > posted.id);
    }
}

#[tokio::test]
async fn as_many_wait_as_may_and_no_more() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        for text in ["one", "two"] {
            bench.add_alert(new_alert(to("alice"), text)).await.unwrap();
        }
        let third = bench.add_alert(new_alert(to("alice"), "three")).await;
        assert!(matches!(third, Err(StoreError::Conflict(_))), "{third:?}");
        let nobody = bench.add_alert(new_alert(to("dave"), "?")).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");
        let all = bench.add_alert(new_alert(Recipients::All, "all")).await.unwrap();
        assert_eq!(all.recipients, [bob, carol], "all for whom one more may wait");
        assert_eq!(bench.waiting(alice).await, ["one", "two"]);
        assert_eq!(bench.waiting(bob).await, ["all"]);
    }
}

#[tokio::test]
async fn more_may_wait_for_somebody_who_hears_of_them() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        let online = Arc::new(Noted { hear: vec![alice], ..Noted::default() });
        for who in ["alice", "bob"] {
            for text in ["one", "two"] {
                bench.add_alert(new_alert(to(who), text)).await.unwrap();
            }
        }
        let add = async |to, text| bench.store.add_alert(new_alert(to, text), online.clone()).await;
        let refused = add(to("bob"), "three").await.unwrap_err();
        assert!(refused.to_string().contains("wait for bob@example.test already"), "{refused}");
        let all = add(Recipients::All, "three").await.unwrap();
        assert_eq!(all.recipients, [alice, carol]);
        let refused = add(to("alice"), "four").await.unwrap_err();
        assert!(refused.to_string().contains("client of alice@example.test confirms"), "{refused}");
        assert_eq!(add(Recipients::All, "four").await.unwrap().recipients, [carol]);
        assert_eq!(bench.waiting(alice).await, ["one", "two", "three"]);
        assert_eq!(bench.waiting(bob).await, ["one", "two"]);
    }
}

#[tokio::test]
async fn an_alert_for_very_many_is_stored_in_parts_with_numbers_that_rise() {
    for bench in benches().await {
        let many = (0..1100).map(|n| new_account(&format!("user{n}"))).collect();
        bench.store.create_accounts(many).await.unwrap();
        // A part without anybody to tell, and one that ends with the last account.
        for n in 0..512 {
            bench.store.set_enabled(&address(&format!("user{n}")), false).await.unwrap();
        }
        let noted = Arc::new(Noted::default());
        let all = new_alert(Recipients::All, "all");
        let all = bench.store.add_alert(all, noted.clone()).await.unwrap();
        let parts = noted.published.lock().clone();
        let counts: Vec<_> = parts.iter().map(|part| part.recipients.len()).collect();
        assert_eq!(counts, [512, 76]);
        assert!(parts[0].id < parts[1].id && all.id == parts[0].id);
        assert_eq!(all.recipients, [&*parts[0].recipients, &*parts[1].recipients].concat());
        for part in parts {
            let waiting = bench.store.waiting_alerts(part.recipients[0], 150).await.unwrap();
            assert_eq!(waiting.alerts, [(part.id, alert("all"))]);
        }
    }
}

#[tokio::test]
async fn all_are_those_who_may_sign_in() {
    for bench in benches().await {
        let nobody = bench.add_alert(new_alert(Recipients::All, "?")).await;
        assert!(matches!(nobody, Err(StoreError::Conflict(_))), "{nobody:?}");
        let [alice, bob, carol] = bench.trio().await;
        bench.store.set_enabled(&address("bob"), false).await.unwrap();
        let all = bench.add_alert(new_alert(Recipients::All, "all")).await.unwrap();
        assert_eq!(all.recipients, [alice, carol]);
        bench.store.set_enabled(&address("bob"), true).await.unwrap();
        assert_eq!(bench.waiting(bob).await, [""; 0]);
        // One alert for several: each has it until it is settled for that one.
        bench.store.settle_alerts(vec![(alice, all.id)]).await.unwrap();
        assert_eq!(bench.waiting(carol).await, ["all"]);
    }
}

#[tokio::test]
async fn what_has_expired_counts_for_nothing_and_is_forgotten_a_day_later() {
    const DAY: i64 = 86_400;
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let at = async |secs| bench.store.waiting_alerts(alice, secs).await.unwrap().alerts.len();
        for text in ["one", "two"] {
            bench.add_alert(new_alert(to("alice"), text)).await.unwrap();
        }
        assert_eq!((at(199).await, at(200).await), (2, 0));
        let later = |secs| NewAlert {
            created_at_secs: secs,
            expires_at_secs: secs + 2 * DAY,
            ..new_alert(to("alice"), "new")
        };
        // Should the clock have been wrong, they are still there.
        bench.add_alert(later(200 + DAY - 1)).await.unwrap();
        assert_eq!(at(150).await, 3);
        bench.add_alert(later(200 + DAY)).await.unwrap();
        assert_eq!(at(150).await, 2);
        let third = bench.add_alert(later(200 + DAY)).await;
        assert!(matches!(third, Err(StoreError::Conflict(_))), "{third:?}");
    }
}

#[tokio::test]
async fn only_a_few_old_alerts_are_forgotten_with_each_new_one() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        for _ in 0..10 {
            let old = NewAlert { waiting_max: 10, ..new_alert(to("alice"), "old") };
            bench.add_alert(old).await.unwrap();
        }
        let mut left = Vec::new();
        for secs in 0..4 {
            let new = NewAlert {
                created_at_secs: 100_000 + secs,
                expires_at_secs: 100_001 + secs,
                ..new_alert(to("bob"), "new")
            };
            bench.add_alert(new).await.unwrap();
            left.push(bench.waiting(alice).await.len());
        }
        assert_eq!(left, [6, 2, 0, 0]);
    }
}

#[tokio::test]
async fn a_removed_account_takes_its_alerts_and_mailbox_along() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.add_alert(new_alert(Recipients::All, "all")).await.unwrap();
        bench.store.set_mailbox(&address("alice"), true).await.unwrap();
        bench.store.remove_account(&address("alice")).await.unwrap();
        assert_eq!(bench.waiting(alice).await, [""; 0]);
        assert_eq!(bench.waiting(bob).await, ["all"]);
        bench.store.create_accounts(vec![new_account("alice")]).await.unwrap();
        let again = bench.store.account(&address("alice")).await.unwrap();
        assert_eq!(again.mailbox, None);
        assert!(!bench.store.sign_in(again.id).await.unwrap().has_alerts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn alerts_are_published_in_the_order_of_their_numbers() {
    for bench in benches().await {
        bench.trio().await;
        let noted = Arc::new(Noted::default());
        let mut posting = JoinSet::new();
        for n in 0..100 {
            let (store, noted) = (Arc::clone(&bench.store), Arc::clone(&noted));
            let who = if n % 2 == 0 { to("alice") } else { Recipients::All };
            let new = NewAlert { waiting_max: 1000, ..new_alert(who, "x") };
            posting.spawn(async move { store.add_alert(new, noted).await });
        }
        let mut answered: Vec<_> =
            posting.join_all().await.into_iter().map(Result::unwrap).collect();
        let published = std::mem::take(&mut *noted.published.lock());
        assert!(published.is_sorted_by(|one, other| one.id < other.id));
        answered.sort_by_key(|posted| posted.id);
        assert_eq!(published, answered);
        // A refused one is not published.
        let refused = bench.store.add_alert(new_alert(to("alice"), "x"), noted.clone()).await;
        assert!(refused.is_err());
        assert_eq!(*noted.published.lock(), []);
    }
}

#[tokio::test]
async fn a_mailbox_is_given_counted_and_taken() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let who = address("alice");
        let arrived = || MailChange::Arrived(Folder::inbox());
        let change = async || {
            let published = Arc::new(Mutex::new(None));
            let seen = Arc::clone(&published);
            let publish = Box::new(move |id, mailbox| *seen.lock() = Some((id, mailbox)));
            let changed = bench.store.change_mail(&who, arrived(), publish).await;
            let published = published.lock().take();
            assert_eq!(published, changed.as_ref().ok().map(|mailbox| (alice, *mailbox)));
            changed
        };
        assert!(matches!(change().await, Err(StoreError::Conflict(_))));
        bench.store.set_mailbox(&who, true).await.unwrap();
        assert_eq!(bench.store.account(&who).await.unwrap().mailbox, Some(Mailbox::default()));
        change().await.unwrap();
        let two = Mailbox { inbox_unread: 2, folders_unread: 0 };
        assert_eq!(change().await.unwrap(), two);
        // Given once more, it stays as it is.
        bench.store.set_mailbox(&who, true).await.unwrap();
        assert_eq!(bench.store.sign_in(alice).await.unwrap().account.mailbox, Some(two));
        let all = bench.store.accounts().await.unwrap();
        let mailboxes: Vec<_> = all.iter().map(|account| account.mailbox).collect();
        assert_eq!(mailboxes, [Some(two), None, None]);
        for _ in 0..2 {
            bench.store.set_mailbox(&who, false).await.unwrap();
            assert_eq!(bench.store.account(&who).await.unwrap().mailbox, None);
        }
        assert!(matches!(change().await, Err(StoreError::Conflict(_))));
        let nobody = bench.store.set_mailbox(&address("dave"), true).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
        let nobody =
            bench.store.change_mail(&address("dave"), arrived(), Box::new(|_, _| ())).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
    }
}

#[tokio::test]
async fn an_account_may_be_made_and_replaced_with_a_mailbox() {
    for bench in benches().await {
        let with = |mailbox| vec![NewAccount { mailbox, ..new_account("alice") }];
        let mailbox = Some(Mailbox { inbox_unread: 3, folders_unread: 1 });
        let stored = async || bench.store.account(&address("alice")).await.unwrap().mailbox;
        bench.store.create_accounts(with(mailbox)).await.unwrap();
        assert_eq!(stored().await, mailbox);
        bench.store.replace_accounts(with(None)).await.unwrap();
        assert_eq!(stored().await, None);
        bench.store.replace_accounts(with(mailbox)).await.unwrap();
        assert_eq!(stored().await, mailbox);
        assert_eq!(bench.store.export(None).await.unwrap()[0].0.mailbox, mailbox);
    }
}

#[tokio::test]
async fn pages_are_taken_by_who_has_a_device_and_lets_others_page_it() {
    for bench in benches().await {
        for (who, set, takes) in [
            ("alice", &[][..], false),
            ("bob", &[(PropertyKey::MobileEnabled, "Y")], false),
            (
                "carol",
                &[(PropertyKey::MobileEnabled, "Y"), (PropertyKey::MobileAllowed, "N")],
                false,
            ),
            ("dave", &[(PropertyKey::MobileEnabled, "Y"), (PropertyKey::MobileAllowed, "Y")], true),
        ] {
            let properties = set.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            let account = NewAccount { properties, ..new_account(who) };
            bench.store.create_accounts(vec![account]).await.unwrap();
            let id = bench.id(who).await;
            assert_eq!(bench.store.takes_pages(&address(who)).await.unwrap(), (id, takes), "{who}");
        }
        let nobody = bench.store.takes_pages(&address("erin")).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
    }
}
