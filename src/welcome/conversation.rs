//! The robot in one conversation, from the call until it leaves. Knows no connection: it sits in
//! the room as anybody does, hears what its queue holds and speaks from its seat. Never logs or
//! keeps what people say.

use super::{
    limits::{ANSWERS_MAX, ANSWERS_PER_ROOM_MAX, Pace, Place, WINDOW},
    words::{Heard, Said, Words},
};
use crate::{
    hub::{Hub, Ring},
    model::Address,
    protocol::frame::command_bytes,
    store::Store,
    switchboard::{
        self,
        counts::Counts,
        message::Kind,
        queue::{News, Queue},
        rooms::Seat,
    },
};
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};
use tokio::{
    select,
    task::consume_budget,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Who comes when the robot is called; clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) address: Address,
    pub(super) hub: Hub,
    pub(super) store: Arc<dyn Store>,
    pub(super) switchboard: Arc<switchboard::Context>,
    pub(super) words: Arc<Words>,
    /// How many answers in all conversations.
    pub(super) pace_in_all: Arc<Mutex<Pace>>,
    /// Cancelled when nobody is let in any more.
    pub(super) closing: CancellationToken,
    /// Cancelled when everybody must go.
    pub(super) draining: CancellationToken,
}

/// A conversation that the robot is in.
struct Conversation {
    /// Dropping it leaves.
    seat: Seat,
    queue: Queue,
    /// Who else is there.
    others: HashSet<Address>,
    words: Arc<Words>,
    counts: Arc<Counts>,
    pace: Pace,
    pace_in_all: Arc<Mutex<Pace>>,
    answers: u32,
    /// Cancelled when the account is no longer welcome.
    over: Arc<CancellationToken>,
    /// Cancelled when everybody must go.
    draining: CancellationToken,
}

impl Guest {
    /// Answers a call and stays until the others have left, the room is idle, enough has been said,
    /// or the robot must go.
    pub(super) async fn answer(self, ring: Arc<Ring>, place: Place) {
        let room = ring.room;
        match self.enter(&ring).await {
            Some(mut conversation) => {
                tracing::debug!(%room, "the robot is in a conversation");
                conversation.hold().await;
                // Who sees it leave can call it again at once.
                drop(place);
                tracing::debug!(%room, "the robot has left the conversation");
            }
            None => tracing::debug!(%room, "the robot could not answer a call"),
        }
    }

    /// What `ANS` does.
    async fn enter(self, ring: &Ring) -> Option<Conversation> {
        let answer = self.hub.redeem_answer(ring.cookie.as_bytes(), Some(&self.address)).ok()?;
        if self.closing.is_cancelled() {
            return None;
        }
        let admitted = answer.admitted;
        // The hub has judged by the lists it knows; another process may have changed them.
        let own = self.store.callee(&self.address, answer.caller).await.ok()?;
        if own.id != admitted.person.id || !own.enabled || !own.allows {
            return None;
        }
        if admitted.over.is_cancelled() {
            return None;
        }
        let server = answer.server.as_ref();
        let joined = self.switchboard.rooms().join(answer.room, &admitted.person, server);
        let (seat, queue, present) = joined.ok()?;
        let counts = self.switchboard.counts().clone();
        counts.joined();
        Some(Conversation {
            seat,
            queue,
            others: present.iter().map(|person| person.address.clone()).collect(),
            words: self.words,
            counts,
            pace: Pace::new(ANSWERS_MAX, WINDOW),
            pace_in_all: self.pace_in_all,
            answers: 0,
            over: admitted.over,
            draining: self.draining,
        })
    }
}

impl Conversation {
    async fn hold(&mut self) {
        while !self.others.is_empty() && self.answers < ANSWERS_PER_ROOM_MAX {
            let news = select! {
                biased;
                () = self.draining.cancelled() => return,
                () = self.over.cancelled() => return,
                news = self.queue.recv(true) => news,
                () = sleep_until(self.seat.idle_check_at()) => {
                    self.seat.end_if_idle(Instant::now());
                    continue;
                }
            };
            match news {
                News::Lines(lines) => self.hear(&lines),
                News::LastLines | News::End(_) | News::Evicted => return,
            }
            // A burst of data must not keep others from this thread.
            consume_budget().await;
        }
    }

    fn hear(&mut self, mut lines: &[u8]) {
        while let Some((command, rest)) = command_bytes(lines).map(|bytes| lines.split_at(bytes)) {
            match Heard::read(command) {
                Some(Heard::Joined(address)) => {
                    self.others.insert(address);
                }
                Some(Heard::Left(address)) => {
                    self.others.remove(&address);
                }
                Some(Heard::Said(said)) if self.answers < ANSWERS_PER_ROOM_MAX => {
                    self.reply(&said);
                }
                Some(Heard::Said(_)) | None => {}
            }
            lines = rest;
        }
    }

    fn reply(&mut self, said: &Said) {
        let is_private = self.others.len() == 1;
        let answer = self.words.answer(said, is_private, self.answers == 0);
        let now = Instant::now();
        if answer.is_empty() || !self.pace.take(now) || !self.pace_in_all.lock().take(now) {
            return;
        }
        self.answers += 1;
        for message in &answer {
            let delivery = self.seat.say(message.as_bytes());
            // Whether anybody gets it is nothing the robot wants to know.
            self.counts.said(Kind::Unanswered, 1, message.len(), delivery);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        hub::{Person, RoomId},
        metrics::Metrics,
        model::{AccountId, Name},
        protocol::message,
        switchboard::{
            room::RoomLimits,
            rooms::{Rooms, RoomsLimits},
        },
    };
    use std::time::Duration;

    const IDLE: Duration = Duration::from_secs(600);

    fn rooms() -> Rooms {
        let ring = Duration::from_secs(60);
        let room = RoomLimits { members_max: 50, queue_bytes_max: 1 << 20, idle: IDLE, ring };
        let (queues_bytes_max, fair_share_bytes) = (1 << 20, 1 << 10);
        let (rooms_max, per_user_max) = (10, 10);
        let limits =
            RoomsLimits { rooms_max, per_user_max, queues_bytes_max, fair_share_bytes, room };
        Rooms::new(limits, 1)
    }

    fn person(id: u64) -> Arc<Person> {
        let address = Address::parse(&format!("user{id}@example.test")).unwrap();
        let name = Name::from(&address);
        Person::new(AccountId(id), address, name)
    }

    fn robot((seat, queue): (Seat, Queue), others: &[u64]) -> Conversation {
        Conversation {
            seat,
            queue,
            others: others.iter().map(|id| person(*id).address.clone()).collect(),
            words: Arc::new(Words::new(&config::Welcome::default())),
            counts: Arc::new(Counts::new(&Metrics::default())),
            pace: Pace::new(ANSWERS_MAX, WINDOW),
            pace_in_all: Arc::new(Mutex::new(Pace::new(1200, WINDOW))),
            answers: 0,
            over: Arc::default(),
            draining: CancellationToken::new(),
        }
    }

    /// A room that person 1 has opened and the robot, 2, has come to.
    fn room(rooms: &Rooms) -> ((Seat, Queue), Conversation) {
        let (seat, queue) = rooms.open(&person(1), None).unwrap();
        let (robots, heard, _) = rooms.join(seat.room(), &person(2), None).unwrap();
        ((seat, queue), robot((robots, heard), &[1]))
    }

    #[tokio::test(start_paused = true)]
    async fn two_robots_do_not_talk_for_ever() {
        let rooms = rooms();
        let ((seat, queue), mut second) = room(&rooms);
        let mut first = robot((seat, queue), &[2]);
        let began = Instant::now();
        // As if somebody had written in its name.
        first.seat.say(message::text("hello").as_bytes());
        tokio::join!(first.hold(), second.hold());
        assert_eq!((first.answers, second.answers), (ANSWERS_MAX, ANSWERS_MAX));
        assert!(began.elapsed() >= IDLE, "both have been silent until the room was idle");
        drop((first, second));
        assert!(rooms.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn after_so_many_answers_it_leaves() {
        let rooms = rooms();
        let ((seat, mut queue), mut robot) = room(&rooms);
        let talk = async {
            loop {
                seat.say(message::text("and now?").as_bytes());
                tokio::time::sleep(WINDOW / ANSWERS_MAX).await;
            }
        };
        select! {
            () = robot.hold() => {}
            () = talk => {}
        }
        assert_eq!(robot.answers, ANSWERS_PER_ROOM_MAX);
        drop(robot);
        let mut last = None;
        while let Some(News::Lines(lines)) = queue.try_recv() {
            last = Some(lines);
        }
        assert_eq!(last.as_deref(), Some(&b"BYE user2@example.test\r\n"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn it_leaves_with_the_last_of_the_others_and_when_it_must() {
        let rooms = rooms();
        let ((seat, queue), mut robot) = room(&rooms);
        let (third, ..) = rooms.join(RoomId(1), &person(3), None).unwrap();
        drop((seat, queue));
        let leave = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(third);
        };
        tokio::join!(robot.hold(), leave);
        drop(robot);
        assert!(rooms.is_empty());
        for is_shutdown in [true, false] {
            let (_alice, mut robot) = room(&rooms);
            let token = if is_shutdown { robot.draining.clone() } else { (*robot.over).clone() };
            tokio::join!(robot.hold(), async { token.cancel() });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn data_and_typing_cost_no_answer() {
        let rooms = rooms();
        let ((seat, mut queue), mut robot) = room(&rooms);
        for content_type in ["text/x-msmsgscontrol", "application/x-msnmsgrp2p"] {
            for _ in 0..2000 {
                seat.say(format!("Content-Type: {content_type}\r\n\r\nhelp").as_bytes());
            }
        }
        drop(seat);
        robot.hold().await;
        assert_eq!(robot.answers, 0);
        let joined = queue.try_recv();
        assert!(matches!(joined, Some(News::Lines(line)) if line.starts_with(b"JOI ")));
        assert_eq!(queue.try_recv(), None);
    }
}
