//! The robot in one conversation, from the call until it leaves. Knows no connection: it sits in the
//! room as anybody does, hears what its queue holds and speaks from its seat. Never logs or keeps
//! what people say.

use super::{
    limits::{ANSWERS_MAX, ANSWERS_PER_ROOM_MAX, Pace, Place, WINDOW},
    words::{Heard, Said, Words},
};
use crate::{
    hub::{Hub, Ring},
    model::Address,
    store::Store,
    switchboard::{
        self,
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
    guest: Guest,
    /// Dropping it leaves.
    seat: Seat,
    queue: Queue,
    /// Cancelled when the session that was called is over.
    over: CancellationToken,
    /// Who else is there.
    others: HashSet<Address>,
    pace: Pace,
    answers: u32,
}

impl Guest {
    /// Answers a call and stays until the others have left, the room is idle, enough has been said,
    /// or the robot must go.
    pub(super) async fn answer(self, ring: Arc<Ring>, _place: Place) {
        let room = ring.room;
        match self.enter(&ring).await {
            Some(mut conversation) => {
                tracing::debug!(%room, "the robot is in a conversation");
                conversation.hold().await;
                tracing::debug!(%room, "the robot has left the conversation");
            }
            None => tracing::debug!(%room, "the robot could not answer a call"),
        }
    }

    /// What `ANS` does.
    async fn enter(self, ring: &Ring) -> Option<Conversation> {
        let answer = self.hub.redeem_answer(ring.cookie.as_bytes(), Some(&self.address))?;
        if self.closing.is_cancelled() {
            return None;
        }
        let admitted = answer.admitted;
        // The hub has judged by the lists it knows; another process may have changed them.
        let own = self.store.sign_in(admitted.person.id).await.ok()?;
        if !own.account.enabled || !own.circle.allows(answer.caller) {
            return None;
        }
        let joined = self.switchboard.rooms().join(answer.room, &admitted.person);
        let (seat, queue, present) = joined.ok()?;
        self.switchboard.counts().joined();
        Some(Conversation {
            guest: self,
            seat,
            queue,
            over: admitted.over,
            others: present.iter().map(|person| person.address.clone()).collect(),
            pace: Pace::new(ANSWERS_MAX, WINDOW),
            answers: 0,
        })
    }
}

impl Conversation {
    async fn hold(&mut self) {
        while !self.others.is_empty() && self.answers < ANSWERS_PER_ROOM_MAX {
            let news = select! {
                biased;
                () = self.guest.draining.cancelled() => return,
                () = self.over.cancelled() => return,
                news = self.queue.recv(true) => news,
                () = sleep_until(self.seat.idle_check_at()) => {
                    self.seat.end_if_idle(Instant::now());
                    continue;
                }
            };
            match news {
                News::Lines(lines) => self.hear(&lines),
                News::End(_) => return,
            }
            // A burst of data must not keep others from this thread.
            consume_budget().await;
        }
    }

    fn hear(&mut self, lines: &[u8]) {
        match Heard::read(lines) {
            Some(Heard::Joined(address)) => {
                self.others.insert(address);
            }
            Some(Heard::Left(address)) => {
                self.others.remove(&address);
            }
            Some(Heard::Said(said)) => self.reply(&said),
            None => {}
        }
    }

    fn reply(&mut self, said: &Said) {
        let is_private = self.others.len() == 1;
        let answer = self.guest.words.answer(said, is_private, self.answers == 0);
        let now = Instant::now();
        if answer.is_empty() || !self.pace.take(now) || !self.guest.pace_in_all.lock().take(now) {
            return;
        }
        self.answers += 1;
        for message in &answer {
            let delivery = self.seat.say(message.as_bytes());
            // Whether anybody gets it is nothing the robot wants to know.
            let kind = Kind::Unanswered;
            let counts = self.guest.switchboard.counts();
            counts.said(kind, message.len(), delivery.is_delivered, delivery.overflows);
        }
    }
}
