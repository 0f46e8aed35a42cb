//! The rules of visibility (`presence-rules.md` §2 and §3) on nothing but sets.

use super::PEOPLE;
use msnd::{
    hub::Facts,
    model::{AccountId, Address, Privacy, Status},
};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

/// One account as the rules see it: nothing but sets.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) forward: BTreeSet<usize>,
    pub(super) allow: BTreeSet<usize>,
    pub(super) block: BTreeSet<usize>,
    pub(super) mode: Privacy,
    pub(super) version: u32,
    pub(super) name: String,
    /// Signed in; `Some(None)` before the first `CHG`.
    pub(super) session: Option<Option<Shown>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) client_id: u32,
    pub(super) object: Option<u8>,
}

/// The rules, word by word.
#[derive(Debug, Clone)]
pub(super) struct Model(pub(super) Vec<Account>);

impl Model {
    pub(super) fn allowed(&self, a: usize, b: usize) -> bool {
        let b = &self.0[b];
        !b.block.contains(&a) && (b.allow.contains(&a) || b.mode == Privacy::AllowOthers)
    }

    /// What `a` sees of `b`: the line, if anything.
    pub(super) fn seen(&self, a: usize, b: usize) -> Option<String> {
        let is_past_first_chg = matches!(self.0[a].session, Some(Some(_)));
        let shown = self.0[b].session.as_ref()?.as_ref()?;
        let visible = shown.status != Status::Hidden;
        let watches = self.0[a].forward.contains(&b);
        (is_past_first_chg && watches && self.allowed(a, b) && visible).then(|| {
            let object = shown.object.map_or(String::new(), |object| format!(" %3Cobj{object}%3E"));
            let name = &self.0[b].name;
            format!("{} {} {name} {}{object}", shown.status, address(b), shown.client_id)
        })
    }

    /// The implementation rule of §3: seers before and after.
    pub(super) fn lines(&self, after: &Self, to: usize, ilns: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for b in 0..PEOPLE {
            match (self.seen(to, b), after.seen(to, b)) {
                (Some(_), None) => lines.push(format!("FLN {}", address(b))),
                (None, Some(line)) if ilns => lines.push(format!("ILN {line}")),
                (None, Some(line)) => lines.push(format!("NLN {line}")),
                (Some(old), Some(new)) if old != new => lines.push(format!("NLN {new}")),
                _ => {}
            }
        }
        lines
    }
}

pub(super) fn address(who: usize) -> Address {
    Address::parse(&format!("user{who}@example.test")).unwrap()
}

pub(super) fn id(who: usize) -> AccountId {
    AccountId(who as u64 + 1)
}

/// Of no consequence to the rules.
pub(super) fn facts() -> Arc<Facts> {
    Arc::new(Facts {
        role: "notification",
        dialect: "MSNP9",
        client_version: None,
        peer: SocketAddr::from(([192, 0, 2, 1], 1024)),
        signed_in_at_secs: 0,
    })
}
