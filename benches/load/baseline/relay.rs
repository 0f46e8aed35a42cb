//! A switchboard that only moves bytes: two connections name the same pair, and each gets what the
//! other says. One thread; state in plain cells.

use socket2::SockRef;
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    future::poll_fn,
    io::{ErrorKind, Write as _},
    net::Shutdown,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::{
        TcpListener,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::spawn_local,
};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; READ_BYTES].into(),
        relayed: Vec::with_capacity(2 * READ_BYTES),
        replies: Vec::with_capacity(READ_BYTES),
    });
}

/// Buffers that all connections share.
struct Scratch {
    read: Box<[u8]>,
    /// What goes to the partner.
    relayed: Vec<u8>,
    /// What goes back.
    replies: Vec<u8>,
}

/// Those who wait for the other one of their pair.
type Waiting = RefCell<HashMap<Vec<u8>, Rc<Peer>>>;

struct Peer {
    stream: OwnedWriteHalf,
    pending: RefCell<Vec<u8>>,
    partner: OnceCell<Rc<Self>>,
    /// Address and name.
    person: OnceCell<Vec<u8>>,
    /// How what it says begins, up to the length.
    header: OnceCell<Vec<u8>>,
    has_left: Cell<bool>,
}

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener) {
    let waiting = Rc::new(Waiting::default());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (read_half, write_half) = stream.into_split();
        let peer = Rc::new(Peer {
            stream: write_half,
            pending: RefCell::default(),
            partner: OnceCell::new(),
            person: OnceCell::new(),
            header: OnceCell::new(),
            has_left: Cell::new(false),
        });
        spawn_local(converse(waiting.clone(), peer, read_half));
    }
}

async fn converse(waiting: Rc<Waiting>, peer: Rc<Peer>, mut stream: OwnedReadHalf) {
    // The part of a message that has come so far.
    let mut rest = Vec::new();
    let left = poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            while ready!(poll(cx, &waiting, &peer, &mut stream, &mut rest, scratch)) {}
            Poll::Ready(())
        })
    });
    left.await;
    if let Some((partner, person)) = peer.partner.get().zip(peer.person.get()) {
        let address = person.split(|byte| *byte == b' ').next().unwrap();
        put(partner, &[b"BYE ", address, b"\r\n"].concat());
    }
    // Its other half is in the hands of the partner.
    SockRef::from(stream.as_ref()).shutdown(Shutdown::Both).ok();
}

/// Reads once and writes what follows from it. Whether more may come.
fn poll(
    cx: &mut Context<'_>,
    waiting: &Waiting,
    peer: &Rc<Peer>,
    stream: &mut OwnedReadHalf,
    rest: &mut Vec<u8>,
    Scratch { read, relayed, replies }: &mut Scratch,
) -> Poll<bool> {
    let kept = rest.len();
    let mut buffer = ReadBuf::new(&mut read[kept..]);
    // Unlike `try_read`, this knows after a short read that nothing is left.
    ready!(Pin::new(stream).poll_read(cx, &mut buffer)).ok();
    let received = buffer.filled().len();
    read[..kept].copy_from_slice(rest);
    let whole = &read[..kept + received];
    relayed.clear();
    replies.clear();
    let taken = peer.take(waiting, whole, relayed, replies);
    rest.clear();
    rest.extend_from_slice(&whole[taken..]);
    if let Some(partner) = peer.partner.get() {
        put(partner, relayed);
    }
    put(peer, replies);
    Poll::Ready(received > 0 && !peer.has_left.get())
}

impl Peer {
    /// Takes all whole messages; returns how many bytes they were.
    fn take(
        self: &Rc<Self>,
        waiting: &Waiting,
        bytes: &[u8],
        relayed: &mut Vec<u8>,
        replies: &mut Vec<u8>,
    ) -> usize {
        let mut taken = 0;
        while let Some(end) = bytes[taken..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[taken..taken + end - 1];
            let after = taken + end + 1;
            let Some(words) = line.strip_prefix(b"MSG ") else {
                match line.strip_prefix(b"PAIR ") {
                    Some(words) => self.pair(waiting, words),
                    None => self.has_left.set(line == b"OUT"),
                }
                taken = after;
                continue;
            };
            let space = words.iter().position(|byte| *byte == b' ').unwrap();
            let (trid, kind) = (&words[..space], words[space + 1]);
            let length = &words[space + 3..];
            let payload_bytes =
                length.iter().fold(0, |sum, digit| sum * 10 + usize::from(*digit - b'0'));
            if bytes.len() < after + payload_bytes {
                break;
            }
            relayed.extend_from_slice(self.header.get().unwrap());
            relayed.extend_from_slice(&bytes[after - 2 - length.len()..after + payload_bytes]);
            if kind != b'N' {
                replies.extend_from_slice(b"ACK ");
                replies.extend_from_slice(trid);
                replies.extend_from_slice(b"\r\n");
            }
            taken = after + payload_bytes;
        }
        taken
    }

    /// The first line: number of the pair, address and name. Both hear `JOI` when both are there.
    fn pair(self: &Rc<Self>, waiting: &Waiting, words: &[u8]) {
        let space = words.iter().position(|byte| *byte == b' ').unwrap();
        let (number, person) = (words[..space].to_vec(), words[space + 1..].to_vec());
        let mut header = b"MSG ".to_vec();
        header.extend_from_slice(&person);
        header.push(b' ');
        self.header.set(header).unwrap();
        self.person.set(person).unwrap();
        let Some(partner) = waiting.borrow_mut().remove(&number) else {
            waiting.borrow_mut().insert(number, self.clone());
            return;
        };
        for (to, other) in [(self, &partner), (&partner, self)] {
            let mut line = b"JOI ".to_vec();
            line.write_all(other.person.get().unwrap()).unwrap();
            line.extend_from_slice(b"\r\n");
            put(to, &line);
            assert!(to.partner.set(other.clone()).is_ok());
        }
    }
}

/// Writes at once; what the socket does not take waits.
fn put(peer: &Rc<Peer>, mut bytes: &[u8]) {
    let mut pending = peer.pending.borrow_mut();
    if pending.is_empty() && !bytes.is_empty() {
        let written = peer.stream.try_write(bytes).unwrap_or_default();
        bytes = &bytes[written..];
        if !bytes.is_empty() {
            spawn_local(flush(peer.clone()));
        }
    }
    pending.extend_from_slice(bytes);
}

/// Writes what waits, until nothing does or the peer is gone.
async fn flush(peer: Rc<Peer>) {
    while peer.stream.writable().await.is_ok() {
        let mut pending = peer.pending.borrow_mut();
        match peer.stream.try_write(&pending) {
            Ok(written) => {
                pending.drain(..written);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => pending.clear(),
        }
        if pending.is_empty() {
            return;
        }
    }
}
