//! A notification server that only moves bytes: fixed answers as long as real ones, and presence
//! for whoever is on a list. One thread; state in plain cells.

use super::Person;
use std::{
    cell::RefCell,
    collections::HashMap,
    io::{ErrorKind, Write as _},
    rc::Rc,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::spawn_local,
};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// When a line goes to its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// At once.
    Direct,
    /// With all others that have come meanwhile.
    Coalescing,
}

struct Server {
    people: Vec<Person>,
    numbers: HashMap<String, usize>,
    watchers: Vec<Vec<usize>>,
    present: RefCell<Vec<Option<Rc<Peer>>>>,
    writer: Writer,
    /// Who has something to be written.
    dirty: RefCell<Vec<Rc<Peer>>>,
    flush: Notify,
}

struct Peer {
    stream: TcpStream,
    pending: RefCell<Vec<u8>>,
    /// Status and client id as sent.
    presence: RefCell<Vec<u8>>,
}

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener, people: Vec<Person>, writer: Writer) {
    let numbers = people.iter().enumerate();
    let numbers = numbers.map(|(number, person)| (person.address.clone(), number)).collect();
    let mut watchers = vec![Vec::new(); people.len()];
    for (number, person) in people.iter().enumerate() {
        person.contacts.iter().for_each(|contact| watchers[*contact].push(number));
    }
    let present = RefCell::new(vec![None; people.len()]);
    let (dirty, flush) = (RefCell::default(), Notify::new());
    let server = Rc::new(Server { people, numbers, watchers, present, writer, dirty, flush });
    spawn_local(flush_for_ever(server.clone()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (pending, presence) = (RefCell::default(), RefCell::default());
        let peer = Rc::new(Peer { stream, pending, presence });
        spawn_local(converse(server.clone(), peer));
    }
}

async fn converse(server: Rc<Server>, peer: Rc<Peer>) {
    let (mut number, mut rest) = (None, Vec::new());
    while peer.stream.readable().await.is_ok() {
        let is_open = SCRATCH.with_borrow_mut(|scratch| match peer.stream.try_read(scratch) {
            Ok(0) => false,
            Ok(read) => {
                let mut replies = Vec::new();
                if rest.is_empty() {
                    let taken = server.lines(&peer, &mut number, &scratch[..read], &mut replies);
                    rest.extend_from_slice(&scratch[taken..read]);
                } else {
                    rest.extend_from_slice(&scratch[..read]);
                    let taken = server.lines(&peer, &mut number, &rest, &mut replies);
                    rest.drain(..taken);
                }
                server.put(&peer, &replies);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        if !is_open {
            break;
        }
    }
    if let Some(number) = number {
        server.leave(&peer, number);
    }
}

impl Server {
    /// Answers all whole lines; returns how many bytes they were.
    fn lines(
        &self,
        peer: &Rc<Peer>,
        number: &mut Option<usize>,
        bytes: &[u8],
        replies: &mut Vec<u8>,
    ) -> usize {
        let mut taken = 0;
        while let Some(end) = bytes[taken..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[taken..taken + end + 1];
            if line.starts_with(b"QRY") {
                if bytes.len() < taken + end + 1 + 32 {
                    break;
                }
                taken += 32;
                replies.extend_from_slice(b"QRY 9\r\n");
            }
            self.line(peer, number, line, replies);
            taken += end + 1;
        }
        taken
    }

    fn line(
        &self,
        peer: &Rc<Peer>,
        number: &mut Option<usize>,
        line: &[u8],
        replies: &mut Vec<u8>,
    ) {
        match &line[..3] {
            b"PNG" => replies.extend_from_slice(b"QNG 50\r\n"),
            b"CHG" => self.chg(peer, number.unwrap(), line, replies),
            b"VER" => replies.extend_from_slice(b"VER 1 MSNP9 CVR0\r\n"),
            b"CVR" => replies.extend_from_slice(
                b"CVR 2 6.0.0602 6.0.0602 1.0.0000 http://messenger.msn.com/download \
                  http://messenger.msn.com\r\n",
            ),
            b"USR" if line.starts_with(b"USR 3") => {
                let address = line[b"USR 3 TWN I ".len()..].trim_ascii_end();
                *number = self.numbers.get(std::str::from_utf8(address).unwrap()).copied();
                write!(replies, "USR 3 TWN S lc=1033,{:0181}\r\n", 0).unwrap();
            }
            b"USR" => {
                let Person { address, name, .. } = &self.people[number.unwrap()];
                write!(replies, "USR 4 OK {address} {name} 1 0\r\n").unwrap();
                write!(replies, "MSG Hotmail Hotmail 412\r\n{:0412}", 0).unwrap();
            }
            b"SYN" => {
                let contacts = &self.people[number.unwrap()].contacts;
                write!(replies, "SYN 5 1 {} 1\r\nGTC A\r\nBLP AL\r\n", contacts.len()).unwrap();
                replies.extend_from_slice(b"LSG 0 ~ 0\r\n");
                for contact in contacts {
                    let Person { address, name, .. } = &self.people[*contact];
                    write!(replies, "LST {address} {name} 11 0\r\n").unwrap();
                }
            }
            _ => {}
        }
    }

    fn chg(&self, peer: &Rc<Peer>, number: usize, line: &[u8], replies: &mut Vec<u8>) {
        let words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ').nth(2).unwrap();
        let is_first = peer.presence.replace(words.to_vec()).is_empty();
        replies.extend_from_slice(line);
        if is_first {
            self.present.borrow_mut()[number] = Some(peer.clone());
            for contact in &self.people[number].contacts {
                if let Some(present) = &self.present.borrow()[*contact] {
                    self.presence(b"ILN 6 ", &present.presence.borrow(), *contact, replies);
                }
            }
            replies.extend_from_slice(b"CHL 0 12345678901234567890\r\n");
        }
        let mut nln = Vec::with_capacity(128);
        self.presence(b"NLN ", words, number, &mut nln);
        self.tell(number, &nln);
    }

    fn presence(&self, verb: &[u8], presence: &[u8], number: usize, line: &mut Vec<u8>) {
        let Person { address, name, .. } = &self.people[number];
        let mut words = presence.split(|byte| *byte == b' ');
        line.extend_from_slice(verb);
        line.extend_from_slice(words.next().unwrap());
        write!(line, " {address} {name} ").unwrap();
        line.extend_from_slice(words.next().unwrap());
        line.extend_from_slice(b"\r\n");
    }

    fn leave(&self, peer: &Rc<Peer>, number: usize) {
        let is_this = |present: &Rc<Peer>| Rc::ptr_eq(present, peer);
        if self.present.borrow()[number].as_ref().is_some_and(is_this) {
            self.present.borrow_mut()[number] = None;
            self.tell(number, format!("FLN {}\r\n", self.people[number].address).as_bytes());
        }
    }

    fn tell(&self, number: usize, line: &[u8]) {
        let present = self.present.borrow();
        for watcher in &self.watchers[number] {
            if let Some(peer) = &present[*watcher] {
                self.put(peer, line);
            }
        }
    }

    fn put(&self, peer: &Rc<Peer>, mut bytes: &[u8]) {
        let mut pending = peer.pending.borrow_mut();
        if self.writer == Writer::Direct && pending.is_empty() {
            let written = peer.stream.try_write(bytes).unwrap_or_default();
            bytes = &bytes[written..];
        }
        if !bytes.is_empty() {
            if pending.is_empty() {
                self.dirty.borrow_mut().push(peer.clone());
                self.flush.notify_one();
            }
            pending.extend_from_slice(bytes);
        }
    }
}

async fn flush_for_ever(server: Rc<Server>) {
    loop {
        server.flush.notified().await;
        for peer in server.dirty.take() {
            if !flush(&peer) {
                spawn_local(async move {
                    while peer.stream.writable().await.is_ok() && !flush(&peer) {}
                });
            }
        }
    }
}

/// Writes what the socket takes; whether that was all, or there is no point in trying again.
fn flush(peer: &Peer) -> bool {
    let mut pending = peer.pending.borrow_mut();
    match peer.stream.try_write(&pending) {
        Ok(written) => {
            pending.drain(..written);
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(_) => pending.clear(),
    }
    pending.is_empty()
}
