//! Who signs in: made for a scenario, or read from a fixture. Numbers are places in the list.

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use std::{collections::HashMap, fmt::Write as _, path::Path};

/// Somebody with an account, and whom they watch.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) forward: Vec<usize>,
}

/// All accounts of a run.
#[derive(Debug, Clone)]
pub(crate) struct Accounts(pub(crate) Vec<Account>);

impl Accounts {
    /// So many that know nobody.
    pub(crate) fn strangers(count: usize) -> Self {
        let account = |number| Account {
            address: format!("user{number:05}@load.test"),
            name: format!("user{number:05}"),
            password: "secret".to_owned(),
            forward: Vec::new(),
        };
        Self((0..count).map(account).collect())
    }

    /// The first `watched` are on the lists of `watchers` others.
    pub(crate) fn audience(watched: usize, watchers: usize) -> Self {
        let mut accounts = Self::strangers(watched + watchers);
        for account in accounts.0.iter_mut().skip(watched) {
            account.forward = (0..watched).collect();
        }
        accounts
    }

    /// Everybody has so many contacts, an even number, all mutual.
    pub(crate) fn circle(count: usize, contacts: usize) -> Self {
        let mut accounts = Self::strangers(count);
        for (number, account) in accounts.0.iter_mut().enumerate() {
            let steps = 1..=contacts / 2;
            account.forward = steps
                .flat_map(|step| [(number + step) % count, (number + count - step) % count])
                .collect();
        }
        accounts
    }

    /// Reads a fixture of msnd: addresses, passwords and forward lists of it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let Fixture { user: users } =
            toml::from_str(&text).with_context(|| format!("{shown} is no fixture"))?;
        let numbers: HashMap<_, _> =
            users.iter().enumerate().map(|(number, user)| (user.email.clone(), number)).collect();
        let account = |user: User| {
            let password = user.password.ok_or_else(|| {
                anyhow!("{shown}: {} has no password that could be sent", user.email)
            })?;
            let forward = user.forward.iter().filter_map(|listed| numbers.get(listed.address()));
            Ok(Account {
                forward: forward.copied().collect(),
                name: user.name.unwrap_or_else(|| user.email.clone()),
                address: user.email,
                password,
            })
        };
        users.into_iter().map(account).collect::<anyhow::Result<_>>().map(Self)
    }

    /// As a fixture of msnd.
    pub(crate) fn to_toml(&self) -> String {
        let mut toml = String::new();
        for Account { address, name, password, forward } in &self.0 {
            let listed: Vec<_> =
                forward.iter().filter_map(|contact| self.0.get(*contact)).collect();
            writeln!(toml, "[[user]]\nemail = {address:?}\nname = {name:?}").unwrap();
            writeln!(toml, "password = {password:?}").unwrap();
            let listed: Vec<_> = listed.iter().map(|account| &account.address).collect();
            writeln!(toml, "forward = {listed:?}\n").unwrap();
        }
        toml
    }

    /// Who watches whom, by who is watched.
    pub(crate) fn watchers(&self) -> Vec<Vec<usize>> {
        let mut watchers = vec![Vec::new(); self.0.len()];
        for (number, account) in self.0.iter().enumerate() {
            for contact in &account.forward {
                if let Some(watchers) = watchers.get_mut(*contact) {
                    watchers.push(number);
                }
            }
        }
        watchers
    }
}

#[derive(Deserialize)]
struct Fixture {
    #[serde(default)]
    user: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    email: String,
    name: Option<String>,
    password: Option<String>,
    #[serde(default)]
    forward: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Bare(String),
    Whole { email: String },
}

impl Listed {
    fn address(&self) -> &str {
        match self {
            Self::Bare(email) | Self::Whole { email } => email,
        }
    }
}
