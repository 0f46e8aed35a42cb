//! The commands of the dispatch role: one row each.

mod out;
mod usr;

use super::Dispatch;
use crate::session::{
    Row, Stages,
    command::Run,
    commands::{cvr, ver},
};

pub(super) const ROWS: &[Row<Dispatch>] = &[
    Row::new(
        "VER",
        Stages::Any,
        (1, 64),
        Run::Now(|ds, call, outbox| {
            let form = ds.context.config.notification.ver_reply;
            ver::handle(&mut ds.greeting, form, call, outbox)
        }),
        "choose a dialect",
    ),
    Row::new(
        "CVR",
        Stages::Any,
        (0, 16),
        Run::Now(|ds, call, outbox| {
            cvr::handle(ds.greeting, &ds.context.config.notification, call, outbox)
        }),
        "tell the client's version",
    ),
    Row::new(
        "CVQ",
        Stages::Any,
        (0, 16),
        Run::Now(|ds, call, outbox| {
            cvr::handle(ds.greeting, &ds.context.config.notification, call, outbox)
        }),
        "tell the client's version, update check form",
    ),
    Row::new("USR", Stages::Any, (3, 3), Run::Now(usr::handle), "ask for a notification server"),
    Row::new("OUT", Stages::Any, (0, 8), Run::Now(|_, _, _| out::handle()), "leave").without_trid(),
];
