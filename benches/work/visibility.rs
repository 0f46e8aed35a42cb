//! Who may see whom.

use super::{Case, Round, fan_out::Crowd};
use msnd::{
    hub::SessionId,
    model::{AccountId, Applied, Change, Circle, Privacy},
};
use std::hint::black_box;

/// Judging watchers one by one, and all of somebody's anew after `BLP`.
pub(crate) const CASES: &[Case] = &[
    Case { name: "allows_with_10_entries", items: 20, set_up: || allows(10) },
    Case { name: "allows_with_100_entries", items: 200, set_up: || allows(100) },
    Case { name: "allows_with_600_entries", items: 1200, set_up: || allows(600) },
    Case { name: "BLP_with_10_watchers", items: 10, set_up: || privacy(10) },
    Case { name: "BLP_with_100_watchers", items: 100, set_up: || privacy(100) },
    Case { name: "BLP_with_600_watchers", items: 600, set_up: || privacy(600) },
];

/// A round judges as many people who are on the allow list as people who are not.
fn allows(entries: u64) -> Round {
    let allow = (0..entries).map(|n| AccountId(n * 2)).collect();
    let circle = Circle { allow, privacy: Privacy::BlockOthers, ..Circle::default() };
    Box::new(move || {
        for watcher in 0..entries * 2 {
            black_box(circle.allows(AccountId(watcher)));
        }
    })
}

/// A round is one `BLP`. Every second watcher is on the allow list; the others see the person go
/// and come back with the next.
fn privacy(watchers: u32) -> Round {
    let allow = (0..watchers).step_by(2).map(|n| AccountId(u64::from(n) + 2)).collect();
    let circle = Circle { allow, ..Circle::default() };
    let mut crowd = Crowd::gather(circle, watchers, watchers + 1);
    let (owner, mut version) = (AccountId(1), 1);
    Box::new(move || {
        version += 1;
        let is_even = version % 2 == 0;
        let privacy = if is_even { Privacy::BlockOthers } else { Privacy::AllowOthers };
        let change = Change::Privacy(privacy);
        let applied = Applied { owner, version, change };
        black_box(crowd.hub.apply(&applied, &crowd.watched, SessionId(1)));
        crowd.hear(watchers);
    })
}
