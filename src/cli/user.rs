//! `msnd user`: makes, lists, shows and changes accounts. Safe while a server runs on the same
//! database.

mod contacts;
mod export;
mod import;

use super::{
    ConfigArgs, Failure,
    backend::{Backend, block_on},
    output, password,
};
use crate::{
    config::Config,
    model::{Address, Contact, List, ListBits, Mailbox, Name, Roster},
    store::{Account, Store as _, StoreError},
};
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

const EXAMPLES: &str = "\
Passwords are asked for at a terminal, or read as one line from standard input; only their first
16 characters count, as with the clients of that time, and only printable ASCII is allowed. Every
change but `import --replace` may be made while the server runs, and holds from the next sign-in on.

Examples:
  msnd user add alice@example.test --name Alice
  echo \"$PASSWORD\" | msnd user add bob@example.test
  msnd user list --json
  msnd user export --out network.toml       # all accounts, to move them to another server
  msnd user import network.toml --data-dir /var/lib/msnd";

/// Make, list, show and change accounts
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an account; its password is asked for, or read from standard input
    Add {
        /// E-mail address by which the account signs in
        address: Address,
        /// Name that others see at first; without it, the address
        #[arg(long, value_parser = |text: &str| Name::new(text))]
        name: Option<Name>,
    },
    /// List all accounts
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show an account with its lists, groups, settings and properties
    Show {
        /// Whose
        address: Address,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Set a new password; tickets from the old one are worthless at once, a session that is signed
    /// in stays until it ends
    Passwd {
        /// Whose
        address: Address,
    },
    /// Let an account sign in no more; nothing of it is lost, and a running server ends its session
    /// within seconds
    Disable {
        /// Whose
        address: Address,
    },
    /// Let an account sign in again
    Enable {
        /// Whose
        address: Address,
    },
    /// Give an account an empty mailbox, or take it away; clients show mail buttons and news of
    /// mail only with one. Holds from the next sign-in on
    Mailbox {
        /// Whose
        address: Address,
        #[command(flatten)]
        switch: Switch,
    },
    /// Remove an account with its lists, and from everybody else's; asks first at a terminal
    Remove {
        /// Whose
        address: Address,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Contacts(contacts::ContactsArgs),
}

/// One of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Switch {
    /// Give it one; one that is there stays as it is
    #[arg(long)]
    on: bool,
    /// Take it away, with what it counted
    #[arg(long)]
    off: bool,
}

/// Does it.
pub(super) fn run(args: &UserArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    if let Action::Import(import) = &args.action {
        import::check(import, &config)?;
    }
    block_on(async {
        let create = matches!(args.action, Action::Add { .. } | Action::Import(_));
        let database = config.database_file();
        let is_new = create && !database.exists();
        let backend = Backend::open(&config, create).await?;
        if is_new {
            // In the wrong folder this would otherwise look like the account the server lacks.
            output::print(&format!(
                "made a new database, {}: start the server with the same data folder\n",
                database.display()
            ))?;
        }
        let outcome = act(&config, &backend, &args.action).await;
        backend.store.close().await;
        outcome
    })
}

async fn act(config: &Config, backend: &Backend, action: &Action) -> Result<(), Failure> {
    let Backend { store, accounts } = backend;
    match action {
        Action::Add { address, name } => {
            // Before anybody types a password for nothing.
            if store.account(address).await.is_ok() {
                let remedy = "`msnd user passwd` sets its password";
                return Err(anyhow!("there is an account {address} already; {remedy}").into());
            }
            let password = password::read(address.as_str())?;
            accounts
                .create(address.clone(), name.clone(), &password)
                .await
                .map_err(anyhow::Error::new)?;
            output::print(&format!("added {address}\n"))
        }
        Action::List { json } => {
            let all = store.accounts().await.map_err(anyhow::Error::new)?;
            list(&all, *json)
        }
        Action::Show { address, json } => {
            let account = find(backend, address).await?;
            let roster = store.roster(account.id).await.map_err(anyhow::Error::new)?;
            show(&account, &roster, *json)
        }
        Action::Passwd { address } => {
            find(backend, address).await?;
            let password = password::read(address.as_str())?;
            accounts.set_password(address, &password).await.map_err(anyhow::Error::new)?;
            output::print(&format!("{address} has a new password\n"))
        }
        Action::Disable { address } | Action::Enable { address } => {
            find(backend, address).await?;
            let enabled = matches!(action, Action::Enable { .. });
            accounts.set_enabled(address, enabled).await.map_err(anyhow::Error::new)?;
            let says = if enabled { "may sign in again" } else { "may sign in no more" };
            output::print(&format!("{address} {says}\n"))
        }
        Action::Mailbox { address, switch } => {
            find(backend, address).await?;
            store.set_mailbox(address, switch.on).await.map_err(anyhow::Error::new)?;
            let says = if switch.on { "has a mailbox" } else { "has no mailbox" };
            output::print(&format!("{address} {says}\n"))
        }
        Action::Remove { address, yes } => {
            find(backend, address).await?;
            if !yes && io::stdin().is_terminal() && !confirms(address)? {
                return Err(anyhow!("{address} was not removed").into());
            }
            accounts.remove(address).await.map_err(anyhow::Error::new)?;
            output::print(&format!("removed {address}\n"))
        }
        Action::Export(args) => export::run(args, backend).await,
        Action::Contacts(args) => contacts::run(args, backend).await,
        Action::Import(args) => import::run(args, config, backend).await,
    }
}

async fn find(backend: &Backend, address: &Address) -> Result<Account, Failure> {
    match backend.store.account(address).await {
        Err(StoreError::NotFound) => {
            Err(anyhow!("there is no account {address}; `msnd user list` shows all").into())
        }
        found => Ok(found.map_err(anyhow::Error::new)?),
    }
}

fn confirms(address: &Address) -> Result<bool, Failure> {
    let asked = write!(io::stderr(), "Remove {address} for good? [y/N] ")
        .and_then(|()| io::stderr().flush())
        .and_then(|()| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
    Ok(matches!(asked.context("cannot ask at the terminal")?.trim(), "y" | "Y" | "yes"))
}

fn list(all: &[Account], json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(&all.iter().map(summary).collect());
    }
    if all.is_empty() {
        return output::print("no accounts yet; `msnd user add ADDRESS` makes one\n");
    }
    let mut rows = vec![["ADDRESS", "NAME", "STATE", "CREATED (UTC)"].map(String::from)];
    rows.extend(all.iter().map(|account| {
        [
            account.address.to_string(),
            account.name.to_string(),
            state(account).into(),
            output::utc(account.created_at_secs),
        ]
    }));
    output::print(&output::table(&rows))
}

fn show(account: &Account, roster: &Roster, json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(&details(account, roster));
    }
    let mut facts = vec![
        ["address".into(), account.address.to_string()],
        ["name".into(), account.name.to_string()],
        ["state".into(), state(account).into()],
        ["created".into(), format!("{} UTC", output::utc(account.created_at_secs))],
        ["list version".into(), roster.version.to_string()],
        ["privacy (BLP)".into(), roster.privacy.code().into()],
        ["prompt (GTC)".into(), roster.prompt.code().into()],
    ];
    if let Some(Mailbox { inbox_unread, folders_unread }) = account.mailbox {
        let unread = format!("{inbox_unread} unread, {folders_unread} in other folders");
        facts.push(["mailbox".into(), unread]);
    }
    facts.extend(
        roster.properties.iter().map(|(key, value)| [format!("property {key}"), value.clone()]),
    );
    facts.extend(
        roster.groups.iter().map(|group| [format!("group {}", group.id), group.name.to_string()]),
    );
    let mut text = output::table(&facts);
    if !roster.contacts.is_empty() {
        let mut rows = vec![["CONTACT", "NAME", "LISTS", "GROUPS"].map(String::from)];
        rows.extend(roster.contacts.iter().map(|contact| {
            let groups: Vec<String> =
                contact.groups.iter().map(|group| group.to_string()).collect();
            [
                contact.address.to_string(),
                contact.name.to_string(),
                lists(contact).join(" "),
                groups.join(" "),
            ]
        }));
        text = format!("{text}\n{}", output::table(&rows));
    }
    output::print(&text)
}

fn summary(account: &Account) -> serde_json::Value {
    json!({
        "id": account.id.0,
        "address": account.address.as_str(),
        "name": account.name.as_str(),
        "enabled": account.enabled,
        "created_at_secs": account.created_at_secs,
        "list_version": account.list_version,
    })
}

fn details(account: &Account, roster: &Roster) -> serde_json::Value {
    let properties: serde_json::Map<_, _> =
        roster.properties.iter().map(|(key, value)| (key.code().into(), json!(value))).collect();
    let groups = roster
        .groups
        .iter()
        .map(|group| json!({ "id": group.id.get(), "name": group.name.as_str() }));
    let contacts = roster.contacts.iter().map(|contact| {
        let groups: Vec<u8> = contact.groups.iter().map(|group| group.get()).collect();
        json!({
            "address": contact.address.as_str(),
            "name": contact.name.as_str(),
            "lists": lists(contact),
            "groups": groups,
        })
    });
    let mut all = summary(account);
    all["list_version"] = roster.version.into();
    all["privacy"] = roster.privacy.code().into();
    all["prompt"] = roster.prompt.code().into();
    all["mailbox"] = account.mailbox.map_or(serde_json::Value::Null, |mailbox| {
        json!({ "unread": mailbox.inbox_unread, "folders_unread": mailbox.folders_unread })
    });
    all["properties"] = properties.into();
    all["groups"] = groups.collect();
    all["contacts"] = contacts.collect();
    all
}

fn lists(contact: &Contact) -> Vec<&'static str> {
    let named = [List::Forward, List::Allow, List::Block].map(|list| (list.bit(), list.code()));
    let all = named.into_iter().chain([(ListBits::REVERSE, "RL")]);
    all.filter(|(bit, _)| contact.lists.has(*bit)).map(|(_, code)| code).collect()
}

const fn state(account: &Account) -> &'static str {
    if account.enabled { "enabled" } else { "disabled" }
}
