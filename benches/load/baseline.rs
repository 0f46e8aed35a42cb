//! The smallest programs that move the same bytes: what a server could at best reach here. Each is
//! a process of its own, started with a file of accounts; they check nothing and keep nothing.

mod notification;
mod passport;
mod relay;
mod sqlite;
mod task;

use clap::{Args, ValueEnum};
use notification::Writer;
use std::{fmt::Write as _, fs, path::PathBuf};
use tokio::{
    net::TcpListener,
    task::{LocalSet, spawn_local},
};

/// Which one to be, for whom.
#[derive(Debug, Args)]
pub(crate) struct Baseline {
    kind: Kind,
    /// Lines with address, name, and the numbers of contacts
    accounts: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Notification; writes each line to each socket at once
    Direct,
    /// Notification; gathers what is for a socket and writes it once
    Coalescing,
    /// The same, and tickets over HTTP
    Passport,
    /// Switchboard; relays between two
    Relay,
    /// Connections that are read from, a task each
    Task,
    /// No network: edits of lists, committed a hundred at a time
    Sqlite,
}

/// Somebody with an account.
pub(super) struct Person {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) contacts: Vec<usize>,
}

/// Serves until it is killed.
pub(crate) fn serve(baseline: &Baseline) {
    let people = read(&fs::read_to_string(&baseline.accounts).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut roles = format!("{{\"role\":\"notification\",\"addr\":\"{address}\"}}");
        if baseline.kind == Kind::Passport {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            write!(roles, ",{{\"role\":\"passport-http\",\"addr\":\"{address}\"}}").unwrap();
            spawn_local(passport::serve(listener));
        }
        println!("{{\"listeners\":[{roles}]}}");
        match baseline.kind {
            Kind::Direct => notification::serve(listener, people, Writer::Direct).await,
            Kind::Coalescing | Kind::Passport => {
                notification::serve(listener, people, Writer::Coalescing).await;
            }
            Kind::Relay => relay::serve(listener).await,
            Kind::Task => task::serve(listener).await,
            Kind::Sqlite => sqlite::serve(listener, &people).await,
        }
    }));
}

fn read(accounts: &str) -> Vec<Person> {
    let person = |line: &str| {
        let mut words = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        Some(Person {
            address: words.next()?,
            name: words.next()?,
            contacts: words.map_while(|number| number.parse().ok()).collect(),
        })
    };
    accounts.lines().filter_map(person).collect()
}
