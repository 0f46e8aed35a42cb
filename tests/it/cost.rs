//! What commands cost and what they wait for: reads of the store and writes to the socket are
//! counted, a writer that is stuck is made, and nothing is measured with a clock.

mod wire;

use crate::support::{Client, TestServer, server::new_account, store::Observed};
use msnd::{
    config::{Config, Synchronous},
    hub::{Hub, SessionId, ticket::Tickets},
    metrics::Metrics,
    model::{Address, Group, GroupId, GroupSet, ListBits, Name, PropertyKey, roster::RosterLimits},
    notification::{Context, Deliveries, KeptRoom, Notification, Pages, Pong},
    server::Role,
    session::{self, SessionLimits},
    store::{
        NewAccount, NewContact, Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use rstest::rstest;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::{collections::HashSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::Wire;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const CAROL: &str = "carol@example.test";
const DAVE: &str = "dave@example.test";
/// The longest list there can be.
const CONTACTS: usize = 600;
const GROUPS: u32 = 30;
/// The future of a notification connection over a line in memory, which is about as large as a
/// socket.
const SESSION_BYTES_MAX: usize = 1000;

#[rstest]
#[case::msnp8("MSNP8")]
#[case::msnp9("MSNP9")]
#[tokio::test]
async fn the_longest_list_is_one_read_and_one_write_and_news_is_one_write(
    #[case] dialect: &str,
    #[values(false, true)] shows_properties: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Observed::new(open(folder.path()).await));
    store.create_accounts(crowd(shows_properties)).await.unwrap();
    let tickets = Arc::new(Tickets::new(Duration::from_secs(60), 1));
    let address = Address::parse(ALICE).unwrap();
    let alice = store.account(&address).await.unwrap();
    let ticket = tickets.issue(alice.id, &address, alice.credential_epoch);
    let config = Arc::new(Config::default());
    let metrics = Arc::new(Metrics::default());
    let hub = Hub::new(100);
    let context = Context {
        config: config.clone(),
        deliveries: Deliveries::start(store.clone(), metrics.news(), &TaskTracker::new()),
        pages: Pages::new(config.limits.pages_per_minute_max),
        kept: KeptRoom::default(),
        pong: Pong::new(config.timers.ping_secs),
        meters: Notification::meters(&metrics),
        metrics,
        switchboards: None,
        web_port: 80,
        store: store.clone(),
        hub: hub.clone(),
        tickets,
        closing: CancellationToken::new(),
        traced: HashSet::new(),
    };
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let role = Notification::new(Arc::new(context), SessionId(1), peer, peer);
    // Room for all that is sent, as a socket has it whose peer reads.
    let (wire, client) = tokio::io::duplex(16 << 20);
    let (wire, counts) = Wire::new(wire);
    let limits = SessionLimits::from(&*config);
    let output_queue_bytes_max = limits.output_queue_bytes_max;
    let session = session::run(role, wire, &[], limits, CancellationToken::new(), ());
    // What an idle session costs most of. With what tokio adds it is rounded up to 128 bytes.
    let bytes = size_of_val(&session);
    assert!(bytes <= SESSION_BYTES_MAX, "the future of a session has grown to {bytes} bytes");
    let conversation = async {
        let mut client = BufReader::new(client);
        let greeting =
            format!("VER 1 {dialect}\r\nUSR 2 TWN I {ALICE}\r\nUSR 3 TWN S {ticket}\r\n");
        client.write_all(greeting.as_bytes()).await.unwrap();
        let mut line = String::new();
        while !line.starts_with("MSG Hotmail ") {
            line.clear();
            client.read_line(&mut line).await.unwrap();
        }
        let bytes = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        client.read_exact(&mut vec![0; bytes]).await.unwrap();
        store.forget();
        let before = counts.writes();
        client.write_all(b"SYN 4 0\r\n").await.unwrap();
        let (mut block, mut contacts, mut groups) = (0, 0, 0);
        while !line.starts_with("QNG") {
            line.clear();
            client.read_line(&mut line).await.unwrap();
            block += line.len();
            contacts += usize::from(line.starts_with("LST "));
            if contacts == CONTACTS && line.starts_with("LST ") {
                client.write_all(b"PNG\r\n").await.unwrap();
            }
            groups += usize::from(line.starts_with("LSG "));
        }
        assert_eq!((contacts, groups), (CONTACTS, GROUPS as usize));
        assert!(block > 2 * output_queue_bytes_max, "a case that costs nothing: {block} bytes");
        let reads: &[_] = if shows_properties { &["roster"] } else { &[] };
        assert_eq!(store.calls(), reads, "without properties they were read at sign-in");
        assert_eq!(counts.writes() - before, 2, "the block, and the ping's answer");

        let before = (counts.reads(), counts.writes());
        for minutes in 1..=10 {
            hub.notify_shutdown(minutes);
            while !line.starts_with("Arg1: ") {
                line.clear();
                client.read_line(&mut line).await.unwrap();
            }
            assert_eq!(line, format!("Arg1: {minutes}\r\n"));
            line.clear();
        }
        assert_eq!((counts.reads(), counts.writes() - before.1), (before.0, 10), "it only hears");
        client.write_all(b"PNG\r\n").await.unwrap();
        while !line.starts_with("QNG") {
            line.clear();
            client.read_line(&mut line).await.unwrap();
        }
        assert_eq!(counts.reads() - before.0, 2, "the ping, and that there is no more");
    };
    tokio::join!(session, conversation);
}

#[test]
fn what_concerns_presence_alone_asks_no_store() {
    let (server, store) = server();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut carol = Client::present(&server, "MSNP9", CAROL, "NLN 0");
    let mut bob = Client::present(&server, "MSNP8", BOB, "NLN 0");
    carol.drain();
    store.forget();
    bob.ask("CHG 9 AWY 0", "CHG 9 AWY 0");
    carol.expect("NLN AWY bob@example.test Bob 0");
    bob.ask("CHG 10 HDN 0", "CHG 10 HDN 0");
    carol.expect("FLN bob@example.test");
    alice.ask("PNG", "QNG 60");
    assert_eq!(store.calls(), [""; 0]);
}

/// However long the callee's lists are.
#[test]
fn a_call_and_its_answer_read_one_row_each() {
    let (server, store) = server();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    store.forget();
    alice.send("XFR 9 SB");
    let referral = alice.line_but_challenge();
    let mut host = Client::connect(server.address(Role::Switchboard));
    host.send(&format!("USR 1 {ALICE} {}", referral.rsplit(' ').next().unwrap()));
    assert!(host.line().starts_with("USR 1 OK "));
    assert_eq!(store.calls(), [""; 0]);
    host.send(&format!("CAL 2 {BOB}"));
    let room = host.line().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(store.calls(), ["callee"]);
    let ring = bob.line_but_challenge();
    let mut guest = Client::connect(server.address(Role::Switchboard));
    guest.send(&format!("ANS 1 {BOB} {} {room}", ring.split(' ').nth(4).unwrap()));
    assert!(guest.line().starts_with("IRO 1 1 1 "));
    guest.expect("ANS 1 OK");
    assert_eq!(store.calls(), ["callee", "callee"]);
}

#[test]
fn presence_and_sign_in_wait_for_no_writer() {
    let (server, store) = server();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let mut carol = Client::present(&server, "MSNP9", CAROL, "NLN 0");
    // Another process has the file, so that the writer cannot begin.
    let mut lock = server.block_on(async {
        let mut conn =
            SqliteConnectOptions::new().filename(server.database()).connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut conn).await.unwrap();
        conn
    });
    store.forget();
    alice.send("BLP 9 BL");
    store.await_call("edit");

    bob.ask("CHG 9 AWY 0", "CHG 9 AWY 0");
    carol.expect("NLN AWY bob@example.test Bob 0");
    // With her password, her lists, who is there, and who learns of her.
    let mut dave = Client::sign_in(&server, "MSNP9", DAVE);
    dave.ask("SYN 4 0", "SYN 4 1 1 1");
    assert_eq!(dave.drain().iter().filter(|line| line.starts_with("LST ")).count(), 1);
    dave.send("CHG 5 NLN 0");
    dave.expect("CHG 5 NLN 0");
    dave.expect("ILN 5 AWY bob@example.test Bob 0");
    bob.expect("NLN NLN dave@example.test Dave 0");
    // Those who edit wait, and lose nothing.
    assert!(alice.hears_nothing_yet());
    server.block_on(async { sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap() });
    alice.expect("BLP 9 2 BL");
}

/// A server whose store is counted: carol and dave watch bob, bob watches dave.
fn server() -> (TestServer, Arc<Observed>) {
    let (server, store) = TestServer::start_observed(|_| {});
    let watching = |user, whom| {
        let mut account = new_account(user);
        account.contacts.push(contact(whom, 0));
        account
    };
    let accounts =
        vec![new_account(ALICE), watching(BOB, DAVE), watching(CAROL, BOB), watching(DAVE, BOB)];
    server.add(accounts);
    (server, store)
}

/// Alice with the longest list, in every group there can be, and everybody on it.
fn crowd(shows_properties: bool) -> Vec<NewAccount> {
    let mut alice = new_account(ALICE);
    let long = Name::new(&"é".repeat(60)).unwrap();
    alice.groups = (0..GROUPS)
        .map(|id| Group { id: GroupId::new(id).unwrap(), name: Name::new("Friends").unwrap() })
        .collect();
    let others = (0..CONTACTS).map(|number| {
        let address = format!("user{number}@example.test");
        alice.contacts.push(NewContact { name: long.clone(), ..contact(&address, number) });
        let mut other = new_account(&address);
        if shows_properties {
            other.properties.insert(PropertyKey::HomePhone, "46 8 555 01 00".into());
            other.properties.insert(PropertyKey::MobilePhone, "46 70 555 01 00".into());
        }
        other
    });
    let mut accounts: Vec<_> = others.collect();
    accounts.push(alice);
    accounts
}

fn contact(address: &str, number: usize) -> NewContact {
    let group = GroupId::new(u32::try_from(number).unwrap() % GROUPS).unwrap();
    NewContact {
        address: Address::parse(address).unwrap(),
        name: Name::new(address).unwrap(),
        lists: ListBits::FORWARD,
        groups: GroupSet::default().with(group),
    }
}

async fn open(folder: &Path) -> Arc<dyn Store> {
    let options = SqliteOptions {
        path: folder.join("msnd.sqlite"),
        synchronous: Synchronous::Off,
        readers: 1,
        limits: RosterLimits::default(),
        create: true,
    };
    Arc::new(SqliteStore::open(options).await.unwrap())
}
