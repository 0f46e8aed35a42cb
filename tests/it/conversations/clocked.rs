//! A switchboard connection on a clock that stands still, over a line in memory: how long it waits
//! for whom.

use super::message;
use crate::{
    rooms::person,
    store::{LIMITS, sqlite_options},
    support::server::loopback,
};
use msnd::{
    hub::{Facts, Hub, Inbox, Member, SessionId, SignIn},
    metrics::Metrics,
    model::{Circle, Dialect},
    session::{Role, SessionLimits, run},
    store::sqlite::{SqliteOptions, SqliteStore},
    switchboard::{
        Context, Switchboard,
        queue::{News, Queue, TAKE_WAIT},
        rooms::Seat,
    },
};
use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
const QUEUE_BYTES_MAX: usize = 65_536;
/// A few times what a connection may take for its last lines and its end.
const SOON: Duration = Duration::from_secs(30);

/// A switchboard with the connection of person 1, who has opened a room, and 2 in it, without one.
struct Bench {
    context: Arc<Context>,
    /// Person 1's end of the line.
    line: DuplexStream,
    served: JoinHandle<()>,
    other: (Seat, Queue),
    _session: (Member, Inbox),
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        Self::with(64, QUEUE_BYTES_MAX).await
    }

    /// With a line that takes so many bytes at once, and queues for so many.
    async fn with(line_bytes: usize, queue_bytes_max: usize) -> Self {
        let mut config = loopback();
        config.limits.room_queue_bytes_max = queue_bytes_max;
        config.limits.output_queue_bytes_max = 4096;
        let (config, hub) = (Arc::new(config), Hub::new(64));
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { limits: LIMITS, ..sqlite_options(folder.path()) };
        let store = Arc::new(SqliteStore::open(options).await.unwrap());
        let (metrics, closing) = (Arc::new(Metrics::default()), CancellationToken::new());
        let limits = SessionLimits::from(&*config);
        let context = Context::new(config, store, hub.clone(), &metrics, closing, HashSet::new());
        let context = Arc::new(context);
        tokio::time::pause();
        let alice = person(1);
        let facts = Facts::unknown(Dialect::Msnp9);
        let sign_in = SignIn {
            session: SessionId(1),
            person: alice.clone(),
            circle: Circle::default(),
            version: 1,
            facts,
        };
        let session = hub.expect(alice.id).sign_in(sign_in).unwrap();
        let cookie = session.0.open_conversation(None).unwrap();
        let (mut line, theirs) = tokio::io::duplex(line_bytes);
        let role = Switchboard::new(context.clone(), SessionId(2), PEER);
        let served =
            TaskTracker::new().spawn(run(role, theirs, &[], limits, CancellationToken::new(), ()));
        line.write_all(format!("USR 1 {} {}\r\n", alice.address, *cookie).as_bytes())
            .await
            .unwrap();
        expect(&mut line, "USR 1 OK u1@example.test U1\r\n").await;
        let id = context.rooms().list(msnd::hub::RoomId(0), 1)[0].id;
        let (seat, queue, _) = context.rooms().join(id, &person(2), None).unwrap();
        expect(&mut line, "JOI u2@example.test U2\r\n").await;
        Self { context, line, served, other: (seat, queue), _session: session, _folder: folder }
    }

    fn members(&self) -> usize {
        self.context.rooms().list(msnd::hub::RoomId(0), 1)[0].members.len()
    }
}

async fn expect(line: &mut DuplexStream, text: &str) {
    let mut heard = vec![0; text.len()];
    line.read_exact(&mut heard).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), text);
}

#[tokio::test]
async fn a_conversation_that_has_ended_does_not_wait_long_for_a_dripping_reader() {
    let Bench { mut line, served, mut other, .. } = Bench::start().await;
    assert!((0..20).all(|_| other.0.say(&[b'x'; 1000]).is_delivered));
    // It takes a little all the time, so nothing stands still for a minute.
    let drip = TaskTracker::new().spawn(async move {
        while line.read_exact(&mut [0; 8]).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    sleep(Duration::from_secs(600)).await;
    assert!(!served.is_finished());
    let ended_at = Instant::now();
    other.0.end_if_idle(ended_at);
    served.await.unwrap();
    assert!(ended_at.elapsed() < SOON, "{:?}", ended_at.elapsed());
    drip.abort();
}

/// Sends messages until the connection takes no more for a second. `sent` counts the bytes that it
/// has ever taken, since the last message may have gone in half.
async fn send_until_held(line: &mut DuplexStream, sent: &mut usize) {
    // The bound is for a connection that never does.
    let _ = timeout(Duration::from_secs(1), send(line, sent, 4 * QUEUE_BYTES_MAX)).await;
}

/// Sends messages until the connection has ever taken so many bytes.
async fn send(line: &mut DuplexStream, sent: &mut usize, until: usize) {
    let message = message(1, "U", &[b'x'; 1000]);
    while *sent < until {
        *sent += line.write(&message[*sent % message.len()..]).await.unwrap();
    }
}

#[tokio::test]
async fn a_sender_waits_for_who_takes_something_and_not_for_who_takes_nothing() {
    let mut bench = Bench::start().await;
    let mut sent = 0;
    send_until_held(&mut bench.line, &mut sent).await;
    // What was read at once and is left aside comes on top.
    assert!((QUEUE_BYTES_MAX / 2 - 4096..QUEUE_BYTES_MAX).contains(&sent), "{sent} went in");
    // Something now and then is enough.
    for _ in 0..2 {
        sleep(TAKE_WAIT - Duration::from_secs(2)).await;
        assert!(bench.other.1.try_recv().is_some());
    }
    assert_eq!(bench.members(), 2);
    sleep(TAKE_WAIT + Duration::from_secs(1)).await;
    assert_eq!(bench.members(), 1, "it has taken nothing at all");
    expect(&mut bench.line, "BYE u2@example.test\r\n").await;
    // The sender is heard again: its commands go on where they were left.
    let more = sent + 2 * QUEUE_BYTES_MAX;
    send(&mut bench.line, &mut sent, more).await;
}

#[tokio::test]
async fn a_connection_is_as_old_as_it_was_at_the_door() {
    let bench = Bench::start().await;
    let accepted_at = Instant::now();
    sleep(Duration::from_secs(40)).await;
    let role = Switchboard::new(bench.context.clone(), SessionId(3), PEER).since(accepted_at);
    assert_eq!(role.deadline(), Some(accepted_at + Duration::from_secs(60)));
}

/// What came with what the hold began with is said when the hold ends, and only then grows old.
#[tokio::test]
async fn a_conversation_is_not_idle_while_what_was_held_is_said() {
    let mut bench = Bench::with(2 * QUEUE_BYTES_MAX, QUEUE_BYTES_MAX).await;
    let said: Vec<u8> = (0..40).flat_map(|_| message(1, "U", &[b'x'; 1000])).collect();
    bench.line.write_all(&said).await.unwrap();
    let idle = Duration::from_secs(600);
    let mut taken = 0;
    // Slower than that nobody may be for whom somebody waits.
    let pause = TAKE_WAIT - Duration::from_secs(1);
    let began_at = Instant::now();
    while began_at.elapsed() < idle / 6 {
        sleep(pause).await;
        taken += usize::from(bench.other.1.try_recv().is_some());
    }
    assert!(taken > 3, "{taken}");
    // The rest was said long after it came.
    sleep(idle - began_at.elapsed() + Duration::from_secs(1)).await;
    bench.other.0.end_if_idle(Instant::now());
    assert_eq!(bench.members(), 2);
}

/// Messages are read as fast as they come, but not faster than others get on meanwhile.
#[tokio::test]
async fn who_sends_much_lets_others_take_it_between_two_reads() {
    const READ_BYTES: usize = 64 * 1024;
    let Bench { mut line, mut other, context, _session, _folder, .. } =
        Bench::with(64 * READ_BYTES, 16 << 20).await;
    let message = message(1, "U", &[b'x'; 1000]);
    let count = 16 * READ_BYTES / message.len();
    let receiving = TaskTracker::new().spawn(async move {
        let (mut heard, mut waiting_max) = (0, 0);
        while heard < count {
            let waiting = context.rooms().waiting_bytes();
            waiting_max = waiting.max(waiting_max);
            while let Some(News::Lines(lines)) = other.1.try_recv() {
                heard += lines.windows(4).filter(|bytes| bytes == b"MSG ").count();
            }
            if heard < count {
                // Woken by the next line.
                let News::Lines(lines) = other.1.recv(true).await else { panic!("it is over") };
                heard += lines.windows(4).filter(|bytes| bytes == b"MSG ").count();
            }
        }
        waiting_max
    });
    line.write_all(&message.repeat(count)).await.unwrap();
    let waiting_max = receiving.await.unwrap();
    assert!(waiting_max < READ_BYTES * 5 / 4, "{waiting_max}");
}
