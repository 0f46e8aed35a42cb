//! What DS, NS and SB connections have in common: the loop, the command table, the way out.

pub mod advertised;
pub mod command;
pub mod commands;
pub mod meters;
pub mod outbox;
mod rare;
mod read;
pub mod reject;
pub mod run;
pub mod trace;
pub mod turn;

pub use command::{Call, Role, Row, Stage, Stages};
pub use meters::meters;
pub use outbox::Outbox;
pub use reject::{Reason, Reject};
pub use run::{SessionLimits, run};
