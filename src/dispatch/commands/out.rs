//! `OUT` on the dispatch server: the client leaves.
//!
//! Syntax: `OUT`
//! Direction: client to DS (Kopete after the referral)
//! Replies: none, close
//! Errors: none
//! Source: reference README §2.1, transcript 01

use crate::session::{Reason, Reject};

pub(super) fn handle() -> Result<(), Reject> {
    Err(Reason::Out.into())
}
