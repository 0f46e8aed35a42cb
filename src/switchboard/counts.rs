//! Numbers for operators: how many conversations, how much is said, what is refused. Never who and
//! never what.

use super::{message::Kind, room::Delivery};
use crate::metrics::{ConversationMeters, Metrics};

/// What has happened since the start. Each number only rises.
#[derive(Debug)]
pub struct Counts(ConversationMeters);

/// Why somebody got no conversation, or did not reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the labels say it")]
pub enum Refusal {
    BadCookie,
    NoRoom,
    Malformed,
    AlreadyThere,
    Unreachable,
    NotAllowed,
    TooActive,
    Failed,
}

impl Refusal {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::BadCookie,
        Self::NoRoom,
        Self::Malformed,
        Self::AlreadyThere,
        Self::Unreachable,
        Self::NotAllowed,
        Self::TooActive,
        Self::Failed,
    ];

    /// A word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadCookie => "bad_cookie",
            Self::NoRoom => "no_room",
            Self::Malformed => "malformed",
            Self::AlreadyThere => "already_there",
            Self::Unreachable => "unreachable",
            Self::NotAllowed => "not_allowed",
            Self::TooActive => "too_active",
            Self::Failed => "failed",
        }
    }
}

impl Counts {
    /// Counters of `metrics`.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let refusals = Refusal::ALL.into_iter().map(Refusal::label);
        Self(metrics.conversations(refusals, Kind::ALL.into_iter().map(Kind::code)))
    }

    pub(super) fn opened(&self) {
        self.0.opened.inc();
    }

    /// A call was answered.
    pub fn joined(&self) {
        self.0.joined.inc();
    }

    pub(super) fn rung(&self) {
        self.0.rung.inc();
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.0.refused(refusal as usize);
    }

    /// So many participants were too far behind, and are out.
    pub(super) fn overflowed(&self, overflows: usize) {
        if overflows > 0 {
            self.0.overflows.inc_by(overflows as u64);
        }
    }

    /// So many messages of one kind with so many bytes in all, and what became of them.
    pub fn said(&self, kind: Kind, count: usize, bytes: usize, delivery: Delivery) {
        self.0.said(kind.index(), count as u64, bytes as u64);
        if !delivery.is_delivered {
            self.0.undelivered.inc_by(count as u64);
        }
        self.overflowed(delivery.overflows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Standing;

    #[test]
    fn everything_is_counted_under_its_own_label() {
        let metrics = Metrics::default();
        let counts = Counts::new(&metrics);
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.refused(refusal));
        }
        let delivery =
            |is_delivered, overflows| Delivery { is_delivered, overflows, is_ahead: false };
        counts.said(Kind::Data, 1, 1300, delivery(true, 0));
        counts.said(Kind::Data, 1, 200, delivery(false, 2));
        counts.said(Kind::Negative, 1, 7, delivery(false, 0));
        counts.said(Kind::Answered, 2, 11, delivery(true, 0));
        let text = metrics.render(Standing::default()).unwrap();
        let has = |line: String| assert!(text.contains(&format!("{line}\n")), "{line}: {text}");
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            let name = "msnd_conversation_refusals_total";
            has(format!("{name}{{reason=\"{}\"}} {}", refusal.label(), index + 1));
        }
        has("msnd_messages_total{type=\"D\"} 2".into());
        has("msnd_message_bytes_total{type=\"D\"} 1500".into());
        has("msnd_message_bytes_total{type=\"N\"} 7".into());
        has("msnd_messages_total{type=\"A\"} 2".into());
        has("msnd_message_bytes_total{type=\"A\"} 11".into());
        has("msnd_messages_undelivered_total 2".into());
        has("msnd_conversation_overflows_total 2".into());
    }
}
