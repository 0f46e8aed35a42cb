//! The hub's state in this process and every transition of it (reference `presence-rules.md` §3).
//! Synchronous: the caller holds the lock.

mod deliver;
mod lists;
mod post;
pub(super) mod roll;

use super::{
    Card, Counts, Entered, Event, ListEvent, Outcome, Person, SessionId, SignIn, Stale,
    arrivals::{Arrivals, Missed},
    by_account::ByAccount,
    cookie::Cookies,
    event::Memo,
    inbox::{Rounds, Sender},
    seats::{Seat, Seats},
    stays::Stays,
    watch::WatchIndex,
};
use crate::{
    metrics::HubMeters,
    model::{
        AccountId, Address, Applied, Change, Circle, Dialect, List, Name, Presence,
        roster::version_is_newer,
    },
};
use roll::Facts;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

#[derive(Debug, Default)]
pub(super) struct State {
    /// Boxed, or the free places of the table would be as large.
    pub(super) members: ByAccount<Box<Member>>,
    /// Where they are told.
    seats: Seats,
    /// The same people by handle.
    pub(super) by_address: HashMap<Address, AccountId>,
    pub(super) arrivals: Arrivals,
    watch: WatchIndex,
    pub(super) cookies: Cookies,
    pub(super) stays: Stays,
    /// The announced shutdown, for whoever signs in after the announcement.
    shutdown_in_minutes: Option<u32>,
    /// Members whose inbox was full; removed before the current transition ends.
    overflowed: Vec<AccountId>,
    /// How presence is written for those who need not be woken for it.
    pub(super) rounds: Option<Rounds>,
    meters: HubMeters,
}

/// One signed-in session.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) person: Arc<Person>,
    /// Whether it wants conversations.
    pub(super) takes_calls: bool,
    /// `None` until the first `CHG`.
    presence: Option<Arc<Card>>,
    pub(super) circle: Circle,
    /// The version of the last change to the account's lists that the session need not be told:
    /// the owner's own are in `circle`, those of others count until it listens.
    version: u32,
    /// Whether changes others make to its lists are told.
    listening: bool,
    pub(super) facts: Arc<Facts>,
    seat: Seat,
}

impl Member {
    /// The card that others see; `None` while hidden or not yet present.
    pub(super) fn visible(&self) -> Option<&Arc<Card>> {
        self.presence.as_ref().filter(|card| card.presence.is_visible())
    }

    /// Whether its client understands alerts and pages.
    fn takes_documents(&self) -> bool {
        self.facts.dialect >= Dialect::Msnp9
    }
}

impl State {
    pub(super) fn measured(meters: HubMeters) -> Self {
        Self { meters, ..Self::default() }
    }

    pub(super) fn sign_in(
        &mut self,
        id: AccountId,
        sign_in: SignIn,
        inbox: Sender,
    ) -> Result<Missed, Stale> {
        let version = self.arrivals.check(id, sign_in.version)?;
        if self.members.contains_key(&id) {
            self.end(id, Event::Replaced);
        }
        let address = &sign_in.person.address;
        if let Some(namesake) = self.by_address.get(address).copied() {
            // An account of this handle was removed, and another one made since.
            self.forget(namesake);
        }
        self.by_address.insert(address.clone(), id);
        if let Some(minutes) = self.shutdown_in_minutes {
            // A new inbox has room.
            let _ = inbox.send(Event::ShutdownNotice { minutes });
        }
        let mut circle = sign_in.circle;
        circle.shrink_to_fit();
        let member = Member {
            session: sign_in.session,
            person: sign_in.person,
            takes_calls: true,
            presence: None,
            circle,
            version,
            listening: false,
            facts: sign_in.facts,
            seat: self.seats.take(id, inbox),
        };
        self.members.insert(id, Box::new(member));
        self.settle();
        Ok(self.arrivals.missed(id))
    }

    pub(super) fn expel(&mut self, id: AccountId) {
        self.end(id, Event::Expelled);
        self.settle();
    }

    pub(super) fn forget(&mut self, id: AccountId) {
        self.end(id, Event::Expelled);
        for seat in self.watch.forget(id) {
            let watcher = self.seats.get(seat).map(|seated| seated.id);
            if let Some(member) = watcher.and_then(|id| self.members.get_mut(&id)) {
                member.circle.forward.retain(|contact| *contact != id);
            }
        }
        self.settle();
    }

    pub(super) fn reconcile(
        &mut self,
        id: AccountId,
        session: SessionId,
        forward: &HashSet<AccountId>,
        version: u32,
    ) -> Result<(), Stale> {
        let Some(member) = self.member(id, session) else { return Ok(()) };
        if version_is_newer(member.version, version) {
            return Err(Stale);
        }
        let seat = member.seat;
        let gone: Vec<_> =
            member.circle.forward.extract_if(.., |contact| !forward.contains(contact)).collect();
        // Also who has left the circle already may still have something waiting.
        if let Some(seated) = self.seats.get(seat) {
            seated.inbox.keep_only(forward);
        }
        gone.into_iter().for_each(|contact| self.watch.remove(contact, seat));
        Ok(())
    }

    pub(super) fn online(&self) -> Vec<AccountId> {
        self.members.keys().copied().collect()
    }

    pub(super) fn watched(&self) -> Vec<AccountId> {
        self.watch.watched().collect()
    }

    pub(super) fn sign_out(&mut self, id: AccountId, session: SessionId) {
        if self.member(id, session).is_some() {
            self.remove(id);
            self.settle();
        }
    }

    pub(super) fn listen(&mut self, id: AccountId, session: SessionId) {
        if let Some(member) = self.member(id, session) {
            member.listening = true;
        }
    }

    pub(super) fn name(&mut self, id: AccountId, session: SessionId) -> Option<Name> {
        self.member(id, session).map(|member| member.person.name.clone())
    }

    pub(super) fn set_presence(
        &mut self,
        id: AccountId,
        session: SessionId,
        presence: Presence,
    ) -> Entered {
        let Some(member) = self.member(id, session) else { return Entered::default() };
        if member.presence.as_ref().is_some_and(|card| card.presence == presence) {
            return Entered::default();
        }
        let (seat, was_visible) = (member.seat, member.visible().is_some());
        let person = member.person.clone();
        let card = Arc::new(Card { person: person.clone(), presence, memo: Memo::default() });
        let is_first = member.presence.replace(card.clone()).is_none();
        member.listening = true;
        let visible = is_first.then(|| self.enter(id));
        if card.presence.is_visible() {
            // Whoever watches itself has just been listed to itself.
            self.tell_seers_but(is_first.then_some(seat), id, &Event::Online(card));
        } else if was_visible {
            self.tell_seers(id, &Event::Offline(person));
        }
        self.settle();
        Entered { visible }
    }

    pub(super) fn apply(
        &mut self,
        applied: &Applied,
        by: &Arc<Person>,
        session: SessionId,
    ) -> Outcome {
        let owner = applied.owner;
        let mut outcome = Outcome::default();
        let mut by = by.clone();
        let mut is_current = false;
        self.arrivals.edited(owner, applied.version);
        if let Some(member) = self.members.get_mut(&owner) {
            by = member.person.clone();
            is_current = version_is_newer(applied.version, member.version);
            if is_current {
                member.version = applied.version;
            }
            if member.session == session {
                outcome.queued_before = self.seats.queued(member.seat);
            }
        }
        match &applied.change {
            Change::Watched { contact, reverse_version, .. } => {
                if is_current {
                    outcome.now_visible = self.watch(owner, *contact);
                }
                let event = ListEvent::ReverseAdded { version: *reverse_version, by };
                self.tell_list(*contact, event);
            }
            Change::Unwatched { contact, reverse_version } => {
                self.unwatch(owner, &[(*contact, *reverse_version)], &by, is_current);
            }
            Change::GroupRemoved { dropped } => self.unwatch(owner, dropped, &by, is_current),
            Change::Listed { list, contact } if is_current => {
                self.set_listed(owner, *list, *contact, true);
            }
            Change::Unlisted { list, contact } if is_current => {
                self.set_listed(owner, *list, *contact, false);
            }
            Change::Privacy(privacy) if is_current => {
                if let Some(member) = self.members.get_mut(&owner) {
                    member.circle.privacy = *privacy;
                }
                self.resplit(owner);
            }
            Change::Renamed { name } if is_current => {
                let person = Person::new(owner, by.address.clone(), name.clone());
                self.rename(owner, person);
            }
            Change::Property { key, value, told } => {
                self.tell_property(told, &by, *key, value.as_deref());
            }
            Change::Listed { .. }
            | Change::Unlisted { .. }
            | Change::Privacy(_)
            | Change::Renamed { .. }
            | Change::GroupAdded { .. }
            | Change::Private
            | Change::None => {}
        }
        self.settle();
        outcome
    }

    pub(super) fn notify_shutdown(&mut self, minutes: u32) {
        self.shutdown_in_minutes = Some(minutes);
        self.online().into_iter().for_each(|id| self.tell(id, Event::ShutdownNotice { minutes }));
        self.settle();
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { sessions: self.members.len(), watches: self.watch.len() }
    }

    /// First `CHG`: starts watching, opens up to watchers, and returns who is visible.
    fn enter(&mut self, id: AccountId) -> Vec<Arc<Card>> {
        let Some(member) = self.members.get(&id) else { return Vec::new() };
        let mut visible = Vec::new();
        for contact in &member.circle.forward {
            let watched = self.members.get(contact).filter(|watched| watched.presence.is_some());
            let allowed = watched.is_some_and(|watched| watched.circle.allows(id));
            // Self is not split yet; `split` below sorts it in.
            self.watch.add(*contact, member.seat, allowed && *contact != id);
            if allowed {
                visible.extend(watched.and_then(|watched| watched.visible()).cloned());
            }
        }
        self.watch.split(id, |watcher| self.seats.is_allowed(watcher, &member.circle));
        visible
    }

    /// Ends an account's conversations and session from our side, telling the session why. Returns
    /// whether there were conversations.
    fn end(&mut self, id: AccountId, why: Event) -> bool {
        if let Some(inbox) = self.remove(id) {
            inbox.farewell(why);
        }
        self.stays.end(id)
    }

    /// Ends a session in whatever state it is: watchers lose sight, its own watching ends.
    fn remove(&mut self, id: AccountId) -> Option<Sender> {
        let member = self.members.remove(&id)?;
        let seated = self.seats.leave(member.seat);
        self.cookies.revoke(id);
        if self.by_address.get(&member.person.address) == Some(&id) {
            self.by_address.remove(&member.person.address);
        }
        if member.visible().is_some() {
            self.tell_seers(id, &Event::Offline(member.person.clone()));
        }
        if member.presence.is_some() {
            self.watch.conceal(id);
            for contact in &member.circle.forward {
                self.watch.remove(*contact, member.seat);
            }
        }
        // Or who gets the seat next would be told in this one's place.
        debug_assert!(!self.watch.has_watcher(member.seat), "a session left its seat and watches");
        seated.map(|seated| seated.inbox)
    }

    /// `owner` has `contact` on its forward list from now on.
    fn watch(&mut self, owner: AccountId, contact: AccountId) -> Option<Arc<Card>> {
        let member = self.members.get_mut(&owner)?;
        if !member.circle.forward.contains(&contact) {
            member.circle.forward.push(contact);
        }
        member.presence.as_ref()?;
        let seat = member.seat;
        let watched = self.members.get(&contact).filter(|watched| watched.presence.is_some());
        let allowed = watched.is_some_and(|watched| watched.circle.allows(owner));
        self.watch.add(contact, seat, allowed);
        watched.filter(|_| allowed).and_then(|watched| watched.visible()).cloned()
    }

    /// `owner` no longer has `contacts` on its forward list.
    fn unwatch(
        &mut self,
        owner: AccountId,
        contacts: &[(AccountId, u32)],
        by: &Arc<Person>,
        is_current: bool,
    ) {
        let member = self.members.get_mut(&owner).filter(|_| is_current);
        let seat = member.map(|member| {
            let gone: HashSet<_> = contacts.iter().map(|(contact, _)| *contact).collect();
            member.circle.forward.retain(|id| !gone.contains(id));
            member.seat
        });
        for (contact, version) in contacts {
            if let Some(seat) = seat {
                self.watch.remove(*contact, seat);
            }
            let event = ListEvent::ReverseRemoved { version: *version, by: by.clone() };
            self.tell_list(*contact, event);
        }
    }

    /// `contact` is, or is no longer, on `owner`'s allow or block list.
    fn set_listed(&mut self, owner: AccountId, list: List, contact: AccountId, listed: bool) {
        let Some(member) = self.members.get_mut(&owner) else { return };
        let ids = match list {
            List::Allow => &mut member.circle.allow,
            List::Block => &mut member.circle.block,
            List::Forward => return,
        };
        match (ids.binary_search(&contact), listed) {
            (Err(at), true) => ids.insert(at, contact),
            (Ok(at), false) => {
                ids.remove(at);
            }
            _ => return,
        }
        if member.presence.is_none() {
            return;
        }
        let allowed = member.circle.allows(contact);
        let card = member.visible().cloned();
        let Some(watcher) = self.members.get(&contact).map(|member| member.seat) else { return };
        if let (Some(gained), Some(card)) = (self.watch.move_one(owner, watcher, allowed), card) {
            self.tell_seat(watcher, sight(gained, &card));
        }
    }

    /// The rule for strangers changed: everybody's sight of `owner` is judged anew.
    fn resplit(&mut self, owner: AccountId) {
        let Some(member) = self.members.get(&owner) else { return };
        if member.presence.is_none() {
            return;
        }
        let card = member.visible().cloned();
        let allows = |watcher| self.seats.is_allowed(watcher, &member.circle);
        let (lost, gained) = self.watch.split(owner, allows);
        if let Some(card) = card {
            lost.into_iter().for_each(|seat| self.tell_seat(seat, sight(false, &card)));
            gained.into_iter().for_each(|seat| self.tell_seat(seat, sight(true, &card)));
        }
    }

    fn rename(&mut self, owner: AccountId, person: Arc<Person>) {
        let Some(member) = self.members.get_mut(&owner) else { return };
        member.person = person.clone();
        let Some(card) = &mut member.presence else { return };
        *card = Arc::new(Card { person, presence: card.presence.clone(), memo: Memo::default() });
        if let Some(card) = member.visible().cloned() {
            self.tell_seers(owner, &Event::Online(card));
        }
    }

    pub(super) fn member(&mut self, id: AccountId, session: SessionId) -> Option<&mut Member> {
        self.members.get_mut(&id).map(Box::as_mut).filter(|member| member.session == session)
    }
}

fn sight(gained: bool, card: &Arc<Card>) -> Event {
    if gained { Event::Online(card.clone()) } else { Event::Offline(card.person.clone()) }
}
