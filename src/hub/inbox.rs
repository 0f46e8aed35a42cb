//! What waits for one session: all of it for a session that keeps up, of presence only the latest
//! of each person for one that does not. So nobody can fill another's inbox by changing status.

mod round;

use super::{Event, event::Rest};
use crate::{
    model::{AccountId, Dialect},
    net::wire::Wire,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    hint::black_box,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Waiting entries from which on presence is merged, unless half of a small inbox is less.
const MERGE_FROM: usize = 1024;
/// Entries an empty inbox may keep room for.
const IDLE_ENTRIES_MAX: usize = 8;

pub use round::Encode;
pub(super) use round::{Round, Rounds};

/// The receiving end. Ends (`None`) when the hub has dropped the session because its inbox was
/// full.
#[derive(Debug)]
pub struct Inbox(Arc<Shared>);

/// The hub's end. Dropping it closes the inbox.
#[derive(Debug)]
pub(super) struct Sender {
    shared: Arc<Shared>,
    events_max: usize,
}

/// The inbox has no room.
#[derive(Debug)]
pub(super) struct Full;

type Shared = Mutex<Queue>;

/// What one event for a sleeper touches comes first: in a crowd none of it is in any cache.
#[derive(Debug, Default)]
#[repr(C)]
struct Queue {
    /// What comes next: mostly there is nothing else, and no need for a list.
    next: Option<Entry>,
    /// Where presence may go while the session sleeps.
    wire: Option<Wire>,
    /// What is written to it.
    dialect: Option<Dialect>,
    /// Whether the sleeper waits to be woken.
    is_asleep: bool,
    /// Rounds may write to the wire: the session sleeps and has nothing to write itself.
    is_lent: bool,
    /// A round comes by, once, however often the session sleeps anew before that.
    is_awaited: bool,
    /// It would only hear why it ends.
    declines_news: bool,
    is_closed: bool,
    /// There may be something in what follows.
    has_more: bool,
    /// Who has slept here. Kept when it is woken, since mostly the same one sleeps here again.
    sleeper: Option<Waker>,
    /// Comes before everything else: what a round could not write.
    rest: Option<Arc<Rest>>,
    /// What comes after `next`.
    later: VecDeque<Entry>,
    /// Why the session ends; needs no room and comes after everything else.
    farewell: Option<Event>,
    /// The events of [`Entry::Latest`].
    latest: HashMap<AccountId, Event>,
}

#[derive(Debug)]
enum Entry {
    Event(Event),
    /// The place of this person's latest presence.
    Latest(AccountId),
}

/// An inbox with room for `events_max` entries.
pub(super) fn inbox(events_max: usize) -> (Sender, Inbox) {
    let shared = Arc::<Shared>::default();
    (Sender { shared: shared.clone(), events_max }, Inbox(shared))
}

impl Sender {
    /// Puts an event in.
    pub(super) fn send(&self, event: Event) -> Result<(), Full> {
        let mut queue = self.shared.lock();
        let result = queue.push(event, self.events_max);
        if !queue.declines_news {
            queue.wake();
        }
        result
    }

    /// The same with presence, for which `round` need wake nobody.
    pub(super) fn send_round(&self, event: Event, round: &mut Round<'_>) -> Result<(), Full> {
        let mut queue = self.shared.lock();
        let result = queue.push(event, self.events_max);
        if queue.declines_news {
            return result;
        }
        // What fills the inbox cannot wait for others.
        if !queue.is_lent || queue.len() >= merge_from(self.events_max) {
            queue.wake();
        } else if !mem::replace(&mut queue.is_awaited, true) {
            drop(queue);
            round.add(&self.shared);
        }
        result
    }

    /// Has what a send looks at first come from memory, without waiting for it.
    pub(super) fn fetch(&self) {
        fetch(&self.shared);
    }

    /// Ends the session with a last event, which it gets however full the inbox is.
    pub(super) fn farewell(self, event: Event) {
        let mut queue = self.shared.lock();
        queue.farewell = Some(event);
        queue.has_more = true;
    }

    /// Takes presence of everybody else out again.
    pub(super) fn keep_only(&self, people: &HashSet<AccountId>) {
        let mut queue = self.shared.lock();
        let stays = |entry: &Entry| {
            let id = match entry {
                Entry::Event(event) => presence_of(event),
                Entry::Latest(id) => Some(*id),
            };
            id.is_none_or(|id| people.contains(&id))
        };
        queue.later.retain(stays);
        queue.latest.retain(|id, _| people.contains(id));
        if !queue.next.as_ref().is_some_and(stays) {
            queue.advance();
        }
    }

    /// Entries waiting.
    pub(super) fn len(&self) -> usize {
        self.shared.lock().len()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.is_closed = true;
        queue.wake();
    }
}

impl Inbox {
    /// The next event. Who has no room for news (`takes_news` is false) gets only the farewell and
    /// the end. Cancellation safe.
    pub async fn recv(&mut self, takes_news: bool) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(takes_news, false, cx)).await
    }

    /// The same, for who waits for other things too. Who `is_quiet` lends its wire, as by
    /// [`Self::lend_wire`].
    pub fn poll_recv(
        &mut self,
        takes_news: bool,
        is_quiet: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Event>> {
        let mut queue = self.0.lock();
        let event = if takes_news { queue.pop() } else { queue.take_farewell() };
        if event.is_some() || queue.is_closed {
            queue.is_lent = false;
            return Poll::Ready(event);
        }
        queue.declines_news = !takes_news;
        queue.is_asleep = true;
        queue.is_lent = is_quiet && queue.wire.is_some();
        if !queue.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker())) {
            queue.sleeper = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// An event that is already there. The wire is taken back.
    pub fn try_recv(&mut self) -> Option<Event> {
        let mut queue = self.0.lock();
        queue.is_lent = false;
        queue.pop()
    }

    /// Where presence may go, as lines of `dialect`, while the wire is lent.
    pub fn set_wire(&mut self, wire: Wire, dialect: Dialect) {
        let mut queue = self.0.lock();
        (queue.wire, queue.dialect) = (Some(wire), Some(dialect));
    }

    /// Until the next event, or the next look for one by [`Self::try_recv`], the wire is written to
    /// in the session's place. It must not write itself.
    pub fn lend_wire(&mut self) {
        let mut queue = self.0.lock();
        queue.is_lent = queue.is_asleep && queue.wire.is_some();
    }

    /// From here on everything waits. Returns what must be written before anything else.
    pub fn take_back_wire(&mut self) -> Option<Arc<Rest>> {
        let mut queue = self.0.lock();
        queue.is_lent = false;
        queue.rest.take()
    }

    /// Whether nothing more will come after what waits.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }

    /// Entries waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The sleeper's waker may hold the session that holds this.
impl Drop for Inbox {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_lent = false;
        let gone = (queue.sleeper.take(), queue.wire.take());
        drop(queue);
        drop(gone);
    }
}

impl Queue {
    fn len(&self) -> usize {
        let first = [self.rest.is_some(), self.next.is_some()];
        first.into_iter().map(usize::from).sum::<usize>() + self.later.len()
    }

    /// The session is to see to what waits, and rounds pass it by.
    fn wake(&mut self) {
        self.is_lent = false;
        if mem::take(&mut self.is_asleep)
            && let Some(sleeper) = &self.sleeper
        {
            sleeper.wake_by_ref();
        }
    }

    fn push(&mut self, event: Event, events_max: usize) -> Result<(), Full> {
        if self.next.is_none() && events_max > 1 {
            self.next = Some(Entry::Event(event));
            return Ok(());
        }
        let is_full = self.len() >= events_max;
        if let Some(id) = presence_of(&event) {
            if let Some(waiting) = self.latest.get_mut(&id) {
                *waiting = event;
                return Ok(());
            }
            if !is_full && self.len() >= merge_from(events_max) {
                self.latest.insert(id, event);
                self.append(Entry::Latest(id));
                return Ok(());
            }
        }
        if is_full {
            return Err(Full);
        }
        self.append(Entry::Event(event));
        Ok(())
    }

    fn append(&mut self, entry: Entry) {
        if self.next.is_none() {
            self.next = Some(entry);
        } else {
            self.later.push_back(entry);
            self.has_more = true;
        }
    }

    fn pop(&mut self) -> Option<Event> {
        match self.rest.take() {
            Some(rest) => Some(Event::Rest(rest)),
            None => self.pop_behind_rest(),
        }
    }

    fn pop_behind_rest(&mut self) -> Option<Event> {
        let event = match self.next.take() {
            Some(Entry::Event(event)) => Some(event),
            Some(Entry::Latest(id)) => self.latest.remove(&id),
            None => {
                let farewell = self.take_farewell();
                self.has_more = false;
                return farewell;
            }
        };
        if self.has_more {
            self.advance();
        }
        event
    }

    /// Puts the first of `later` next. If there is none, most of the room is given back.
    fn advance(&mut self) {
        self.next = self.later.pop_front();
        if self.next.is_none() && self.later.capacity() > IDLE_ENTRIES_MAX {
            self.later = VecDeque::new();
            self.latest = HashMap::new();
        }
    }

    fn take_farewell(&mut self) -> Option<Event> {
        if self.has_more { self.farewell.take() } else { None }
    }
}

/// From how many waiting entries on presence is merged in an inbox with room for so many.
fn merge_from(events_max: usize) -> usize {
    MERGE_FROM.min(events_max / 2)
}

/// Looks at an inbox, of which only the look is wanted: a processor goes on until it needs what it
/// looked at, so many looks take hardly longer than one.
fn fetch(shared: &Shared) {
    black_box(shared.is_locked());
}

/// Whose presence the event is about.
fn presence_of(event: &Event) -> Option<AccountId> {
    match event {
        Event::Online(card) => Some(card.person.id),
        Event::Offline(person) => Some(person.id),
        Event::List(_)
        | Event::Ring(_)
        | Event::Alert(_)
        | Event::Mail(_)
        | Event::Page(_)
        | Event::Replaced
        | Event::Expelled
        | Event::Kicked
        | Event::ShutdownNotice { .. }
        | Event::Rest(_) => None,
    }
}

#[cfg(test)]
mod tests;
