//! Messages of one participant that came together: they are told the others together, and then
//! their receipts are written. Knows no connection.

use super::{
    counts::Counts,
    message::Kind,
    queue::{ENTRY_BYTES, FAIR_SHARE_BYTES},
    rooms::Seat,
};
use crate::{protocol::TrId, session::Outbox};
use std::{fmt, mem};
use tokio::time::Instant;

/// What messages of one speech count at most, and one message more: whoever has only a fair share
/// has room for them.
const BYTES_MAX: usize = FAIR_SHARE_BYTES / 2;

/// Messages of one kind that are not delivered yet.
#[derive(Default)]
pub(super) struct Speech {
    kind: Kind,
    /// Of the first message: mostly there is no other, and no need for a list.
    first: Option<TrId>,
    /// Of those that follow.
    others: Vec<TrId>,
    payload_bytes: usize,
    /// What the others hear: all messages but empty ones.
    lines: Vec<u8>,
    line_count: usize,
}

/// Shows sizes only.
impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, bytes) = (self.len(), self.lines.len());
        f.debug_struct("Speech")
            .field("messages", &messages)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Speech {
    /// Whether one more message can be [added](Self::add), and be of this kind.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        let counted = self.lines.len() + self.len() * ENTRY_BYTES;
        self.len() == 0 || self.kind == kind && counted < BYTES_MAX
    }

    const fn len(&self) -> usize {
        self.first.is_some() as usize + self.others.len()
    }

    /// Adds a message that `seat` says. Of what came with it `behind` bytes are yet to be carried
    /// out, most likely more of the same.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        trid: TrId,
        seat: &Seat,
        payload: &[u8],
        behind: usize,
    ) {
        self.kind = kind;
        match self.first {
            None => self.first = Some(trid),
            Some(_) => self.others.push(trid),
        }
        self.payload_bytes += payload.len();
        let Some(said) = seat.said(payload) else { return };
        if self.lines.capacity() == 0 {
            let alike = said.len() * (1 + behind / payload.len());
            self.lines.reserve_exact(alike.min(BYTES_MAX + said.len()));
        }
        said.write(&mut self.lines);
        self.line_count += 1;
    }

    /// Delivers all messages, and sends the receipts that their kind has. Returns whether the
    /// sender should wait.
    pub(super) fn deliver(
        &mut self,
        seat: &Seat,
        now: Instant,
        counts: &Counts,
        outbox: &mut Outbox,
    ) -> bool {
        let count = self.len();
        if count == 0 {
            return false;
        }
        let mut lines = mem::take(&mut self.lines);
        // Less came than seemed likely. What is told keeps little more in memory than itself.
        if lines.capacity() > 2 * lines.len() {
            lines.shrink_to_fit();
        }
        let delivery = seat.tell(lines.into(), mem::take(&mut self.line_count), now);
        counts.said(self.kind, count, mem::take(&mut self.payload_bytes), delivery);
        let others = mem::take(&mut self.others);
        for trid in self.first.take().into_iter().chain(others) {
            if let Some(receipt) = self.kind.receipt(trid, delivery.is_delivered) {
                outbox.send(&receipt);
            }
        }
        delivery.is_ahead
    }
}
