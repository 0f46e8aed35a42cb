//! The smallest programs that move the same bytes: what a server could at best reach here. Each is
//! a process of its own, started with a file of accounts; they check nothing and keep nothing.

mod notification;
mod relay;

use clap::{Args, ValueEnum};
use std::{fs, path::PathBuf};
use tokio::{net::TcpListener, task::LocalSet};

/// Which one to be, for whom.
#[derive(Debug, Args)]
pub(crate) struct Baseline {
    kind: Kind,
    /// Lines with address, name, and the numbers of contacts
    accounts: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Notification; writes each line to each socket at once
    Direct,
    /// Notification; gathers what is for a socket and writes it once
    Coalescing,
    /// Switchboard; relays between two
    Relay,
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
        println!("{{\"listeners\":[{{\"role\":\"notification\",\"addr\":\"{address}\"}}]}}");
        use notification::Writer;
        match baseline.kind {
            Kind::Direct => notification::serve(listener, people, Writer::Direct).await,
            Kind::Coalescing => notification::serve(listener, people, Writer::Coalescing).await,
            Kind::Relay => relay::serve(listener).await,
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
