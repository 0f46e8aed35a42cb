//! Tells people what others change in their lists, or notes it for those who do not listen yet.

use super::State;
use crate::{
    hub::{Event, ListEvent, Person},
    model::{AccountId, PropertyKey, roster::version_is_newer},
};
use std::sync::Arc;

impl State {
    pub(super) fn tell_property(
        &mut self,
        told: &[(AccountId, u32)],
        by: &Arc<Person>,
        key: PropertyKey,
        value: Option<&str>,
    ) {
        let (key, value) = key.told_as(value);
        for (id, version) in told {
            let (by, value) = (by.clone(), value.clone());
            self.tell_list(*id, ListEvent::Property { version: *version, by, key, value });
        }
    }

    pub(super) fn tell_list(&mut self, id: AccountId, event: ListEvent) {
        let version = event.version();
        self.arrivals.changed(id, version);
        match self.members.get_mut(&id) {
            Some(member) if member.listening => self.tell(id, Event::List(Arc::new(event))),
            // What it has read of its lists holds no more, unless it was read after the commit.
            Some(member) if version_is_newer(version, member.version) => member.version = version,
            _ => {}
        }
    }
}
