//! How cost grows with sessions and contacts: memory and processor time of a session, and a change
//! of status before that many watchers. One round, one table; nothing is judged.

use super::{
    idle::{self, CIRCLE},
    repeat,
};
use crate::{
    accounts::{Account, Accounts},
    client::{self, CLIENT_ID, passport},
    crowd::{self, Crowd},
    options::Options,
    report::{Goal, Row},
    seed,
    target::Target,
};
use anyhow::{Context as _, ensure};
use std::{path::Path, sync::Arc};

const SESSIONS: [usize; 3] = [1000, 5000, SESSIONS_MAX];
const SESSIONS_MAX: usize = 15_000;
const CONTACTS: [usize; 3] = [10, 100, CONTACTS_MAX];
const CONTACTS_MAX: usize = 600;

/// What of it is a row, and its unit.
type Measure = (&'static str, fn(&Figures) -> f64);

/// What one cell of the table says.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Resident memory for a session.
    bytes: f64,
    /// The server's processor for a sign-in and what it causes.
    sign_in_micros: f64,
    /// Until all watchers have a change of status.
    turn_micros: f64,
    /// The server's processor for that.
    turn_cpu_micros: f64,
}

/// For the largest case.
pub(super) fn most_accounts() -> Accounts {
    accounts(CONTACTS_MAX)
}

fn accounts(contacts: usize) -> Accounts {
    Accounts::circles(SESSIONS_MAX, CIRCLE, contacts)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    ensure!(options.server.is_none(), "memory can be read of a server that is started here only");
    let mut cells = Vec::new();
    for contacts in CONTACTS {
        let cases = SESSIONS.map(|sessions| (sessions, format!("{sessions} × {contacts}")));
        if !cases.iter().any(|(_, case)| options.wants(case)) {
            continue;
        }
        // Circle by circle, each a transaction of its own: nine million entries in bounded space.
        let accounts = accounts(contacts);
        let folder = seed::folder(&accounts).await?;
        for (sessions, case) in cases.into_iter().filter(|(_, case)| options.wants(case)) {
            let figures = measure(folder.path(), &accounts, sessions, options).await?;
            eprintln!("{case}: {figures:?}");
            cells.push((case, figures));
        }
    }
    if !options.json {
        print_table(&cells);
    }
    let (first_case, first) = cells.first().context("no such case")?.clone();
    eprintln!("ratios below: to {first_case}");
    let measures: [Measure; 4] = [
        ("bytes/session", |figures| figures.bytes),
        ("processor µs/sign-in", |figures| figures.sign_in_micros),
        ("µs/turn", |figures| figures.turn_micros),
        ("processor µs/turn", |figures| figures.turn_cpu_micros),
    ];
    let row = |(case, figures): &(String, Figures)| {
        measures.map(|(measure, of)| {
            let values = [(of(figures), of(&first))];
            Row::compare(case, measure, "the first case", &values, Goal::None)
        })
    };
    Ok(cells.iter().flat_map(row).collect())
}

/// Account 0 comes last, and then changes its status.
async fn measure(
    folder: &Path,
    accounts: &Accounts,
    sessions: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let target = Arc::new(Target::on_folder(folder, options, &[]).await?);
    crowd::pass_through(&target, &idle::visitors(accounts)).await?;
    let before = idle::memory(&target)?;
    let people = accounts.0.get(..sessions).context("there are fewer accounts")?;
    let (changer, crowd_of) = people.split_first().context("nobody is there")?;
    let watchers = changer.forward.len();
    // All have each other, and nobody is there yet whom account 0 has.
    let crowd = Crowd::gather(&target, crowd_of, idle::sights(crowd_of) - watchers).await?;
    let memory = idle::memory(&target)? - before;
    crowd.board.begin(watchers);
    let tickets = passport::tickets(&target, &Arc::new(vec![changer.clone()])).await?;
    let ticket = tickets.first().context("no ticket")?;
    let mut wire = client::sign_in(&target, changer, ticket).await?;
    crowd.board.finished().await?;
    let Account { address, name, .. } = changer;
    let turn = async || {
        let turn = crowd.board.begin(watchers);
        let (status, client_id) = (["BSY", "AWY"][turn as usize % 2], CLIENT_ID + turn);
        *crowd.expected.lock() = format!("NLN {status} {address} {name} {client_id}").into_bytes();
        let line = format!("CHG 7 {status} {client_id}");
        wire.send(format!("{line}\r\n").as_bytes()).await?;
        crowd.board.finished().await?;
        wire.line(&line).await?;
        Ok(1)
    };
    let turns = repeat(&target, options, turn).await?;
    let count = crowd_of.len() as f64;
    let figures = Figures {
        bytes: memory as f64 / count,
        sign_in_micros: crowd.cpu.as_secs_f64() * 1e6 / count,
        turn_micros: 1e6 / turns.rate(),
        turn_cpu_micros: turns.cpu_micros(),
    };
    drop(crowd);
    idle::end(target).await?;
    Ok(figures)
}

/// In the form of ARCHITECTURE.md.
fn print_table(cells: &[(String, Figures)]) {
    println!("\n| sessions × contacts | bytes/session | µs/sign-in | µs/turn | of it processor |");
    println!("|---|---|---|---|---|");
    for (case, Figures { bytes, sign_in_micros, turn_micros, turn_cpu_micros }) in cells {
        println!(
            "| {case} | {bytes:.0} | {sign_in_micros:.0} | {turn_micros:.0} | {turn_cpu_micros:.0} |"
        );
    }
}
