//! `msnd user import`: makes the accounts of a fixture, all or none.

use super::{Backend, Failure, output};
use crate::{
    cli::{backend, fixture_file, run::lock},
    config::Config,
    fixture::{self, Credential, FixtureUser},
    model::{Address, ListBits, Name},
    store::{
        NewAccount, PasswordHash, Store as _,
        password::{Cost, HasherError, Password, PasswordHasher},
    },
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    io::{self, IsTerminal as _, Write as _},
    num::NonZero,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// How many passwords are hashed between two words about it.
const PROGRESS_EVERY: usize = 100;

const EXAMPLES: &str = "\
The file is what `msnd user export` writes, or a fixture written by hand. People on its lists must
be in the file or have accounts here. Everything is made in one transaction, or nothing. New
accounts can be made while the server runs; people who are signed in see them on their reverse lists
from their next sign-in on. To replace accounts, stop the server first.

Examples:
  msnd user import network.toml
  msnd user import network.toml --skip-existing";

/// Make the accounts of a TOML file, with their lists, groups, settings and properties
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// The file
    file: PathBuf,
    /// Give accounts that are here already what the file says, in place of all they have
    #[arg(long, conflicts_with = "skip_existing")]
    replace: bool,
    /// Leave accounts that are here already as they are; without either, they are an error
    #[arg(long)]
    skip_existing: bool,
}

/// Refuses a wrong file before a database is made for it. Where there is one, that is left to
/// [`run`], for people there may be on the file's lists.
pub(super) fn check(args: &ImportArgs, config: &Config) -> Result<(), Failure> {
    if config.database_file().exists() {
        return Ok(());
    }
    fixture_file::read(&args.file, backend::roster_limits(config), &HashMap::new()).map(drop)
}

/// Does it.
pub(super) async fn run(
    args: &ImportArgs,
    config: &Config,
    backend: &Backend,
) -> Result<(), Failure> {
    let here = backend.store.accounts().await.map_err(anyhow::Error::new)?;
    let here: HashMap<Address, Name> =
        here.into_iter().map(|account| (account.address, account.name)).collect();
    let mut users = fixture_file::read(&args.file, backend::roster_limits(config), &here)?;
    let existing: Vec<Address> =
        users.iter().map(|user| &user.address).filter(|a| here.contains_key(*a)).cloned().collect();
    if args.skip_existing {
        skip(&mut users, &existing);
    } else if !args.replace && !existing.is_empty() {
        return Err(anyhow!(
            "here already: {}; leave them as they are with --skip-existing, or give them what the \
             file says with --replace; nothing was imported",
            output::some(&existing)
        )
        .into());
    }
    // Held until all is done, so that no server starts meanwhile.
    let replaces = args.replace && !existing.is_empty();
    let _lock = match replaces {
        true => lock(config).map_err(|failure| match failure {
            Failure::DatabaseInUse { path } => Failure::DatabaseServed { path },
            other => other,
        })?,
        false => None,
    };
    let accounts = hashed(users)?;
    let count = accounts.len();
    let stored = match replaces {
        true => backend.store.replace_accounts(accounts).await,
        false => backend.store.create_accounts(accounts).await,
    };
    stored.context("nothing was imported")?;
    let mut text = format!("imported {}", output::counted(count, "account"));
    if !existing.is_empty() {
        let done = match args.replace {
            true => "of them in place of those that were here",
            false => "left as they were",
        };
        text += &format!(", {} {done}", existing.len());
    }
    output::print(&(text + "\n"))
}

/// Takes those who are here out of what is made. Nobody new can be on their forward lists, so the
/// reverse entries that the file has for that go too.
fn skip(users: &mut Vec<FixtureUser>, existing: &[Address]) {
    let existing: HashSet<&Address> = existing.iter().collect();
    users.retain(|user| !existing.contains(&user.address));
    for user in users {
        for contact in &mut user.contacts {
            if existing.contains(&contact.address) {
                contact.lists = contact.lists.without(ListBits::REVERSE);
            }
        }
        user.contacts.retain(|contact| contact.lists != ListBits::NONE);
    }
}

/// Hashes what is not hashed, at the cost of any other password and on all processors.
fn hashed(users: Vec<FixtureUser>) -> Result<Vec<NewAccount>, Failure> {
    let passwords = users.iter().filter_map(|user| match &user.credential {
        Credential::Password(password) => Some(password.clone()),
        Credential::Hash(_) => None,
    });
    let passwords: Vec<Password> = passwords.collect();
    let mut hashes = hash_all(&passwords).map_err(anyhow::Error::new)?.into_iter();
    let next = |_: &Password| hashes.next().context("a password was not hashed");
    Ok(fixture::into_new_accounts(users, next)?)
}

fn hash_all(passwords: &[Password]) -> Result<Vec<PasswordHash>, HasherError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(passwords.len());
    let hasher = PasswordHasher::new(Cost::Standard, 1, 1);
    let progress = Progress::new(passwords.len());
    let (next, hashes) = (AtomicUsize::new(0), Mutex::new(vec![None; passwords.len()]));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(password) = passwords.get(index) else { return };
            let hash = hasher.hash_now(password);
            if let Some(place) = hashes.lock().get_mut(index) {
                *place = Some(hash);
            }
            progress.one_more();
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    hashes.into_inner().into_iter().map(|hash| hash.unwrap_or(Err(HasherError::Failed))).collect()
}

/// Words on standard error for those who wait; none if it is over soon.
struct Progress {
    all: usize,
    done: Mutex<usize>,
    /// A line that is written over again and again.
    is_terminal: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { all, done: Mutex::new(0), is_terminal: io::stderr().is_terminal() }
    }

    fn one_more(&self) {
        // Locked while writing, so that the numbers rise.
        let mut done = self.done.lock();
        *done += 1;
        if self.all < PROGRESS_EVERY || (!done.is_multiple_of(PROGRESS_EVERY) && *done < self.all) {
            return;
        }
        let (start, end) = match self.is_terminal {
            true => ("\r", if *done == self.all { "\n" } else { "" }),
            false => ("", "\n"),
        };
        // Nobody is left to tell if standard error is closed.
        let _ = write!(io::stderr(), "{start}hashed {done} of {} passwords{end}", self.all);
    }
}
