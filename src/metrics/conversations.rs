//! What conversations count: names, help texts, handles. Knows none of them.

use super::{ConversationMeters, Counters, Metrics};
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// What conversations count, by name.
#[derive(Default)]
pub(super) struct Conversations {
    pub(super) rooms: Gauge,
    pub(super) opened: Counter,
    pub(super) joined: Counter,
    pub(super) rung: Counter,
    pub(super) refusals: Counters<1>,
    pub(super) messages: Counters<1>,
    pub(super) message_bytes: Counters<1>,
    pub(super) undelivered: Counter,
    pub(super) overflows: Counter,
}

impl Metrics {
    /// The handles of conversations: a counter for each reason of a refusal and for each type of
    /// message, in their order.
    #[must_use]
    pub fn conversations(
        &self,
        refusals: impl Iterator<Item = &'static str>,
        kinds: impl Iterator<Item = &'static str>,
    ) -> ConversationMeters {
        let all = &self.conversations;
        let refusal = |reason| all.refusals.get_or_create_owned(&[("reason", reason)]);
        let message = |kind| {
            let label = [("type", kind)];
            let (messages, bytes) = (&all.messages, &all.message_bytes);
            (messages.get_or_create_owned(&label), bytes.get_or_create_owned(&label))
        };
        ConversationMeters {
            opened: all.opened.clone(),
            joined: all.joined.clone(),
            rung: all.rung.clone(),
            undelivered: all.undelivered.clone(),
            overflows: all.overflows.clone(),
            refusals: refusals.map(refusal).collect(),
            messages: kinds.map(message).collect(),
        }
    }
}

impl Conversations {
    /// Names and help of them all.
    pub(super) fn name_all(&self, r: &mut Registry) {
        let all = self;
        r.register("msnd_rooms", "Conversations", all.rooms.clone());
        r.register("msnd_rooms_opened", "Conversations opened", all.opened.clone());
        r.register("msnd_calls", "Calls that reached somebody", all.rung.clone());
        r.register("msnd_room_joins", "Calls answered", all.joined.clone());
        r.register(
            "msnd_conversation_refusals",
            "Conversations, calls and answers refused, by reason",
            all.refusals.clone(),
        );
        r.register("msnd_messages", "Messages, by type", all.messages.clone());
        r.register("msnd_message_bytes", "Bytes of messages, by type", all.message_bytes.clone());
        r.register(
            "msnd_messages_undelivered",
            "Messages that nobody got, or not everybody (NAK)",
            all.undelivered.clone(),
        );
        r.register(
            "msnd_conversation_overflows",
            "Participants put out because they were too far behind",
            all.overflows.clone(),
        );
    }
}
