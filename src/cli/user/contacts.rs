//! `msnd user contacts`: one person's contacts as the file that MSN Messenger saves and reads.

use super::{Backend, Failure, output};
use crate::{
    ctt::{self, CTT_BYTES_MAX},
    model::{AccountId, Address, Edit, List, ListBits, Name, Refusal},
    store::{EditError, Store as _, StoreError},
};
use clap::{Args, Subcommand};
use std::{
    collections::HashSet,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
The file (.ctt) is what MSN Messenger's \"Save contact list\" writes and its \"Import contacts from a
saved file\" reads: addresses only, without names or groups.

Examples:
  msnd user contacts export alice@example.test --out alice.ctt
  msnd user contacts import alice@example.test alice.ctt";

/// Write or read the contacts of one account as a file of the official client
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ContactsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the forward list as a contact list file
    Export {
        /// Whose
        address: Address,
        /// Write to this new file, and not to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Put the people of a contact list file who have accounts here on the forward and allow list;
    /// nobody is unblocked. Do it while the person is signed out: a client that is signed in does
    /// not hear of it, and may take its old list for the new one later
    Import {
        /// Whose
        address: Address,
        /// The file
        file: PathBuf,
    },
}

/// Does it.
pub(super) async fn run(args: &ContactsArgs, backend: &Backend) -> Result<(), Failure> {
    match &args.action {
        Action::Export { address, out } => {
            let account = super::find(backend, address).await?;
            let roster = backend.store.roster(account.id).await.map_err(anyhow::Error::new)?;
            let forward: Vec<&str> = roster
                .contacts
                .iter()
                .filter(|contact| contact.lists.has(ListBits::FORWARD))
                .map(|contact| contact.address.as_str())
                .collect();
            let count = output::counted(forward.len(), "contact");
            if output::write(out.as_deref(), &ctt::write(forward))? {
                output::print(&format!("wrote {count}\n"))?;
            }
            Ok(())
        }
        Action::Import { address, file } => {
            let account = super::find(backend, address).await?;
            let contacts = read(file)?;
            import(backend, account.id, address, contacts).await
        }
    }
}

fn read(path: &Path) -> Result<Vec<String>, Failure> {
    let refuse = |text: String| Failure::File { path: path.into(), text };
    let unreadable = |error| refuse(format!("cannot be read ({error}); name an existing file"));
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    let file = File::open(path).map_err(unreadable)?;
    file.take(CTT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    ctt::read(&bytes).map_err(|error| refuse(error.to_string()))
}

/// What became of somebody in the file.
enum Fate {
    /// With a remark.
    Added(&'static str),
    /// With a remark.
    There(&'static str),
    NoAccount,
    Refused(String),
}

async fn import(
    backend: &Backend,
    owner: AccountId,
    own: &Address,
    contacts: Vec<String>,
) -> Result<(), Failure> {
    let (mut report, mut seen) = (String::new(), HashSet::new());
    let [mut added, mut there, mut strangers, mut refused] = [0; 4];
    for text in contacts {
        let (shown, fate) = match Address::parse(&text) {
            Ok(address) if !seen.insert(address.clone()) => continue,
            Ok(address) if address == *own => {
                (own.to_string(), Fate::Refused("is the account itself".to_owned()))
            }
            Ok(address) => (address.to_string(), add(backend, owner, address).await?),
            // Escaped: it goes to a terminal.
            Err(error) => (format!("{text:?}"), Fate::Refused(format!("no address: {error}"))),
        };
        let (count, says) = match fate {
            Fate::Added(remark) => (&mut added, format!("added{remark}")),
            Fate::There(remark) => (&mut there, format!("there already{remark}")),
            Fate::NoAccount => (&mut strangers, "has no account here".to_owned()),
            Fate::Refused(reason) => (&mut refused, format!("refused: {reason}")),
        };
        *count += 1;
        report += &format!("{shown}: {says}\n");
    }
    report += &format!(
        "{added} added, {there} there already, {strangers} without an account here, {refused} \
         refused\n"
    );
    if added > 0 {
        report += &format!("{own} sees them from the next sign-in on\n");
    }
    output::print(&report)
}

/// Onto the forward list and, if that goes, the allow list.
async fn add(backend: &Backend, owner: AccountId, address: Address) -> Result<Fate, Failure> {
    let name = match backend.store.account(&address).await {
        Ok(account) => account.name,
        Err(StoreError::NotFound) => return Ok(Fate::NoAccount),
        Err(error) => return Err(anyhow::Error::new(error).into()),
    };
    let is_new = match put(backend, owner, List::Forward, &address, &name).await? {
        Ok(()) => true,
        Err(Refusal::AlreadyThere) => false,
        Err(Refusal::NoSuchUser) => return Ok(Fate::NoAccount),
        Err(refusal) => return Ok(Fate::Refused(format!("forward list: {refusal}"))),
    };
    let remark = match put(backend, owner, List::Allow, &address, &name).await? {
        Ok(()) => return Ok(Fate::Added("")),
        Err(Refusal::AlreadyThere) => "",
        Err(Refusal::OnOppositeList) => ", but blocked, and stays so",
        Err(Refusal::ListFull) => ", but not allowed: allow and block list are full",
        Err(refusal) => return Ok(Fate::Refused(format!("allow list: {refusal}"))),
    };
    Ok(if is_new { Fate::Added(remark) } else { Fate::There(remark) })
}

async fn put(
    backend: &Backend,
    owner: AccountId,
    list: List,
    contact: &Address,
    name: &Name,
) -> Result<Result<(), Refusal>, Failure> {
    let edit = Edit::Add { list, contact: contact.clone(), name: name.clone(), group: None };
    // Nobody in this process is to be told.
    match backend.store.edit(owner, edit, Box::new(|_| {})).await {
        Ok(_) => Ok(Ok(())),
        Err(EditError::Refused(refusal)) => Ok(Err(refusal)),
        Err(EditError::Store(error)) => {
            Err(anyhow::Error::new(error).context("the rest of the file was not imported").into())
        }
    }
}
