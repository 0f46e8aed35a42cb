//! A crowd over real sockets: clients of both dialects do at random, all at once, whatever clients
//! do: sign in and out, change status, and every command that edits a list. Each judges its own
//! stream line by line; in the end all views must be what the rules of `presence-rules.md` §2 make
//! of the store's lists and the last statuses, and all versions what the answered edits make. Which
//! order the server sees is not repeatable; what each client does is.

mod actor;
mod view;

use crate::support::{
    TestServer,
    book::{Book, Entry},
    server::new_account,
};
use actor::Actor;
use msnd::{
    model::{Address, ListBits, Name, Privacy, Roster},
    store::{NewAccount, NewContact},
};
use rstest::rstest;
use std::collections::{BTreeMap, BTreeSet};
use view::Shown;

/// Everybody.
const PEOPLE: [&str; 8] = [
    "alice@example.test",
    "bob@example.test",
    "carol@example.test",
    "dave@example.test",
    "erin@example.test",
    "frank@example.test",
    "grace@example.test",
    "heidi@example.test",
];
/// Turns of each client; a turn is up to three commands.
const TURNS: usize = 100;

#[rstest]
fn every_view_follows_the_rules(#[values(1, 2, 3)] seed: u64) {
    let server = TestServer::start_with(|config| {
        config.limits.renames_per_minute_max = 1_000_000;
        config.challenge.policy = msnd::config::ChallengePolicy::Log;
    });
    server.add((0..PEOPLE.len()).map(account).collect());
    let versions: BTreeMap<_, _> =
        PEOPLE.into_iter().map(|user| (user, roster(&server, user).version)).collect();
    // Who is told of a property depends on who watches at that moment: without, it can be counted.
    let shares = seed != 2;
    let mut actors = std::thread::scope(|scope| {
        let running: Vec<_> = (0..PEOPLE.len())
            .map(|index| {
                let book = initial_book(index);
                let mut actor = Actor::new(&server, index, seed, book, shares);
                scope.spawn(move || {
                    (0..TURNS).for_each(|_| actor.take_turn());
                    actor
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    // Whatever anybody did has been answered, so whatever it means to others is on its way.
    actors.iter_mut().for_each(Actor::catch_up);
    compare(&server, &actors);
    count(&server, &actors, &versions, shares);
}

/// Every version has risen by exactly the edits that were answered, one's own and those of others.
fn count(server: &TestServer, actors: &[Actor<'_>], before: &BTreeMap<&str, u32>, shares: bool) {
    for actor in actors {
        let others = || actors.iter().filter(|other| other.address != actor.address);
        let own = actor.done.iter().filter(|outcome| outcome.changes).count();
        let mirrored = others().flat_map(|other| &other.done).filter(|outcome| {
            outcome.watched.as_deref() == Some(actor.address)
                || outcome.unwatched.contains(actor.address)
        });
        let told =
            others().flat_map(|other| &other.done).filter(|done| done.told.is_some()).count();
        let least = before[actor.address] as usize + own + mirrored.count();
        let version = roster(server, actor.address).version as usize;
        assert!((least..=least + told).contains(&version), "{}: {version}", actor.address);
        assert_eq!(told > 0, shares);
    }
}

/// All views against the rules, the store's lists, and the last statuses.
fn compare(server: &TestServer, actors: &[Actor<'_>]) {
    let rosters: BTreeMap<&str, Roster> =
        PEOPLE.into_iter().map(|user| (user, roster(server, user))).collect();
    for actor in actors {
        let roster = &rosters[actor.address];
        let stored = Book::stored(actor.address, &name(server, actor.address), roster);
        assert!(actor.book.agrees_with(&stored), "not {stored:#?}\nbut {:#?}", actor.book);
        let watchers: BTreeSet<&str> = PEOPLE
            .into_iter()
            .filter(|other| is_on(&rosters[other], ListBits::FORWARD, actor.address))
            .collect();
        let reverse = PEOPLE
            .into_iter()
            .filter(|other| is_on(roster, ListBits::REVERSE, other))
            .collect::<BTreeSet<_>>();
        assert_eq!(reverse, watchers, "reverse list of {}", actor.address);
        let Some(session) = &actor.session else { continue };
        assert_eq!(actor.version, roster.version, "version of {}", actor.address);
        assert_eq!(actor.reverse, owned(&reverse), "reverse list as {} knows it", actor.address);
        let visible: BTreeMap<String, Shown> = actors
            .iter()
            .filter(|other| session.is_present && sees(actor.address, other, &rosters))
            .filter_map(|other| {
                let (status, client_id) = other.shown.clone()?;
                let name = name(server, other.address);
                Some((other.address.to_owned(), Shown { status, client_id, name }))
            })
            .collect();
        assert_eq!(session.seen, visible, "view of {}", actor.address);
    }
}

/// `sees(A,B)`, word by word.
fn sees(a: &str, b: &Actor<'_>, rosters: &BTreeMap<&str, Roster>) -> bool {
    let theirs = &rosters[b.address];
    let allowed = !is_on(theirs, ListBits::BLOCK, a)
        && (is_on(theirs, ListBits::ALLOW, a) || theirs.privacy == Privacy::AllowOthers);
    let is_visible = b.shown.as_ref().is_some_and(|(status, _)| status != "HDN");
    is_on(&rosters[a], ListBits::FORWARD, b.address) && allowed && is_visible
}

fn is_on(roster: &Roster, list: ListBits, user: &str) -> bool {
    roster.contacts.iter().any(|known| known.address.as_str() == user && known.lists.has(list))
}

fn roster(server: &TestServer, user: &str) -> Roster {
    let store = server.store();
    let address = Address::parse(user).unwrap();
    server.block_on(async {
        let account = store.account(&address).await.unwrap();
        store.roster(account.id).await.unwrap()
    })
}

fn name(server: &TestServer, user: &str) -> String {
    let address = Address::parse(user).unwrap();
    server.block_on(server.store().account(&address)).unwrap().name.to_string()
}

/// Everybody watches the three that follow; some are blocked, two let nobody in who is not allowed.
fn initial_book(index: usize) -> Book {
    let mut book = Book::new(PEOPLE[index], &new_account(PEOPLE[index]).name.to_string());
    for (step, lists) in [(1, 1), (2, 1), (3, 1), (5, 2), (6, 2), (7, 4)] {
        let user = PEOPLE[(index + step) % PEOPLE.len()];
        let groups = (lists == 1).then_some(0).into_iter().collect();
        book.contacts.insert(user.into(), Entry { lists, groups, name: Some(user.into()) });
    }
    book.blocks_others = index % 4 == 3;
    book
}

fn account(index: usize) -> NewAccount {
    let book = initial_book(index);
    let mut account = new_account(PEOPLE[index]);
    if book.blocks_others {
        account.privacy = Privacy::BlockOthers;
    }
    account.contacts.extend(book.contacts.iter().map(|(user, entry)| NewContact {
        address: Address::parse(user).unwrap(),
        name: Name::new(user).unwrap(),
        lists: ListBits(entry.lists),
        groups: msnd::model::GroupSet::default(),
    }));
    account
}

fn owned<'a>(users: impl IntoIterator<Item = &'a &'a str>) -> BTreeSet<String> {
    users.into_iter().map(|user| (*user).to_owned()).collect()
}
