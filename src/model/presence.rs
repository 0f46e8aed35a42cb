//! What a signed-in user shows of itself: status, capabilities, display picture.

use super::Status;
use bytes::Bytes;

/// Longest MSNObject in bytes as it stands on the wire; real ones reach about 1 kB.
pub const MSN_OBJECT_BYTES_MAX: usize = 4096;

/// One `CHG`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The chosen status.
    pub status: Status,
    /// The capability bits ("client id"), relayed unchanged.
    pub client_id: u32,
    /// The escaped MSNObject exactly as it came; never parsed.
    pub object: Option<Bytes>,
}

impl Presence {
    /// Whether others can see this user at all.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.status != Status::Hidden
    }
}
