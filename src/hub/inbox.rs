//! What waits for one session: all of it for a session that keeps up, of presence only the latest
//! of each person for one that does not. So nobody can fill another's inbox by changing status.

use super::Event;
use crate::model::AccountId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Waiting entries from which on presence is merged, unless half of a small inbox is less.
const MERGE_FROM: usize = 1024;
/// Entries an empty inbox may keep room for.
const IDLE_ENTRIES_MAX: usize = 8;

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
    /// Who has slept here. Kept when it is woken, since mostly the same one sleeps here again.
    sleeper: Option<Waker>,
    /// Whether the sleeper waits to be woken.
    is_asleep: bool,
    /// It would only hear why it ends.
    declines_news: bool,
    is_closed: bool,
    /// There may be something in what follows.
    has_more: bool,
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
        poll_fn(|cx| self.poll_recv(takes_news, cx)).await
    }

    /// The same, for who waits for other things too.
    pub fn poll_recv(&mut self, takes_news: bool, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = self.0.lock();
        let event = if takes_news { queue.pop() } else { queue.take_farewell() };
        if event.is_some() || queue.is_closed {
            return Poll::Ready(event);
        }
        queue.declines_news = !takes_news;
        queue.is_asleep = true;
        if !queue.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker())) {
            queue.sleeper = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// An event that is already there.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.lock().pop()
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
        let sleeper = self.0.lock().sleeper.take();
        drop(sleeper);
    }
}

impl Queue {
    fn len(&self) -> usize {
        usize::from(self.next.is_some()) + self.later.len()
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.is_asleep)
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
            if !is_full && self.len() >= MERGE_FROM.min(events_max / 2) {
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
        | Event::ShutdownNotice { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::{Card, Person, event::Memo},
        model::{Address, Name, Presence, Status},
    };
    use proptest::prelude::*;

    fn online(id: u64, client_id: u32) -> Event {
        let address = Address::parse(&format!("user{id}@example.test")).unwrap();
        let name = Name::from(&address);
        let person = Person::new(AccountId(id), address, name);
        let presence = Presence { status: Status::Online, client_id, object: None };
        Event::Online(Arc::new(Card { person, presence, memo: Memo::default() }))
    }

    fn seen(event: &Event) -> (u64, u32) {
        match event {
            Event::Online(card) => (card.person.id.0, card.presence.client_id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_keeps_up_hears_everything_and_who_does_not_the_latest() {
        let (sender, mut inbox) = inbox(2 * MERGE_FROM);
        for client_id in 0..100_000 {
            sender.send(online(1, client_id)).unwrap();
            sender.send(online(2, client_id)).unwrap();
        }
        assert_eq!(inbox.len(), MERGE_FROM + 2);
        let events: Vec<_> = std::iter::from_fn(|| inbox.try_recv()).collect();
        assert_eq!(seen(&events[MERGE_FROM]), (1, 99_999));
        assert_eq!(seen(&events[MERGE_FROM + 1]), (2, 99_999));
        let queue = inbox.0.lock();
        assert_eq!((queue.later.capacity(), queue.latest.capacity()), (0, 0));
    }

    #[test]
    fn an_inbox_that_is_emptied_keeps_no_room() {
        let (sender, mut inbox) = inbox(2 * MERGE_FROM);
        for client_id in 0..2 * MERGE_FROM {
            sender.send(online(1, u32::try_from(client_id).unwrap())).unwrap();
        }
        sender.keep_only(&HashSet::new());
        assert!(inbox.try_recv().is_none());
        let queue = inbox.0.lock();
        assert_eq!((queue.later.capacity(), queue.latest.capacity()), (0, 0));
    }

    #[test]
    fn a_small_inbox_merges_too() {
        let (sender, mut inbox) = inbox(16);
        for client_id in 0..1000 {
            sender.send(online(1, client_id)).unwrap();
        }
        let events: Vec<_> = std::iter::from_fn(|| inbox.try_recv()).collect();
        assert_eq!((events.len(), seen(&events[8])), (9, (1, 999)));
    }

    #[tokio::test]
    async fn a_farewell_needs_no_room_and_no_reader() {
        let (sender, mut inbox) = inbox(1);
        sender.send(Event::ShutdownNotice { minutes: 1 }).unwrap();
        assert!(sender.send(Event::ShutdownNotice { minutes: 2 }).is_err());
        sender.farewell(Event::Replaced);
        assert!(matches!(inbox.recv(false).await, Some(Event::Replaced)));
        assert!(matches!(inbox.recv(true).await, Some(Event::ShutdownNotice { minutes: 1 })));
        assert!(inbox.recv(true).await.is_none());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let (sender, mut inbox) = inbox(1);
        let waiting = async { inbox.recv(true).await };
        let sending = async { sender.send(Event::ShutdownNotice { minutes: 7 }).unwrap() };
        let (event, ()) = tokio::join!(waiting, sending);
        assert!(matches!(event, Some(Event::ShutdownNotice { minutes: 7 })));
        drop(sender);
        assert!(inbox.recv(false).await.is_none());
    }

    proptest! {
        /// However sending and receiving interleave: of every person the changes come in order,
        /// and the last one comes.
        #[test]
        fn nobodys_changes_are_reordered_or_end_early(
            steps in proptest::collection::vec((1u64..6, 0usize..1500, 0usize..1500), 1..12),
        ) {
            let (sender, mut inbox) = inbox(1 << 20);
            let (mut sent, mut heard) = (HashMap::new(), HashMap::new());
            let mut client_id = 0;
            let mut take = |inbox: &mut Inbox, count: usize| {
                for event in std::iter::from_fn(|| inbox.try_recv()).take(count) {
                    let (id, client_id) = seen(&event);
                    if let Some(before) = heard.insert(id, client_id) {
                        assert!(before < client_id);
                    }
                }
                heard.clone()
            };
            for (people, sends, receives) in steps {
                for n in 0..sends as u64 {
                    client_id += 1;
                    sent.insert(n % people, client_id);
                    sender.send(online(n % people, client_id)).unwrap();
                }
                take(&mut inbox, receives);
            }
            prop_assert_eq!(take(&mut inbox, usize::MAX), sent);
        }
    }
}
