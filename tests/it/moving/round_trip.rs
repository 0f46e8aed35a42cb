//! Random networks: what is exported, imported and exported again is the same text, into a new
//! database as into one that holds something else under the same addresses.

use msnd::{
    config::Synchronous,
    fixture,
    model::{
        Address, Group, GroupId, GroupSet, ListBits, Mailbox, Name, Privacy, Prompt, Properties,
        PropertyKey, mail::UNREAD_MAX, name::is_deceptive, roster::RosterLimits,
    },
    store::{
        NewAccount, NewContact, PasswordHash, Store as _, StoreError,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};
use std::collections::HashMap;

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const USERS_MAX: usize = 5;

/// One random account; people are numbers.
#[derive(Debug, Clone)]
struct Person {
    name: String,
    enabled: bool,
    created_at_secs: i64,
    list_version: u32,
    modes: (bool, bool),
    phone: Option<String>,
    mailbox: Option<(u32, u32)>,
    /// Names of groups 0 and up; an empty name is no group, but for group 0.
    groups: Vec<String>,
    entries: Vec<Entry>,
}

/// What somebody's lists have about the person of the same number.
#[derive(Debug, Clone)]
struct Entry {
    lists: u8,
    groups: u32,
    name: String,
    /// Puts the entries into an order.
    rank: u16,
    /// Whether the entry is there if that person is on the reverse list only.
    keeps_reverse: bool,
}

fn text() -> impl Strategy<Value = String> {
    select(vec![
        "A",
        "~",
        "é 🌻",
        "\"q\"",
        "\\",
        "'",
        "#[x]",
        "a = 1",
        "\u{202e}x",
        "person0@example.test",
    ])
    .prop_map(str::to_owned)
}

fn entry() -> impl Strategy<Value = Entry> {
    let lists = select(vec![0u8, 1, 2, 3, 4, 5]);
    (lists, any::<u32>(), text(), any::<u16>(), any::<bool>()).prop_map(
        |(lists, groups, name, rank, keeps_reverse)| Entry {
            lists,
            groups,
            name,
            rank,
            keeps_reverse,
        },
    )
}

fn person() -> impl Strategy<Value = Person> {
    let groups = vec(prop_oneof![Just(String::new()), text()], 1..6);
    let facts =
        (text(), any::<bool>(), 0..4_000_000_000_i64, 1000..u32::MAX, any::<(bool, bool)>());
    let mailbox = proptest::option::of((0..=UNREAD_MAX, 0..=UNREAD_MAX));
    let kept = (proptest::option::of(text()), mailbox);
    (facts, kept, groups, vec(entry(), USERS_MAX)).prop_map(
        |(facts, (phone, mailbox), groups, entries)| {
            let (name, enabled, created_at_secs, list_version, modes) = facts;
            let list_version = list_version / 4;
            Person {
                name,
                enabled,
                created_at_secs,
                list_version,
                modes,
                phone,
                mailbox,
                groups,
                entries,
            }
        },
    )
}

fn address(index: usize) -> Address {
    Address::parse(&format!("person{index}@example.test")).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn accounts(people: &[Person]) -> Vec<NewAccount> {
    people.iter().enumerate().map(|(index, person)| account(index, person, people)).collect()
}

fn account(index: usize, person: &Person, people: &[Person]) -> NewAccount {
    let groups: Vec<Group> = (0u32..)
        .zip(&person.groups)
        .filter(|(id, text)| *id == 0 || !text.is_empty())
        .map(|(id, text)| Group {
            id: GroupId::new(id).unwrap(),
            name: name(if text.is_empty() { "~" } else { text }),
        })
        .collect();
    let all = groups.iter().fold(GroupSet::default(), |set, group| set.with(group.id));
    let watched_by = |other: usize| people[other].entries[index].lists & 1 != 0;
    let mut entries: Vec<_> = person.entries.iter().take(people.len()).enumerate().collect();
    entries.sort_by_key(|(_, entry)| entry.rank);
    let contacts = entries.into_iter().filter_map(|(other, entry)| {
        let reverse = entry.keeps_reverse && watched_by(other);
        let lists = ListBits(entry.lists | if reverse { 8 } else { 0 });
        let filed = if lists.has(ListBits::FORWARD) { entry.groups & all.0 } else { 0 };
        (lists != ListBits::NONE).then(|| NewContact {
            address: address(other),
            name: name(&entry.name),
            lists,
            groups: GroupSet(filed),
        })
    });
    NewAccount {
        enabled: person.enabled,
        created_at_secs: Some(person.created_at_secs),
        list_version: person.list_version,
        privacy: if person.modes.0 { Privacy::AllowOthers } else { Privacy::BlockOthers },
        prompt: if person.modes.1 { Prompt::Ask } else { Prompt::Never },
        properties: person
            .phone
            .iter()
            .map(|phone| (PropertyKey::HomePhone, phone.clone()))
            .collect::<Properties>(),
        mailbox: person
            .mailbox
            .map(|(inbox_unread, folders_unread)| Mailbox { inbox_unread, folders_unread }),
        contacts: contacts.collect(),
        groups,
        ..NewAccount::new(address(index), name(&person.name), PasswordHash(HASH.into()))
    }
}

/// A database of its own.
struct Database {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

impl Database {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            path: folder.path().join("msnd.sqlite"),
            synchronous: Synchronous::Off,
            readers: 1,
            limits: RosterLimits::default(),
            create: true,
        };
        Self { store: SqliteStore::open(options).await.unwrap(), _folder: folder }
    }

    async fn text(&self) -> String {
        fixture::write(&self.store.export(None).await.unwrap())
    }
}

fn read(text: &str) -> Vec<NewAccount> {
    let users = fixture::parse(text, "f", RosterLimits::default(), &HashMap::new());
    let users = users.unwrap_or_else(|error| panic!("{error}\n{text}"));
    fixture::into_new_accounts(users, |_| Err("a password in an export")).unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn an_imported_network_exports_the_same_text(
        people in vec(person(), 1..=USERS_MAX),
        earlier in vec(person(), 1..=USERS_MAX),
    ) {
        block_on(async {
            let (old, new, used) = (Database::new().await, Database::new().await, Database::new().await);
            old.store.create_accounts(accounts(&people)).await.unwrap();
            let text = old.text().await;
            assert!(!text.contains(is_deceptive), "{text:?}");
            new.store.create_accounts(read(&text)).await.unwrap();
            assert_eq!(new.text().await, text);

            // The same into a database in use, as far as its people are in the file too.
            let earlier = &earlier[..earlier.len().min(people.len())];
            let mut there = accounts(earlier);
            for account in &mut there {
                account.list_version = 1;
            }
            used.store.create_accounts(there).await.unwrap();
            used.store.replace_accounts(read(&text)).await.unwrap();
            assert_eq!(used.text().await, text);
        });
    }
}

/// Alice and bob are replaced; carol is not in the file, and her lists still mirror theirs.
#[test]
fn replacing_some_keeps_everybodys_reverse_lists_true() {
    let plain = |entries: [u8; 3]| Person {
        name: "A".into(),
        enabled: true,
        created_at_secs: 0,
        list_version: 10,
        modes: (true, true),
        phone: None,
        mailbox: None,
        groups: vec!["~".into()],
        entries: entries
            .into_iter()
            .map(|lists| Entry {
                lists,
                groups: 1,
                name: "x".into(),
                rank: 0,
                keeps_reverse: false,
            })
            .collect(),
    };
    let before = accounts(&[plain([0, 1, 1]), plain([1, 0, 0]), plain([1, 1, 0])]);
    let mut after = accounts(&[plain([0, 0, 0]), plain([0, 0, 1]), plain([0; 3])]);
    after.truncate(2);
    block_on(async {
        let Database { store, _folder } = Database::new().await;
        store.create_accounts(before).await.unwrap();
        store.replace_accounts(after.clone()).await.unwrap();
        let exported = store.export(None).await.unwrap();
        let rows: Vec<_> = exported
            .iter()
            .map(|(account, roster)| {
                let contacts = roster.contacts.iter().map(|c| (c.address.clone(), c.lists.0));
                (account.credential_epoch, account.list_version, contacts.collect::<Vec<_>>())
            })
            .collect();
        let entry = |index, lists| (address(index), lists);
        assert_eq!(
            rows,
            [
                (2, 11, vec![entry(2, 8)]),
                (2, 11, vec![entry(2, 1 | 8)]),
                // No longer watched by the first, now by the second: two changes.
                (1, 12, vec![entry(0, 1), entry(1, 1 | 8)]),
            ]
        );

        let mut broken = after;
        broken[1].contacts[0].address = address(4);
        broken[0].name = name("never");
        let refused = store.replace_accounts(broken.clone()).await;
        assert!(matches!(refused, Err(StoreError::Conflict(text)) if text.contains("person4")));
        broken[1].contacts[0] = NewContact {
            address: address(0),
            name: name("x"),
            lists: ListBits::REVERSE,
            groups: GroupSet::default(),
        };
        let refused = store.replace_accounts(broken).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(text)) if text.contains("reverse list"))
        );
        let unchanged = store.export(None).await.unwrap();
        assert_eq!(fixture::write(&unchanged), fixture::write(&exported));
    });
}
