//! `sb joined`: brings people into a conversation as they would come themselves, off stage.

use super::{Connection, Stage};
use crate::support::Client;
use msnd::server::Role;

/// A conversation of `joined`.
#[derive(Default)]
pub(super) struct Room {
    /// Its real number, once somebody has been called into it.
    number: Option<String>,
    /// The connections in it, in joining order.
    members: Vec<String>,
}

impl Stage {
    /// Opens the conversation, or has the first who is still in it call the user.
    pub(super) fn join(&mut self, room: &str, user: &str) {
        let mut client = Client::connect(self.server.address(Role::Switchboard));
        let Room { mut number, mut members } = self.rooms.remove(room).unwrap_or_default();
        members.retain(|member| self.connections.get(member).is_some_and(|found| found.is_open));
        if let Some(host) = members.first() {
            self.session_of(user);
            let host = &mut self.connections.get_mut(host).unwrap().client;
            host.send(&format!("CAL 0 {user}"));
            let line = host.line();
            let called = line.strip_prefix("CAL 0 RINGING ").unwrap_or_else(|| panic!("{line}"));
            number = Some(called.into());
            let ring = self.session_of(user).line_but_challenge();
            let words: Vec<_> = ring.split(' ').collect();
            assert_eq!((words[0], words[1]), ("RNG", called), "{ring}");
            client.send(&format!("ANS 0 {user} {} {called}", words[4]));
            for _ in &members {
                assert!(client.line().starts_with("IRO 0 "));
            }
            client.expect("ANS 0 OK");
            for member in &members {
                let line = self.connections.get_mut(member).unwrap().client.line();
                assert!(line.starts_with(&format!("JOI {user} ")), "{line}");
            }
        } else {
            let session = self.session_of(user);
            session.send("XFR 0 SB");
            let line = session.line_but_challenge();
            let cookie = line.rsplit(' ').next().unwrap();
            client.send(&format!("USR 0 {user} {cookie}"));
            let line = client.line();
            assert!(line.starts_with(&format!("USR 0 OK {user} ")), "{line}");
        }
        if let Some(chosen) = self.chosen.get_mut(room) {
            chosen.clone_from(&number);
        }
        members.push(self.current.clone());
        self.rooms.insert(room.into(), Room { number, members });
        let (role, user) = (Role::Switchboard, Some(user.to_owned()));
        self.enter(Connection { client, role, user, is_signed_in: true, is_open: true });
    }

    /// The notification session of somebody who comes or is called.
    fn session_of(&mut self, user: &str) -> &mut Client {
        let is_session = |found: &&mut Connection| {
            found.role == Role::Notification && found.is_open && found.user.as_deref() == Some(user)
        };
        if let Some(found) = self.connections.values_mut().find(is_session) {
            return &mut found.client;
        }
        let server = &self.server;
        let appear = || Client::present(server, "MSNP9", user, "NLN 0");
        self.offstage.entry(user.into()).or_insert_with(appear)
    }
}

/// Every line that has come and was not read: they come before the answer to a call of nobody.
pub(super) fn unread(client: &mut Client) -> Vec<String> {
    client.send("CAL 4294967295 nobody");
    let mut lines = Vec::new();
    loop {
        let line = client.line();
        if line == "208 4294967295" {
            return lines;
        }
        if line.starts_with("MSG ") {
            client.payload(line.rsplit(' ').next().unwrap().parse().unwrap());
        }
        lines.push(line);
    }
}
