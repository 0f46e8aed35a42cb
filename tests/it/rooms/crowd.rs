//! People in threads who come, speak and go at the same time. Whatever the order was: everybody's
//! own account of it must hold together.

use super::{commands, person, rooms};
use msnd::{
    hub::{Person, RoomId},
    switchboard::{
        queue::{Ending, News, Queue},
        rooms::Rooms,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
};
use tokio::time::Instant;

const THREADS: usize = 6;
const VISITS: usize = 60;
const MESSAGES: usize = 25;

/// The room in which everybody meets, if nobody has opened another.
const ROOM: RoomId = RoomId(7);

/// Who somebody believes to be in the room, with the next message to be heard from each; `None`
/// until the first one after a newcomer's arrival. And everything heard.
struct View {
    there: BTreeMap<String, Option<usize>>,
    heard: BTreeSet<(String, usize)>,
    ending: Option<Ending>,
}

impl View {
    fn of(present: &[Arc<Person>]) -> Self {
        let there = present.iter().map(|person| (person.address.as_str().to_owned(), None));
        Self { there: there.collect(), heard: BTreeSet::new(), ending: None }
    }

    fn hear(&mut self, text: &str) {
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["JOI", who, _] => {
                assert!(self.there.insert(who.into(), None).is_none(), "{who} is there already");
            }
            ["BYE", who] | ["BYE", who, "1"] => {
                assert!(self.there.remove(who).is_some(), "{who} was not there");
            }
            ["MSG", who, _, _, number] => {
                let number: usize = number.parse().unwrap();
                let next = self.there.get_mut(who).unwrap_or_else(|| panic!("{who} is not there"));
                assert_eq!(next.unwrap_or(number), number, "lost or reordered");
                *next = Some(number + 1);
                self.heard.insert((who.into(), number));
            }
            _ => panic!("{text}"),
        }
    }

    /// Everything that is there, up to the end.
    fn hear_all(&mut self, queue: &mut Queue) {
        while let Some(news) = queue.try_recv() {
            match news {
                News::Lines(lines) => commands(&lines).iter().for_each(|line| self.hear(line)),
                News::End(ending) => {
                    self.ending = Some(ending);
                    return;
                }
                other => panic!("{other:?} is for who takes no lines, or is to go"),
            }
        }
    }
}

/// What one visitor said and heard, by sender and number.
#[derive(Default)]
struct Account {
    acknowledged: BTreeSet<(String, usize)>,
    heard: BTreeSet<(String, usize)>,
}

/// Comes, says a few things, and goes, again and again. `said` counts through all visits, so that
/// each message has its number.
fn visit(rooms: &Rooms, id: RoomId, who: usize) -> Account {
    let (mut said, mut account) = (0, Account::default());
    for _ in 0..VISITS {
        let (seat, mut queue, present) = rooms.join(id, &person(who), None).unwrap();
        let mut view = View::of(&present);
        assert!(!view.there.contains_key(seat.person().address.as_str()));
        for _ in 0..MESSAGES {
            if seat.say(said.to_string().as_bytes()).is_delivered {
                let own = seat.person().address.as_str().to_owned();
                account.acknowledged.insert((own, said));
            }
            said += 1;
            view.hear_all(&mut queue);
        }
        // Whatever came before it left is still there.
        drop(seat);
        view.hear_all(&mut queue);
        account.heard.append(&mut view.heard);
    }
    account
}

#[test]
fn nobody_is_listed_twice_or_missed_whatever_the_order() {
    let rooms = rooms(1 << 22, 600);
    let (host, mut host_hears) = rooms.open(&person(0), None).unwrap();
    let accounts = crowd(|who| visit(&rooms, host.room(), who));
    // The host was there all the time, and heard every single one, visits and messages.
    let mut view = View::of(&[]);
    view.hear_all(&mut host_hears);
    assert!(view.there.is_empty(), "all have gone");
    assert_eq!(view.heard.len(), THREADS * VISITS * MESSAGES);
    let acknowledged: BTreeSet<_> =
        accounts.into_iter().flat_map(|account| account.acknowledged).collect();
    assert_eq!(acknowledged, view.heard);
    drop((host, host_hears));
    assert!(rooms.is_empty());
}

/// Without a host the room ends and begins anew all the time.
#[test]
fn a_room_that_ends_while_others_come_loses_nobody() {
    let rooms = rooms(1 << 22, 600);
    let accounts = crowd(|who| visit(&rooms, ROOM, who));
    let mut all = Account::default();
    for mut account in accounts {
        all.acknowledged.append(&mut account.acknowledged);
        all.heard.append(&mut account.heard);
    }
    assert_eq!(all.acknowledged, all.heard, "acknowledged is what somebody heard, and no more");
    assert!(rooms.is_empty());
    assert_eq!(rooms.waiting_bytes(), 0);
}

/// Some read nothing and are told too much, and everybody is sent away for silence at any moment.
#[test]
fn who_is_put_out_is_missed_by_all_and_leaves_nothing_behind() {
    let rooms = rooms(2000, 0);
    let ends = crowd(|who| {
        let mut ends = [0, 0];
        for nth in 0..VISITS {
            let (mut seat, mut queue, present) = rooms.join(ROOM, &person(who), None).unwrap();
            let mut view = View::of(&present);
            let (is_deaf, is_impatient) = (nth % 3 == 0, nth % 3 == 1 && who == 1);
            if is_deaf {
                let talker = person(THREADS + who);
                let (talker, mut queue, present) = rooms.join(ROOM, &talker, None).unwrap();
                let mut view = View::of(&present);
                for said in 0..4 * MESSAGES {
                    talker.say(said.to_string().as_bytes());
                    view.hear_all(&mut queue);
                }
            }
            for said in 0.. {
                let is_delivered = seat.say(said.to_string().as_bytes()).is_delivered;
                if !is_deaf {
                    view.hear_all(&mut queue);
                }
                if is_impatient {
                    seat.end_if_idle(Instant::now());
                }
                let is_enough = said > if is_delivered { 20 * MESSAGES } else { MESSAGES };
                if view.ending.is_some() || is_enough {
                    break;
                }
            }
            drop(seat);
            view.hear_all(&mut queue);
            match view.ending {
                Some(Ending::Idle) => {
                    ends[0] += 1;
                    assert!(view.there.is_empty(), "all were sent away: {:?}", view.there);
                }
                Some(Ending::Overflow) => ends[1] += 1,
                None => {}
            }
        }
        ends
    });
    let total = ends.into_iter().fold([0, 0], |sum, ends| [sum[0] + ends[0], sum[1] + ends[1]]);
    assert!(total[0] > 0 && total[1] > 0, "it has come to both: {total:?}");
    assert!(rooms.is_empty());
    assert_eq!(rooms.waiting_bytes(), 0);
}

fn crowd<A: Send>(act: impl Fn(usize) -> A + Sync) -> Vec<A> {
    thread::scope(|scope| {
        let act = &act;
        let people: Vec<_> = (1..=THREADS).map(|who| scope.spawn(move || act(who))).collect();
        people.into_iter().map(|person| person.join().unwrap()).collect()
    })
}
