//! What cannot work about the welcome robot.

use super::{Complaints, SECS_MAX};
use crate::{
    config::{Bind, Config},
    model::{Address, Name},
};

/// Longest text of the robot, bytes: a handful of messages.
const TEXT_BYTES_MAX: usize = 8192;

pub(super) fn check(config: &Config, found: &mut Complaints) {
    let welcome = &config.welcome;
    if !welcome.address.is_empty() {
        if let Err(error) = Address::parse(&welcome.address) {
            let remedy = format!("{error}; write an address such as welcome@example.org");
            found.add("welcome.address", &welcome.address, remedy);
        }
        if config.notification.bind == Bind::Off || config.switchboard.bind == Bind::Off {
            let remedy = "the robot is to be seen and talked to, which takes notification.bind and \
                          switchboard.bind; give both an address, or leave this empty";
            found.add("welcome.address", &welcome.address, remedy);
        }
    }
    if !welcome.name.is_empty()
        && let Err(error) = Name::new(&welcome.name)
    {
        found.add("welcome.name", welcome.name.escape_debug(), format!("{error}; choose another"));
    }
    text("welcome.greeting", &welcome.greeting, found);
    text("welcome.help", &welcome.help, found);
    if welcome.help.trim().is_empty() {
        found.add("welcome.help", "", "a robot without a word helps nobody; write a line or two");
    }
    found.range("welcome.return_secs", welcome.return_secs, 1..=SECS_MAX);
}

fn text(key: &'static str, text: &str, found: &mut Complaints) {
    if text.len() > TEXT_BYTES_MAX {
        let remedy = format!("choose one of at most {TEXT_BYTES_MAX} bytes");
        found.add(key, format_args!("a text of {} bytes", text.len()), remedy);
    }
    if text.chars().any(|character| character.is_control() && !"\r\n\t".contains(character)) {
        let remedy = "clients show no control characters; use ends of lines and tabs only";
        found.add(key, "a text with control characters", remedy);
    }
}
