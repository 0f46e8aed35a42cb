//! `[welcome]`: the robot that the first users of a fresh server can talk to. Off unless it has an
//! address.

use serde::{Deserialize, Serialize};

/// `[welcome]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Welcome {
    /// The robot's account, made if it is missing. Empty: no robot.
    pub address: String,
    /// Its friendly name. Empty: whatever the account is called.
    pub name: String,
    /// What it says first of all in a conversation with one person. Empty: nothing.
    pub greeting: String,
    /// What it answers.
    pub help: String,
    /// Seconds after which it comes back when something has put it out.
    pub return_secs: u64,
}

impl Default for Welcome {
    fn default() -> Self {
        Self {
            address: String::new(),
            name: "Welcome".into(),
            greeting: "Hello! I am the robot of this server.".into(),
            help: "This is a server for MSN Messenger as it was from 2002 to 2004, run by msnd.\n\
                   To add somebody, choose \"Add a Contact\" and enter the address with which they \
                   sign in here. Once they have added you too, you see each other come and go, and \
                   a double click on a name begins a conversation.\n\
                   Say \"who am i\" for the address under which others can add you, or \"help\" for \
                   this text. I understand nothing else."
                .into(),
            return_secs: 60,
        }
    }
}
