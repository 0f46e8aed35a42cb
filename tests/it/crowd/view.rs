//! What a client knows from the lines it received, and the rules each line must keep. Knows no
//! socket and no other client.

use msnd::protocol::escape;
use std::collections::{BTreeMap, BTreeSet};

/// Somebody as shown by a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) status: String,
    pub(super) client_id: u32,
    pub(super) name: String,
}

/// What belongs to one connection.
#[derive(Debug, Default)]
pub(super) struct Presences {
    /// The first `CHG` has been answered.
    pub(super) is_present: bool,
    /// Who is visible.
    pub(super) seen: BTreeMap<String, Shown>,
    /// Transaction ids that an `ILN` may carry.
    pub(super) iln_trids: BTreeSet<String>,
}

impl Presences {
    /// `ILN`, `NLN` or `FLN`. `newest` holds the highest client id each person was ever shown with:
    /// every person counts up with every status.
    pub(super) fn hear(
        &mut self,
        words: &[&str],
        forward: &BTreeSet<&str>,
        newest: &mut BTreeMap<String, u32>,
    ) {
        assert!(self.is_present, "before the first CHG");
        let (address, shown) = match *words {
            ["FLN", address] => (address, None),
            ["NLN", status, address, name, client_id] => {
                (address, Some(shown(status, name, client_id)))
            }
            ["ILN", trid, status, address, name, client_id] => {
                assert!(self.iln_trids.contains(trid), "ILN out of the blue");
                assert!(!self.seen.contains_key(address), "ILN about somebody seen already");
                (address, Some(shown(status, name, client_id)))
            }
            _ => panic!("malformed"),
        };
        assert!(forward.contains(address), "somebody not on the forward list");
        let Some(shown) = shown else {
            assert!(self.seen.remove(address).is_some(), "gone, but was not there");
            return;
        };
        let newest = newest.entry(address.to_owned()).or_default();
        assert!(shown.client_id >= *newest, "older than what was shown before: {newest}");
        *newest = shown.client_id;
        let before = self.seen.insert(address.to_owned(), shown.clone());
        assert_ne!(before, Some(shown), "nothing new");
    }
}

fn shown(status: &str, name: &str, client_id: &str) -> Shown {
    assert!(!["HDN", "FLN"].contains(&status), "a status nobody shows");
    Shown {
        status: status.into(),
        client_id: client_id.parse().unwrap(),
        name: escape::decode(name.as_bytes()).unwrap(),
    }
}

/// What a client was told of the properties of others: each value that is set is a number higher
/// than all before.
#[derive(Debug, Default)]
pub(super) struct Properties(BTreeMap<(String, String), u32>);

impl Properties {
    /// A `BPR`, or a line of a `SYN` block that says the same.
    pub(super) fn hear(&mut self, user: &str, key: &str, value: Option<&str>) {
        match (key, value) {
            ("PHH" | "PHW" | "PHM", None) | ("MOB", Some("Y" | "N")) => {}
            ("PHH" | "PHW" | "PHM", Some(value)) => {
                let newest = self.0.entry((user.into(), key.into())).or_default();
                let value = value.parse().unwrap();
                assert!(value >= *newest, "older than what was told before: {newest}");
                *newest = value;
            }
            _ => panic!("nothing to tell"),
        }
    }
}
