//! The rules of the game without sockets, clocks or databases: who is on which list, who may see
//! whom, what a name or an address is.

pub mod address;
pub mod alert;
pub mod dialect;
pub mod edit;
pub mod failures;
pub mod list;
pub mod mail;
pub mod name;
pub mod presence;
pub mod privacy;
pub mod property;
pub mod roster;
pub mod status;
pub mod subnet;

pub use address::Address;
pub use alert::{Alert, AlertId, Page};
pub use dialect::Dialect;
pub use edit::{Applied, Change, Edit, Refusal};
pub use list::{AccountId, GroupId, GroupSet, List, ListBits};
pub use mail::Mailbox;
pub use name::{Name, NameError};
pub use presence::Presence;
pub use privacy::{Circle, Privacy, Prompt};
pub use property::{Properties, PropertyKey};
pub use roster::{Contact, Group, Roster};
pub use status::Status;
