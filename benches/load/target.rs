//! What is under load: a server that is there already, msnd started by us, or a baseline.

use crate::{
    accounts::{Account, Accounts},
    client::passport::Passport,
    machine,
    options::Options,
};
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::{
    collections::HashMap, io::Write as _, net::SocketAddr, path::Path, process::Stdio,
    time::Duration,
};
use tempfile::{NamedTempFile, TempDir};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a server may take to be ready.
const READY_WAIT: Duration = Duration::from_secs(120);
/// A ticket as long as real ones, for those who take any.
const ANY_TICKET: &str = "t=0000000000000000000000000000000000000000000&p=";
/// The limits that one machine as everybody's client would meet.
const LIMITS: [&str; 5] = [
    "limits.connections_max=19000",
    "limits.connections_per_address_max=19000",
    "passport.ticket_ttl_secs=600",
    "challenge.answer_secs=300",
    "switchboard.requests_per_minute_max=1000",
];
/// Every listener at a free port; none with TLS, whose key would have to be made first.
pub(crate) const LISTENERS: [&str; 6] = [
    "dispatch.bind=127.0.0.1:0",
    "notification.bind=127.0.0.1:0",
    "switchboard.bind=127.0.0.1:0",
    "passport.http_bind=127.0.0.1:0",
    "passport.https_bind=off",
    "web.bind=127.0.0.1:0",
];

/// What a measurement is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The server to be measured.
    Server,
    /// A baseline that writes each line to each socket at once.
    Direct,
    /// A baseline that gathers what is for a socket and writes it once.
    Coalescing,
    /// A baseline of its own for a scenario.
    Raw(&'static str),
}

/// Something to connect to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) notification: SocketAddr,
    pub(crate) passport: Option<Passport>,
    /// The HTTP front, with the gateway.
    pub(crate) http: Option<SocketAddr>,
    pub(crate) dialect: String,
    tickets: HashMap<String, String>,
    takes_any_ticket: bool,
    process: Option<Process>,
}

/// A process that we started, and its files.
#[derive(Debug)]
struct Process {
    child: Child,
    _files: Vec<NamedTempFile>,
    /// What a server that is killed leaves behind.
    _temporary: TempDir,
}

#[derive(Deserialize)]
struct Ready {
    listeners: Vec<Listener>,
}

#[derive(Deserialize)]
struct Listener {
    role: String,
    addr: String,
}

impl Target {
    /// Starts or finds what is to be measured.
    pub(crate) async fn start(
        kind: Kind,
        accounts: &Accounts,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let target = match (kind, options.server) {
            (Kind::Server, Some(server)) => Self::running(server, options),
            (Kind::Server, None) => Self::msnd(accounts, options, &[]).await,
            (Kind::Direct, _) => Self::baseline("direct", accounts, options).await,
            (Kind::Coalescing, _) => Self::baseline("coalescing", accounts, options).await,
            (Kind::Raw(name), _) => Self::baseline(name, accounts, options).await,
        };
        Ok(Self { kind, ..target? })
    }

    /// Starts msnd with these accounts.
    pub(crate) async fn msnd(
        accounts: &Accounts,
        options: &Options,
        settings: &[&str],
    ) -> anyhow::Result<Self> {
        let fixture = file_with(&accounts.to_toml())?;
        let mut command = Command::new(&options.msnd);
        command.args(["run", "--ephemeral", "--ready-json", "--fixture"]).arg(fixture.path());
        let chosen = options.set.iter().map(String::as_str);
        for setting in LIMITS.iter().chain(settings).copied().chain(chosen) {
            command.args(["--set", setting]);
        }
        Self::spawn(command, vec![fixture], options).await
    }

    /// Starts msnd on a data folder.
    pub(crate) async fn on_folder(
        folder: &Path,
        options: &Options,
        settings: &[&str],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(&options.msnd);
        command.args(["run", "--ready-json", "--data-dir"]).arg(folder);
        let chosen = options.set.iter().map(String::as_str);
        for setting in LISTENERS.iter().chain(&LIMITS).chain(settings).copied().chain(chosen) {
            command.args(["--set", setting]);
        }
        Self::spawn(command, Vec::new(), options).await
    }

    /// The processor time it has used, if it is a process of ours.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.pid().map_or(Duration::ZERO, machine::cpu_time)
    }

    /// Its process, if it is one of ours.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|process| process.child.id())
    }

    /// A ticket that need not be fetched.
    pub(crate) fn ticket_at_hand(&self, account: &Account) -> anyhow::Result<String> {
        match self.tickets.get(&account.address) {
            Some(ticket) => Ok(ticket.clone()),
            None if self.takes_any_ticket => Ok(ANY_TICKET.to_owned()),
            None => {
                bail!("there is no ticket for {}: use --passport or --tickets", account.address)
            }
        }
    }

    /// Whether the same people can sign in more than once: there are tickets for that.
    pub(crate) const fn has_endless_tickets(&self) -> bool {
        self.passport.is_some() || self.takes_any_ticket
    }

    fn running(server: SocketAddr, options: &Options) -> anyhow::Result<Self> {
        ensure!(
            options.tickets.is_none() || options.rounds == 1,
            "a ticket is good for one sign-in: with --tickets only --rounds 1 can be measured"
        );
        let mut tickets = HashMap::new();
        if let Some(path) = &options.tickets {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let pairs = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
            tickets.extend(pairs.map(|(address, ticket)| (address.into(), ticket.trim().into())));
        }
        Ok(Self {
            kind: Kind::Server,
            notification: server,
            passport: options.passport.as_deref().map(Passport::parse).transpose()?,
            http: options.gateway,
            dialect: options.dialect.clone(),
            tickets,
            takes_any_ticket: false,
            process: None,
        })
    }

    async fn baseline(name: &str, accounts: &Accounts, options: &Options) -> anyhow::Result<Self> {
        let lists: String = accounts
            .0
            .iter()
            .map(|account| {
                let numbers: Vec<_> = account.forward.iter().map(usize::to_string).collect();
                format!("{} {} {}\n", account.address, account.name, numbers.join(" "))
            })
            .collect();
        let lists = file_with(&lists)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["baseline", name]).arg(lists.path());
        Self::spawn(command, vec![lists], options).await
    }

    async fn spawn(
        mut command: Command,
        mut files: Vec<NamedTempFile>,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let (log, temporary) = (NamedTempFile::new()?, tempfile::tempdir()?);
        command.env("TMPDIR", temporary.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.reopen()?);
        // A process starts on the cores of the thread that starts it.
        machine::stay_on(&options.server_cores);
        let child = command.kill_on_drop(true).spawn();
        machine::stay_on(&options.load_cores);
        let mut child = child.with_context(|| format!("cannot start {command:?}"))?;
        let stdout = child.stdout.take().context("no output of the server")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(READY_WAIT, lines.next_line()).await.context("the server hangs")??;
        let told = || std::fs::read_to_string(log.path()).unwrap_or_default();
        let Some(line) = line else { bail!("the server did not start:\n{}", told()) };
        let Ready { listeners } = serde_json::from_str(&line).context("no ready line")?;
        let address = |role: &str| {
            let listener = listeners.iter().find(|listener| listener.role == role);
            listener.and_then(|listener| listener.addr.parse().ok())
        };
        let notification = address("notification").context("no notification server")?;
        let (passport, http) = (address("passport-http").map(Passport::plain), address("http"));
        files.push(log);
        Ok(Self {
            kind: Kind::Server,
            notification,
            takes_any_ticket: passport.is_none(),
            passport,
            http,
            dialect: options.dialect.clone(),
            tickets: HashMap::new(),
            process: Some(Process { child, _files: files, _temporary: temporary }),
        })
    }

    /// Ends it and waits until it is gone, so that it takes nothing from the next one.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        if let Some(Process { child, .. }) = &mut self.process {
            ensure!(child.try_wait()?.is_none(), "the server has ended by itself");
            child.kill().await?;
        }
        Ok(())
    }
}

fn file_with(text: &str) -> anyhow::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}
