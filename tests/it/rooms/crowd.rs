//! People in threads who come, speak and go at the same time. Whatever the order was: everybody's
//! own account of it must hold together.

use super::{person, rooms};
use msnd::{
    hub::RoomId,
    switchboard::{
        queue::{News, Queue},
        rooms::Rooms,
    },
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

const THREADS: usize = 6;
const VISITS: usize = 60;
const MESSAGES: usize = 25;

/// Who somebody believes to be in the room, with the next message to be heard from each; `None`
/// until the first one after a newcomer's arrival.
struct View(BTreeMap<String, Option<usize>>);

impl View {
    fn hear(&mut self, text: &str) {
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["JOI", who, _] => {
                assert!(self.0.insert(who.into(), None).is_none(), "{who} is there already");
            }
            ["BYE", who] => assert!(self.0.remove(who).is_some(), "{who} was not there"),
            ["MSG", who, _, _, number] => {
                let number: usize = number.parse().unwrap();
                let next = self.0.get_mut(who).unwrap_or_else(|| panic!("{who} is not there"));
                assert_eq!(next.unwrap_or(number), number, "lost or reordered");
                *next = Some(number + 1);
            }
            _ => panic!("{text}"),
        }
    }

    fn hear_all(&mut self, queue: &mut Queue) {
        while let Some(news) = queue.try_recv() {
            let News::Lines(lines) = news else { panic!("{news:?}") };
            self.hear(std::str::from_utf8(&lines).unwrap());
        }
    }
}

/// Comes, says a few things, and goes, again and again. `said` counts through all visits, so that
/// each message has its number.
fn visit(rooms: &Rooms, id: RoomId, who: usize, delivered: &AtomicUsize) {
    let mut said = 0;
    for _ in 0..VISITS {
        let (seat, mut queue, present) = rooms.join(id, &person(who)).unwrap();
        let there = present.iter().map(|person| (person.address.as_str().to_owned(), None));
        let mut view = View(there.collect());
        assert!(!view.0.contains_key(seat.person().address.as_str()));
        for _ in 0..MESSAGES {
            if seat.say(said.to_string().as_bytes()).is_delivered {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
            said += 1;
            view.hear_all(&mut queue);
        }
    }
}

#[test]
fn nobody_is_listed_twice_or_missed_whatever_the_order() {
    let rooms = rooms(1 << 22, 600);
    let (host, mut host_hears) = rooms.open(&person(0), None).unwrap();
    let delivered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for who in 1..=THREADS {
            let (rooms, delivered, id) = (&rooms, &delivered, host.room());
            scope.spawn(move || visit(rooms, id, who, delivered));
        }
    });
    // The host was there all the time, and heard every single one, visits and messages.
    let mut view = View(BTreeMap::new());
    let mut heard = BTreeMap::<String, usize>::new();
    while let Some(News::Lines(lines)) = host_hears.try_recv() {
        let text = std::str::from_utf8(&lines).unwrap();
        view.hear(text);
        let mut words = text.split(' ');
        if words.next() == Some("MSG") {
            *heard.entry(words.next().unwrap().into()).or_default() += 1;
        }
    }
    assert!(view.0.is_empty(), "all have gone");
    assert_eq!(heard.len(), THREADS);
    assert!(heard.values().all(|count| *count == VISITS * MESSAGES));
    assert_eq!(delivered.into_inner(), THREADS * VISITS * MESSAGES);
    drop(host);
    assert!(rooms.is_empty());
}

/// Without a host the room ends and begins anew all the time.
#[test]
fn a_room_that_ends_while_others_come_loses_nobody() {
    let rooms = rooms(1 << 22, 600);
    let (host, _) = rooms.open(&person(0), None).unwrap();
    let id = host.room();
    drop(host);
    let delivered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for who in 1..=THREADS {
            let (rooms, delivered) = (&rooms, &delivered);
            scope.spawn(move || visit(rooms, id, who, delivered));
        }
    });
    assert!(rooms.is_empty());
}
