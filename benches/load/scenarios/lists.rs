//! Edits of lists that must be on disk before they are acknowledged: each user adds and removes
//! contacts, one edit after the other, half of them people who are there and hear of it. In the end
//! everybody's lists are what was acknowledged.

use super::{accounts_or, repeat, row};
use crate::{
    accounts::{Account, Accounts},
    client::{self, Frame, Wire, passport},
    options::Options,
    report::{Goal, Row, Sample},
    seed,
    target::{Kind, Target},
};
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Users who edit, and thus the most that wait for the disk at once.
pub(crate) const EDITS_AT_ONCE: usize = USERS;
const USERS: usize = 100;
/// Whom a user adds and removes: as many who are there as who are not.
const CONTACTS: usize = 20;
const ACCOUNTS: usize = USERS + USERS * CONTACTS / 2;
/// How long what was told to others may be on its way.
const TOLD_WAIT: Duration = Duration::from_secs(20);

pub(super) fn accounts() -> Accounts {
    Accounts::strangers(ACCOUNTS)
}

/// Whom a user who has made so many edits adds (`true`) or removes next: first all are added, then
/// all are removed, and so on. No two users ever have each other.
pub(crate) fn edit(user: usize, made: u64) -> (usize, bool) {
    let place = made as usize % (2 * CONTACTS);
    let (which, is_there) = (place % CONTACTS / 2, place.is_multiple_of(2));
    let contact = match is_there {
        true => (user + 1 + which) % USERS,
        false => USERS + user * CONTACTS / 2 + which,
    };
    (contact, place < CONTACTS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let case = format!("{USERS} users");
    let accounts = accounts_or(options, accounts)?;
    ensure!(accounts.0.len() >= ACCOUNTS, "{ACCOUNTS} accounts are needed, with empty lists");
    let people = Arc::new(accounts.0.clone());
    let raw = Kind::Raw("sqlite");
    let mut samples: HashMap<Kind, Vec<Sample>> = HashMap::new();
    for round in 1..=options.rounds {
        // Only what is kept for good is waited for: no ephemeral server.
        let folder = seed::folder(&accounts).await?;
        let target = match options.server {
            Some(_) => Target::start(Kind::Server, &accounts, options).await?,
            None => Target::on_folder(folder.path(), options, &[]).await?,
        };
        let target = Arc::new(target);
        let server = measure(&target, &people, options).await?;
        if let Ok(target) = Arc::try_unwrap(target) {
            target.end().await?;
        }
        let target = Target::start(raw, &accounts, options).await?;
        let folder = seed::folder(&accounts).await?;
        let baseline = measure_raw(&target, folder.path(), options).await?;
        target.end().await?;
        for (kind, sample) in [(Kind::Server, server), (raw, baseline)] {
            let (rate, cpu) = (sample.rate(), sample.cpu_micros());
            eprintln!("{case}: round {round}, {kind:?}: {rate:.0}/s, {cpu:.2} µs for each");
            samples.entry(kind).or_default().push(sample);
        }
    }
    let of = |measure| (case.as_str(), measure, "batched SQLite");
    let cpu = Sample::cpu_micros;
    Ok(vec![
        row(of("edits/s"), &samples, raw, Sample::rate, Goal::AtLeast(0.5)),
        row(of("processor µs/edit"), &samples, raw, cpu, Goal::None),
    ])
}

/// One answer is a transaction. The next is asked for before it comes: nothing waits for us.
async fn measure_raw(target: &Target, folder: &Path, options: &Options) -> anyhow::Result<Sample> {
    let mut wire = Wire::connect(target.notification).await?;
    wire.ask(&folder.display().to_string(), "QNG").await?;
    wire.send(b"PNG\r\n").await?;
    repeat(target, options, async || {
        wire.ask("PNG", "QNG").await?;
        Ok(EDITS_AT_ONCE as u64)
    })
    .await
}

async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    options: &Options,
) -> anyhow::Result<Sample> {
    let users = Arc::new(people.iter().take(USERS).cloned().collect());
    let tickets = passport::tickets(target, &users).await?;
    let (acknowledged, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut wires = Vec::new();
    for (account, ticket) in users.iter().zip(&tickets) {
        wires.push(client::sign_in(target, account, ticket).await?);
    }
    let mut editing = JoinSet::new();
    for (number, wire) in wires.into_iter().enumerate() {
        let mut user = User::new(number, wire, people.clone());
        let (acknowledged, is_over) = (acknowledged.clone(), is_over.clone());
        editing.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                user.edit().await?;
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(user)
        });
    }
    let turn = async || {
        let before = acknowledged.load(Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        Ok(acknowledged.load(Ordering::Relaxed) - before)
    };
    let sample = repeat(target, options, turn).await?;
    is_over.store(true, Ordering::Relaxed);
    let mut users = Vec::new();
    while let Some(user) = editing.join_next().await {
        users.push(user??);
    }
    verify(users).await?;
    Ok(sample)
}

/// Compares what was acknowledged with what others were told and what the lists now say; leaves
/// them empty.
async fn verify(mut users: Vec<User>) -> anyhow::Result<()> {
    let mut made: HashMap<usize, HashMap<usize, u64>> = HashMap::new();
    for user in &users {
        for number in 0..user.made {
            let (contact, _) = edit(user.number, number);
            *made.entry(contact).or_default().entry(user.number).or_default() += 1;
        }
    }
    for user in &mut users {
        let expected = made.remove(&user.number).unwrap_or_default();
        let told = timeout(TOLD_WAIT, user.hear(&expected)).await;
        let name = &user.people[user.number].address;
        told.with_context(|| {
            format!("{name} was told {:?} of {expected:?} changes of its reverse list", user.told)
        })??;
        user.look_at_lists(&expected).await?;
    }
    for user in &mut users {
        for contact in user.forward() {
            let address = user.people[contact].address.clone();
            user.wire.ask(&format!("REM 9 FL {address}"), "REM 9 FL").await?;
        }
    }
    Ok(())
}

/// Somebody who edits, and what it has been told.
struct User {
    number: usize,
    wire: Wire,
    people: Arc<Vec<Account>>,
    /// Edits that were acknowledged.
    made: u64,
    /// The last list version that was named.
    version: u32,
    /// How often each person was said to have added or removed this one.
    told: HashMap<usize, u64>,
    /// How often somebody came into sight.
    seen: usize,
    by_address: HashMap<String, usize>,
}

impl User {
    fn new(number: usize, wire: Wire, people: Arc<Vec<Account>>) -> Self {
        let users = people.iter().take(USERS).enumerate();
        let by_address = users.map(|(number, account)| (account.address.clone(), number)).collect();
        let (told, seen) = (HashMap::new(), 0);
        Self { number, wire, people, made: 0, version: 0, told, seen, by_address }
    }

    /// One edit, acknowledged.
    async fn edit(&mut self) -> anyhow::Result<()> {
        let (contact, is_new) = edit(self.number, self.made);
        let trid = self.made + 10;
        let Account { address, name, .. } =
            self.people.get(contact).context("no such contact")?.clone();
        let (line, reply) = match is_new {
            true => (format!("ADD {trid} FL {address} {name}\r\n"), format!("ADD {trid} FL ")),
            false => (format!("REM {trid} FL {address}\r\n"), format!("REM {trid} FL ")),
        };
        self.wire.send(line.as_bytes()).await?;
        while !self.listen(&reply, &address).await? {}
        self.made += 1;
        Ok(())
    }

    /// Takes what has come; whether this reply about this person was among it.
    async fn listen(&mut self, reply: &str, about: &str) -> anyhow::Result<bool> {
        let Self { wire, version, told, seen, by_address, .. } = self;
        let (mut has_come, mut challenge) = (false, None);
        let look = |frame: Frame<'_>| {
            ensure!(!frame.is_trouble(), "{:?} instead of {reply:?}", frame.shown());
            let text = std::str::from_utf8(frame.line)?;
            let mut words = text.split(' ');
            match words.next().unwrap_or_default() {
                "CHL" => challenge = text.strip_prefix("CHL 0 ").map(str::to_owned),
                "QRY" => {}
                // The contact who was just added is there.
                "ILN" | "NLN" => *seen += 1,
                "BPR" => {
                    let is_of_edit = words.next() == Some(version.to_string().as_str());
                    ensure!(is_of_edit, "{text:?} after version {version}");
                }
                verb @ ("ADD" | "REM") => {
                    let is_reply = !reply.is_empty() && text.starts_with(reply);
                    let is_push = text[verb.len()..].starts_with(" 0 RL ");
                    ensure!(is_reply || is_push, "{text:?} instead of {reply:?}");
                    let next = words.nth(2).and_then(|word| word.parse().ok());
                    let next = next.with_context(|| format!("{text:?} has no version"))?;
                    ensure!(next > *version, "{text:?} after version {version}");
                    *version = next;
                    let address = words.next().unwrap_or_default();
                    if is_reply {
                        ensure!(!has_come && address == about, "{text:?} instead of {about}");
                        has_come = true;
                        return Ok(());
                    }
                    let who = by_address.get(address);
                    let changes =
                        told.entry(*who.with_context(|| format!("{text:?}"))?).or_default();
                    let is_new = changes.is_multiple_of(2);
                    ensure!(is_new == (verb == "ADD"), "{text:?} after {changes} changes");
                    *changes += 1;
                }
                _ => bail!("{text:?} is not expected"),
            }
            Ok(())
        };
        wire.frames(look).await?;
        if let Some(challenge) = challenge {
            wire.answer(&challenge).await?;
        }
        Ok(has_come)
    }

    /// Waits until it has been told all that others did, and has seen whom it added.
    async fn hear(&mut self, expected: &HashMap<usize, u64>) -> anyhow::Result<()> {
        let edits = (0..self.made).map(|made| edit(self.number, made));
        let sights = edits.filter(|(contact, is_new)| *is_new && *contact < USERS).count();
        while self.told != *expected || self.seen != sights {
            self.listen("", "").await?;
        }
        Ok(())
    }

    /// Fetches its lists and compares them.
    async fn look_at_lists(&mut self, told: &HashMap<usize, u64>) -> anyhow::Result<()> {
        let head = self.wire.ask("SYN 5 0", "SYN 5 ").await?;
        let mut numbers = head.split(' ').skip(2).map_while(|word| word.parse::<u32>().ok());
        let (version, count) = (numbers.next(), numbers.next().unwrap_or_default());
        let shown = &self.people[self.number].address;
        ensure!(version == Some(self.version), "{shown}: {head:?}, but {} was told", self.version);
        let (mut forward, mut reverse) = (HashSet::new(), HashSet::new());
        for _ in 0..count {
            let line = self.wire.line("LST ").await?;
            let words: Vec<_> = line.split(' ').collect();
            let [_, address, _, lists, ..] = words[..] else { bail!("{line:?} is no entry") };
            let lists: u8 = lists.parse().with_context(|| format!("{line:?} has no lists"))?;
            let lists_of = [(1, &mut forward), (8, &mut reverse)];
            for (_, list) in lists_of.into_iter().filter(|(bit, _)| lists & bit != 0) {
                list.insert(address.to_owned());
            }
        }
        let address = |number: usize| self.people[number].address.clone();
        let acknowledged: HashSet<_> = self.forward().into_iter().map(address).collect();
        let have_it = told.iter().filter(|(_, changes)| *changes % 2 == 1);
        let have_it: HashSet<_> = have_it.map(|(number, _)| address(*number)).collect();
        ensure!(forward == acknowledged, "{shown} has {forward:?}, not {acknowledged:?}");
        ensure!(reverse == have_it, "{shown} is had by {reverse:?}, not {have_it:?}");
        Ok(())
    }

    /// Whom it has on its forward list, by what was acknowledged.
    fn forward(&self) -> HashSet<usize> {
        let mut forward = HashSet::new();
        for (contact, is_new) in (0..self.made).map(|made| edit(self.number, made)) {
            if is_new {
                forward.insert(contact);
            } else {
                forward.remove(&contact);
            }
        }
        forward
    }
}
