//! What a request to the gateway asks for, read from the query of its target (reference
//! `http-services.md` §6.1). Knows no session.

use std::{str, time::Duration};

/// Longest session id that is looked up, in bytes; ours are shorter.
const ID_BYTES_MAX: usize = 32;
/// Longest time a poll is held.
const LIFESPAN_MAX: Duration = Duration::from_secs(30);

/// Which role a session is opened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The notification role.
    Notification,
    /// The switchboard role.
    Switchboard,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action<'a> {
    /// A new session.
    Open(Server),
    /// The body is for this session.
    Data(&'a str),
    /// What has this session to say, within so long?
    Poll(&'a str, Duration),
}

/// Reads a query; keys, and words in place of values, in any case and order. `None` if it asks for
/// nothing we do. `IP`, which names a server to connect to, is passed over: nobody is connected to.
pub(super) fn parse(query: &[u8]) -> Option<Action<'_>> {
    let query = str::from_utf8(query).ok()?;
    let value = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    };
    let session = value("SessionID").filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    match value("Action") {
        None => session.map(Action::Data),
        Some(action) if action.eq_ignore_ascii_case("poll") => {
            let secs = value("Lifespan").and_then(|secs| secs.parse().ok()).unwrap_or(0);
            Some(Action::Poll(session?, Duration::from_secs(secs).min(LIFESPAN_MAX)))
        }
        Some(action) if action.eq_ignore_ascii_case("open") => match value("Server")? {
            server if server.eq_ignore_ascii_case("NS") => Some(Action::Open(Server::Notification)),
            server if server.eq_ignore_ascii_case("SB") => Some(Action::Open(Server::Switchboard)),
            _ => None,
        },
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries_are_read_in_any_order_and_case() {
        let none = Duration::ZERO;
        for (query, action) in [
            (
                "Action=open&Server=NS&IP=messenger.hotmail.com",
                Some(Action::Open(Server::Notification)),
            ),
            ("ip=1.2.3.4&SERVER=sb&ACTION=OPEN", Some(Action::Open(Server::Switchboard))),
            ("SessionID=730118254.90417", Some(Action::Data("730118254.90417"))),
            ("sessionid=1.2&x", Some(Action::Data("1.2"))),
            ("SessionID=1.2&Action=poll", Some(Action::Poll("1.2", none))),
            ("Action=poll&SessionID=1.2&Lifespan=3", {
                Some(Action::Poll("1.2", Duration::from_secs(3)))
            }),
            ("Action=poll&SessionID=1.2&Lifespan=3600", Some(Action::Poll("1.2", LIFESPAN_MAX))),
            ("Action=poll&SessionID=1.2&Lifespan=-1", Some(Action::Poll("1.2", none))),
            ("Action=poll", None),
            ("Action=close&SessionID=1.2", None),
            ("Action=open&Server=DS", None),
            ("Action=open", None),
            ("Action=&SessionID=1.2", None),
            ("SessionID=", None),
            ("", None),
            ("Server=NS", None),
        ] {
            assert_eq!(parse(query.as_bytes()), action, "{query}");
        }
        assert_eq!(parse(format!("SessionID={}", "1".repeat(33)).as_bytes()), None);
        assert_eq!(parse(b"SessionID=\xff"), None);
    }

    proptest! {
        #[test]
        fn no_query_panics(query in prop::collection::vec(any::<u8>(), 0..100)) {
            parse(&query);
        }
    }
}
