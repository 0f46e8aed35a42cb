//! Plays a transcript against a server that starts as the preconditions say.

mod conversation;

use super::{
    operator,
    parse::{Message, Script, Step},
};
use crate::support::{Client, TestServer, server::new_account, store::Observed, until};
use msnd::{
    config::{Challenge, Config},
    model::{
        Address, Group, GroupId, GroupSet, ListBits, Mailbox, Name, Privacy, Prompt, PropertyKey,
    },
    protocol::{challenge::answer, escape},
    server::Role,
    store::{NewAccount, NewContact},
};
use std::{collections::BTreeMap, sync::Arc};

/// Plays all of it; panics with the line number where it differs.
pub(crate) fn play(script: &Script) {
    let mut stage = Stage::set(script);
    for (number, step) in &script.steps {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.play(step)));
        if let Err(panic) = outcome {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            panic!("line {number}: {step:?}: {text}");
        }
    }
    stage.expect_silence();
}

struct Stage {
    connections: BTreeMap<String, Connection>,
    current: String,
    /// Example value to real one, as soon as it is known.
    chosen: BTreeMap<String, Option<String>>,
    /// Whether the scenario says how `VER` is answered; only then its whole reply is compared.
    names_ver_reply: bool,
    /// Sessions that are not shown: those of `% online`, and of participants who have no other.
    offstage: BTreeMap<String, Client>,
    /// Conversations of `joined`, by their example number.
    rooms: BTreeMap<String, conversation::Room>,
    /// Alerts of the script that nobody has received yet.
    alerts: usize,
    store: Arc<Observed>,
    server: TestServer,
}

struct Connection {
    client: Client,
    role: Role,
    /// Whose it is, if the scenario begins with it.
    user: Option<String>,
    is_signed_in: bool,
    is_open: bool,
}

impl Stage {
    fn set(script: &Script) -> Self {
        let conditions: Vec<Vec<&str>> =
            script.preconditions.iter().map(|line| line.split_whitespace().collect()).collect();
        let set_options = |config: &mut Config| {
            for condition in conditions.iter().filter(|words| words[0] == "config") {
                set_option(config, condition[1], condition[2]);
            }
        };
        let (server, store) = TestServer::start_observed(set_options);
        let mut cast = Cast::new(&conditions, script);
        if let Some((user, id)) = cast.member.take() {
            server.add_as(id, cast.take(&user));
        }
        server.add(cast.accounts());
        let mut chosen: BTreeMap<_, _> =
            script.chosen.iter().map(|value| (value.clone(), None)).collect();
        let mut offstage = BTreeMap::new();
        for words in &conditions {
            match words[..] {
                ["ticket", user, ticket] => {
                    chosen.insert(ticket.into(), Some(server.ticket(user)));
                }
                ["online", user, ref presence @ ..] => {
                    let client = Client::present(&server, "MSNP9", user, &presence.join(" "));
                    offstage.insert(user.into(), client);
                }
                _ => {}
            }
        }
        let names_ver_reply = conditions
            .iter()
            .any(|words| matches!(words[..], ["config", "notification.ver_reply", _]));
        Self {
            connections: BTreeMap::new(),
            current: String::new(),
            chosen,
            names_ver_reply,
            offstage,
            rooms: BTreeMap::new(),
            alerts: 0,
            store,
            server,
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::On { name, opening } => {
                self.current.clone_from(name);
                if !self.connections.contains_key(name) {
                    self.open(opening);
                }
            }
            Step::Send(message) => self.send(message),
            Step::Operate(order) => {
                operator::obey(&self.server, order);
                self.alerts += usize::from(order.starts_with("alert "));
            }
            Step::Receive(message) => {
                if message.line.starts_with("NOT ") {
                    if self.alerts == 0 {
                        operator::send(&self.server, message.payload.as_deref().unwrap());
                        self.alerts += 1;
                    }
                    self.alerts -= 1;
                }
                let wants_challenge = message.line.starts_with("CHL");
                let line = self.read(wants_challenge);
                self.compare(message, &line);
            }
            Step::ReceiveAny(verb) => {
                let line = self.read(false);
                assert_eq!(line.split(' ').next(), Some(&**verb), "{line}");
                if matches!(&**verb, "MSG" | "NOT" | "IPG") {
                    self.payload_of(&line);
                }
            }
            Step::ReceiveInAnyOrder(messages) => {
                let mut expected: Vec<_> =
                    messages.iter().map(|message| message.line.clone()).collect();
                while !expected.is_empty() {
                    let line = self.read(false);
                    let at = expected.iter().position(|expected| *expected == line);
                    expected.remove(at.unwrap_or_else(|| panic!("{line:?} not in {expected:?}")));
                }
            }
            Step::Database { works } => self.store.set_failing(!works),
            Step::Shutdown => {
                // Who has connected must be inside: those still at the door would be turned away.
                let open = self.connections.values().filter(|one| one.is_open).count();
                let open = open + self.offstage.len();
                until(|| self.server.running().connections() == open);
                drop(self.server.begin_shutdown());
            }
            Step::Closed { name, by_server } => {
                let name = name.as_ref().unwrap_or(&self.current);
                let connection = self.connections.get_mut(name).unwrap();
                connection.is_open = false;
                if *by_server {
                    connection.client.expect_end_but_challenge();
                } else {
                    self.connections.remove(name);
                }
            }
        }
    }

    fn open(&mut self, opening: &[String]) {
        let words: Vec<&str> = opening.iter().map(String::as_str).collect();
        if let ["sb", "joined", room, user, _] = words[..] {
            return self.join(room, user);
        }
        let server = &self.server;
        let (role, client, is_signed_in) = match words[..] {
            ["ds"] => (Role::Dispatch, Client::connect(server.address(Role::Dispatch)), false),
            ["ns"] => {
                (Role::Notification, Client::connect(server.address(Role::Notification)), false)
            }
            ["sb"] => {
                (Role::Switchboard, Client::connect(server.address(Role::Switchboard)), false)
            }
            ["ns", "signed-in", dialect, user] => {
                (Role::Notification, Client::sign_in(server, dialect, user), true)
            }
            ["ns", "present", dialect, user, status, client_id] => {
                let presence = format!("{status} {client_id}");
                (Role::Notification, Client::present(server, dialect, user, &presence), true)
            }
            _ => panic!("unknown opening {words:?}"),
        };
        let user = words.get(3).map(|user| (*user).to_owned());
        self.enter(Connection { client, role, user, is_signed_in, is_open: true });
    }

    /// The current connection is there from now on.
    fn enter(&mut self, connection: Connection) {
        if connection.is_signed_in {
            // What this opening meant to others is part of the precondition, not of the scenario.
            for other in
                self.connections.values_mut().filter(|other| other.is_signed_in && other.is_open)
            {
                other.unread();
            }
        }
        self.connections.insert(self.current.clone(), connection);
    }

    fn send(&mut self, message: &Message) {
        let line: Vec<_> = message.line.split(' ').map(|word| self.real(word)).collect();
        let mut bytes = format!("{}\r\n", line.join(" ")).into_bytes();
        if let Some(payload) = &message.payload {
            bytes.extend(self.real_answer(&message.line, payload));
        }
        self.connection().client.send_bytes(&bytes);
    }

    /// The answer to the real challenge, if the payload answers an example one.
    fn real_answer(&self, line: &str, payload: &[u8]) -> Vec<u8> {
        let clients = Challenge::default().clients;
        let client = clients.iter().find(|client| line.split(' ').nth(2) == Some(&client.id));
        let Some(client) = client.filter(|_| line.starts_with("QRY")) else {
            return payload.into();
        };
        let asked = self.chosen.iter().find(|(example, real)| {
            real.is_some() && answer(example, &client.key).as_bytes() == payload
        });
        match asked {
            Some((_, Some(real))) => answer(real, &client.key).into_bytes(),
            _ => payload.into(),
        }
    }

    fn real(&self, word: &str) -> String {
        self.chosen.get(word).cloned().flatten().unwrap_or_else(|| word.into())
    }

    fn read(&mut self, wants_challenge: bool) -> String {
        let client = &mut self.connection().client;
        if wants_challenge { client.line() } else { client.line_but_challenge() }
    }

    fn payload_of(&mut self, line: &str) -> Vec<u8> {
        let bytes = line.rsplit(' ').next().unwrap().parse().unwrap();
        self.connection().client.payload(bytes)
    }

    fn compare(&mut self, expected: &Message, line: &str) {
        let payload = expected.payload.as_ref().map(|_| self.payload_of(line));
        let expected_words: Vec<_> = expected.line.split(' ').collect();
        let words: Vec<_> = line.split(' ').collect();
        match (expected_words[0], &expected.payload, &payload) {
            ("VER", ..) if !self.names_ver_reply => {
                assert_eq!(words[..3], expected_words[..3], "{line}");
            }
            ("CVR", ..) => {
                assert_eq!(words[..2], expected_words[..2], "{line}");
                assert_eq!(words.len(), expected_words.len(), "{line}");
            }
            ("MSG", Some(wanted), Some(got)) if is_profile(wanted) => {
                assert_eq!(words[..3], expected_words[..3], "{line}");
                assert_eq!(field_names(got), field_names(wanted));
            }
            (_, wanted, got) => {
                assert_eq!(words.len(), expected_words.len(), "{line}");
                for (wanted, got) in expected_words.iter().zip(&words) {
                    self.compare_word(wanted, got, line);
                }
                assert_eq!(got, wanted, "{line}");
                if ["USR", "ANS"].contains(&words[0]) && words.get(2) == Some(&"OK") {
                    self.connection().is_signed_in = true;
                }
            }
        }
    }

    fn compare_word(&mut self, wanted: &str, got: &str, line: &str) {
        match self.chosen.get_mut(wanted) {
            Some(Some(real)) => assert_eq!(got, real, "{line}"),
            Some(unknown) => *unknown = Some(got.into()),
            None if wanted.starts_with("lc=") => {
                let keys = |policy: &str| -> Vec<String> {
                    policy.split(',').map(|pair| pair.split('=').next().unwrap().into()).collect()
                };
                assert_eq!(keys(got), keys(wanted), "{line}");
            }
            None => assert_eq!(got, wanted, "{line}"),
        }
    }

    fn connection(&mut self) -> &mut Connection {
        self.connections.get_mut(&self.current).expect("an open connection")
    }

    /// At the end nothing is left unread.
    fn expect_silence(&mut self) {
        for connection in self.connections.values_mut() {
            if connection.is_open && connection.is_signed_in {
                let mut lines = connection.unread();
                lines.retain(|line| !line.starts_with("CHL 0 "));
                assert_eq!(lines, [""; 0]);
            }
        }
    }
}

impl Connection {
    /// Every line that has come and was not read, payloads aside.
    fn unread(&mut self) -> Vec<String> {
        match self.role {
            Role::Switchboard => conversation::unread(&mut self.client),
            _ => self.client.drain(),
        }
    }
}

/// Its values are the server's to choose.
fn is_profile(payload: &[u8]) -> bool {
    String::from_utf8_lossy(payload).contains("text/x-msmsgsprofile")
}

fn field_names(payload: &[u8]) -> Vec<String> {
    let text = String::from_utf8(payload.to_vec()).unwrap();
    text.split("\r\n").map(|line| line.split(": ").next().unwrap_or_default().into()).collect()
}

fn set_option(config: &mut Config, key: &str, value: &str) {
    let (section, key) = key.split_once('.').unwrap();
    let mut table = toml::Table::try_from(&*config).unwrap();
    let value = value.parse::<i64>().map_or_else(|_| value.into(), toml::Value::Integer);
    table[section].as_table_mut().unwrap().insert(key.into(), value);
    *config = table.try_into().unwrap();
}

/// The accounts of a scenario, in order of first mention.
struct Cast {
    accounts: Vec<NewAccount>,
    /// Whose number the scenario gives.
    member: Option<(String, u64)>,
}

impl Cast {
    fn new(conditions: &[Vec<&str>], script: &Script) -> Self {
        let mut cast = Self { accounts: Vec::new(), member: None };
        for words in conditions {
            match words[..] {
                ["account", user, name, ref settings @ ..] => {
                    cast.account(user).name = decoded(name);
                    for setting in settings {
                        match setting.split_once('=').unwrap() {
                            ("member", id) => cast.member = Some((user.into(), member_id(id))),
                            (key, value) => apply(cast.account(user), key, value),
                        }
                    }
                }
                ["list", owner, contact, _, _, name] => {
                    cast.account(owner);
                    cast.named(contact, name);
                }
                ["online", user, ..] | ["ticket", user, _] => {
                    cast.account(user);
                }
                _ => {}
            }
        }
        for (_, step) in &script.steps {
            if let Step::On { opening, .. } = step
                && let Some(user) = opening.get(3)
            {
                let account = cast.account(user);
                if let Some(name) = opening.get(4).filter(|_| opening[0] == "sb") {
                    account.name = decoded(name);
                }
            }
        }
        for words in conditions {
            match words[..] {
                ["group", owner, id, name] => cast.group(owner, id.parse().unwrap(), decoded(name)),
                ["list", owner, contact, bits, groups, name] => {
                    cast.list(owner, contact, bits.parse().unwrap(), groups, decoded(name));
                }
                _ => {}
            }
        }
        cast.mirror();
        cast
    }

    /// Takes one out.
    fn take(&mut self, user: &str) -> NewAccount {
        let at = self.accounts.iter().position(|account| account.address.as_str() == user);
        self.accounts.remove(at.unwrap())
    }

    fn accounts(self) -> Vec<NewAccount> {
        self.accounts
    }

    fn account(&mut self, user: &str) -> &mut NewAccount {
        let at = self.accounts.iter().position(|account| account.address.as_str() == user);
        let at = at.unwrap_or_else(|| {
            self.accounts.push(new_account(user));
            self.accounts.len() - 1
        });
        &mut self.accounts[at]
    }

    /// An account that takes its name from the list that mentions it first.
    fn named(&mut self, user: &str, name: &str) {
        if !self.accounts.iter().any(|account| account.address.as_str() == user) {
            self.account(user).name = decoded(name);
        }
    }

    fn group(&mut self, owner: &str, id: u32, name: Name) {
        let id = GroupId::new(id).unwrap();
        let groups = &mut self.account(owner).groups;
        groups.retain(|group| group.id != id);
        groups.push(Group { id, name });
        groups.sort_by_key(|group| group.id);
    }

    fn list(&mut self, owner: &str, contact: &str, bits: u8, groups: &str, name: Name) {
        let groups = groups
            .split(',')
            .filter_map(|id| GroupId::new(id.parse().ok()?))
            .fold(GroupSet::default(), GroupSet::with);
        let address = Address::parse(contact).unwrap();
        let contacts = &mut self.account(owner).contacts;
        contacts.push(NewContact { address, name, lists: ListBits(bits), groups });
    }

    /// Whoever is on a reverse list has its owner on the forward list.
    fn mirror(&mut self) {
        let reverse: Vec<_> = self
            .accounts
            .iter()
            .flat_map(|owner| {
                let is_reverse = |contact: &&NewContact| contact.lists.has(ListBits::REVERSE);
                owner.contacts.iter().filter(is_reverse).map(move |contact| {
                    (contact.address.clone(), owner.address.clone(), owner.name.clone())
                })
            })
            .collect();
        for (watcher, owner, name) in reverse {
            let contacts = &mut self.account(watcher.as_str()).contacts;
            match contacts.iter_mut().find(|contact| contact.address == owner) {
                Some(contact) => contact.lists = contact.lists.with(ListBits::FORWARD),
                None => contacts.push(NewContact {
                    address: owner,
                    name,
                    lists: ListBits::FORWARD,
                    groups: GroupSet::ZERO,
                }),
            }
        }
    }
}

/// `0xHIGH:0xLOW`
fn member_id(text: &str) -> u64 {
    let (high, low) = text.split_once(':').unwrap();
    let half = |text: &str| u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap();
    half(high) << 32 | half(low)
}

fn apply(account: &mut NewAccount, key: &str, value: &str) {
    match key {
        "mailbox" => {
            let (inbox, folders) = value.split_once(',').unwrap();
            let (inbox_unread, folders_unread) = (inbox.parse().unwrap(), folders.parse().unwrap());
            account.mailbox = Some(Mailbox { inbox_unread, folders_unread });
        }
        "ver" => account.list_version = value.parse().unwrap(),
        "blp" => account.privacy = Privacy::from_code(value.as_bytes()).unwrap(),
        "gtc" => account.prompt = Prompt::from_code(value.as_bytes()).unwrap(),
        key => {
            let key = PropertyKey::from_code(key.as_bytes()).unwrap();
            account.properties.insert(key, escape::decode(value.as_bytes()).unwrap());
        }
    }
}

fn decoded(name: &str) -> Name {
    Name::new(&escape::decode(name.as_bytes()).unwrap()).unwrap()
}
