//! `msnd user export`: accounts with all that is theirs, as a fixture.

use super::{Backend, Failure, output};
use crate::{
    fixture::{self, FIXTURE_BYTES_MAX},
    model::{AccountId, Address, Roster},
    store::{Account, Store as _, StoreError},
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::{
    collections::{BTreeSet, HashSet},
    io::{self, Write as _},
    path::PathBuf,
};

const EXAMPLES: &str = "\
The file is the TOML fixture of `msnd run --ephemeral --fixture`, with Argon2id hashes in place of
passwords, and `msnd user import` reads it. It may be made while the server runs and shows one
moment.

Examples:
  msnd user export --out network.toml
  msnd user export alice@example.test bob@example.test --leave-out-others";

/// Write accounts with their lists, groups, settings and properties as a TOML file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// Whose accounts; without any, all
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<Address>,
    /// Write to this new file, readable by its owner only, and not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take people who are not exported themselves off the lists; without this they are an error
    #[arg(long)]
    leave_out_others: bool,
}

/// Does it.
pub(super) async fn run(args: &ExportArgs, backend: &Backend) -> Result<(), Failure> {
    let only = (!args.addresses.is_empty()).then_some(args.addresses.as_slice());
    if let Some(only) = only {
        for address in only {
            super::find(backend, address).await?;
        }
    }
    let mut exported = match backend.store.export(only).await {
        Err(StoreError::NotFound) => Err(anyhow!("an account was removed meanwhile; try again")),
        exported => exported.map_err(anyhow::Error::new),
    }?;
    let others = leave_out_others(&mut exported);
    if !others.is_empty() {
        let names = output::some(&others);
        if !args.leave_out_others {
            return Err(anyhow!(
                "on the lists, but not exported themselves: {names}; export them too, or take \
                 them off the exported lists with --leave-out-others"
            )
            .into());
        }
        warn(&format!("left out of the exported lists: {names}"))?;
    }
    let text = fixture::write(&exported);
    if text.len() as u64 > FIXTURE_BYTES_MAX {
        let text = "more than can be read again; copy the database with `msnd db backup`";
        return Err(anyhow!(text).into());
    }
    if output::write(args.out.as_deref(), &text)? {
        let count = output::counted(exported.len(), "account");
        let text = format!("wrote {count}, with password hashes: keep the file to yourself\n");
        output::print(&text)?;
    }
    Ok(())
}

/// Takes everybody off the lists who is not there as an account, and says who that was.
fn leave_out_others(exported: &mut [(Account, Roster)]) -> Vec<Address> {
    let inside: HashSet<AccountId> = exported.iter().map(|(account, _)| account.id).collect();
    let mut others = BTreeSet::new();
    for (_, roster) in exported {
        roster.contacts.retain(|contact| {
            let stays = inside.contains(&contact.id);
            if !stays {
                others.insert(contact.address.clone());
            }
            stays
        });
    }
    others.into_iter().collect()
}

/// On standard error, for the file may be on standard output.
fn warn(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stderr(), "msnd: {text}").context("cannot write to standard error")?)
}
