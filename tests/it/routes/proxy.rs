//! A client that reaches nothing but an HTTP proxy: one that takes TLS off and asks msnd in place
//! of everybody, as proxies for old computers do; and msnd itself where somebody entered it as one.

use super::{
    ALICE, BOB, Computer, Home, PASSWORD, Server,
    computer::{Tls, get},
    escaped, header, home,
    messenger::{ORIGINAL, configuration_request, login, login_place, visit_pages},
    ticket_in,
};
use crate::{
    gateway::client::{Http, Reply, commands},
    process::child::exchange,
    support::client::PATIENCE,
};
use openssl::{
    asn1::Asn1Time,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    ssl::{SslAcceptor, SslMethod},
    x509::{X509, X509NameBuilder, extension::SubjectAlternativeName},
};
use rstest::rstest;
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read as _, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

const NEXUS: &str = "nexus.passport.com";
const GATEWAY: &str = "gateway.messenger.hotmail.com";

/// An address of this process's own, where one listener can serve pages and Passport.
pub(super) fn port_80(last: u8) -> SocketAddr {
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    SocketAddr::from(([127, high, low, last], 8000 + u16::from(last)))
}

/// A server whose operator lets Passport be asked without TLS, on the port of the web pages.
fn server(last: u8) -> (Home, Server) {
    let home = home();
    let address = port_80(last);
    let options = [
        format!("web.bind={address}"),
        format!("passport.http_bind={address}"),
        format!("gateway.advertised={GATEWAY}"),
    ];
    let server = home.keeping(&options.each_ref().map(String::as_str));
    (home, server)
}

/// How a proxy asks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Absolute,
    Origin,
}

/// A proxy for old computers.
struct Proxy {
    address: SocketAddr,
    /// What its users trust in place of Microsoft's.
    certificate: X509,
}

impl Proxy {
    fn start(server: SocketAddr, form: Form) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let key = EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap());
        let key = PKey::from_ec_key(key.unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "proxy").unwrap();
        let name = name.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        let mut names = SubjectAlternativeName::new();
        let names = names.dns(NEXUS).build(&certificate.x509v3_context(None, None)).unwrap();
        certificate.append_extension(names).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = certificate.build();
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        acceptor.set_private_key(&key).unwrap();
        let acceptor = Arc::new(acceptor.build());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, acceptor) = (stream.unwrap(), acceptor.clone());
                // A client that goes away ends its connection and nothing else.
                thread::spawn(move || serve(stream, server, form, &acceptor));
            }
        });
        Self { address, certificate }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request for `https://host`, as clients send it through a proxy.
    fn https(&self, computer: &Computer<'_>, host: &str, request: &str) -> String {
        let mut stream = self.connect();
        let tunnel = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
        stream.write_all(tunnel.as_bytes()).unwrap();
        let mut answer = [0; PROXY_IS_OPEN.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, PROXY_IS_OPEN.as_bytes());
        exchange(computer.encrypt(stream, host, Tls::Today), request)
    }
}

const PROXY_IS_OPEN: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// Requests of one connection, each passed on to msnd, whoever they are for.
fn serve(stream: TcpStream, server: SocketAddr, form: Form, acceptor: &SslAcceptor) {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = read(&mut stream) {
        let Some(rest) = head.strip_prefix("CONNECT ") else {
            let answer = pass(server, form, &head, &body);
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            continue;
        };
        let host = rest.split(':').next().unwrap().to_owned();
        stream.get_mut().write_all(PROXY_IS_OPEN.as_bytes()).unwrap();
        let mut inside = BufReader::new(acceptor.accept(stream.into_inner()).unwrap());
        let (head, body) = read(&mut inside).unwrap();
        let (method, target) = head.split_once(' ').unwrap();
        let head = format!("{method} http://{host}{target}");
        let answer = pass(server, form, &head, &body);
        inside.get_mut().write_all(answer.as_bytes()).unwrap();
        let _ = inside.get_mut().shutdown();
        return;
    }
}

/// One request with its body.
fn read(stream: &mut impl BufRead) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// Asks msnd; the answer as it came.
fn pass(server: SocketAddr, form: Form, head: &str, body: &str) -> String {
    let (method, rest) = head.split_once(' ').unwrap();
    let head = match rest.strip_prefix("http://") {
        Some(rest) if form == Form::Origin => {
            let (_, target) = rest.split_once('/').unwrap();
            format!("{method} /{target}")
        }
        _ => head.to_owned(),
    };
    let mut http = Http::connect(server);
    http.send_raw(&format!("{head}{body}"));
    let Reply { head, body } = http.read();
    format!("{head}\r\n\r\n{body}")
}

/// A session behind the gateway, polled through a proxy.
struct Polled {
    proxy: Http,
    /// Where the next request goes, as the last answer said.
    gateway: String,
    id: String,
    is_over: bool,
    lines: VecDeque<String>,
}

impl Polled {
    fn open(proxy: SocketAddr, role: &str, body: &str) -> Self {
        let mut polled = Self {
            proxy: Http::connect(proxy),
            gateway: GATEWAY.to_owned(),
            id: String::new(),
            is_over: false,
            lines: VecDeque::new(),
        };
        polled.ask(&format!("Action=open&Server={role}&IP=messenger.hotmail.com"), body);
        polled
    }

    fn ask(&mut self, query: &str, body: &str) {
        assert!(!self.is_over, "the session is over");
        let gateway = &self.gateway;
        self.proxy.send_raw(&format!(
            "POST http://{gateway}/gateway/gateway.dll?{query} HTTP/1.1\r\nAccept: */*\r\n\
             User-Agent: MSMSGS\r\nHost: {gateway}\r\nProxy-Connection: Keep-Alive\r\n\
             Pragma: no-cache\r\nContent-Type: application/x-msn-messenger\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let reply = self.proxy.read();
        assert_eq!(reply.status(), "HTTP/1.1 200 OK");
        let session = reply.session();
        self.is_over = session.last() == Some(&"Session=close");
        let gateway = session[1].strip_prefix("GW-IP=").unwrap().to_owned();
        (self.id, self.gateway) = (reply.id(), gateway);
        self.lines.extend(commands(&reply.body));
    }

    fn send(&mut self, bytes: &str) {
        self.ask(&format!("SessionID={}", self.id), bytes);
    }

    /// The next line, or payload, that is no challenge.
    fn line(&mut self) -> String {
        loop {
            match self.lines.pop_front() {
                Some(line) if line.starts_with("CHL 0 ") => {}
                Some(line) => return line,
                None => self.ask(&format!("Action=poll&SessionID={}&Lifespan=20", self.id), ""),
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// Reads until a line that begins so.
    fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// From `VER` to the own status, with a ticket from `ticket` for the challenge.
    fn sign_in(proxy: SocketAddr, user: &str, ticket: impl Fn(&str) -> String) -> Self {
        let hello = format!(
            "VER 1 MSNP9 MSNP8 CVR0\r\nCVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}\
             \r\nUSR 3 TWN I {user}\r\n"
        );
        let mut ns = Self::open(proxy, "NS", &hello);
        ns.expect("VER 1 MSNP9 MSNP8 CVR0");
        assert!(ns.line().starts_with("CVR 2 "));
        // No referral: whoever comes through the gateway is there already.
        let line = ns.line();
        let ticket = ticket(line.strip_prefix("USR 3 TWN S ").unwrap());
        ns.send(&format!("USR 4 TWN S {ticket}\r\n"));
        assert!(ns.line().starts_with(&format!("USR 4 OK {user} ")));
        assert!(ns.line().starts_with("MSG Hotmail Hotmail "));
        assert!(ns.line().contains("\r\nClientPort: 0\r\n"));
        ns.send("SYN 5 0\r\nCHG 6 NLN 268435500\r\n");
        ns.until(super::entry(user));
        ns.until("CHG 6 NLN 268435500");
        ns
    }
}

/// Everything through the gateway, the switchboards too.
fn chat(proxy: SocketAddr, alice: &mut Polled, bob: &mut Polled) {
    alice.send("XFR 20 SB\r\n");
    let referral = alice.until("XFR 20 SB ");
    let words: Vec<&str> = referral.split(' ').collect();
    let hello = format!("USR 1 {ALICE} {}\r\n", words[5]);
    let mut caller = Polled::open(proxy, "SB", &hello);
    caller.expect("USR 1 OK alice@example.test Alice");
    caller.send(&format!("CAL 2 {BOB}\r\n"));
    assert!(caller.line().starts_with("CAL 2 RINGING "));
    let ring = bob.until("RNG ");
    let words: Vec<&str> = ring.split(' ').collect();
    let hello = format!("ANS 1 {BOB} {} {}\r\n", words[4], words[1]);
    let mut called = Polled::open(proxy, "SB", &hello);
    called.expect("IRO 1 1 1 alice@example.test Alice");
    called.expect("ANS 1 OK");
    caller.expect("JOI bob@example.test Bob");
    tell(&mut caller, &mut called, "alice@example.test Alice");
    tell(&mut called, &mut caller, "bob@example.test Bob");
    called.send("OUT\r\n");
    assert!(called.is_over);
    caller.expect("BYE bob@example.test");
}

fn tell(from: &mut Polled, to: &mut Polled, sender: &str) {
    let text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhello";
    from.send(&format!("MSG 7 A {}\r\n{text}", text.len()));
    from.expect("ACK 7");
    to.expect(&format!("MSG {sender} {}", text.len()));
    to.expect(text);
}

#[rstest]
#[case::absolute(Form::Absolute, 71)]
#[case::origin(Form::Origin, 72)]
fn behind_a_proxy_that_takes_tls_off_one_signs_in_and_chats(#[case] form: Form, #[case] last: u8) {
    let (_home, server) = server(last);
    let proxy = Proxy::start(server.address("http"), form);
    // It knows no name at all: the proxy does.
    let mut computer = Computer::new(&server);
    computer.trust(proxy.certificate.clone());

    let ticket = |user: &'static str| {
        let (proxy, computer) = (&proxy, &computer);
        move |challenge: &str| {
            let answer = proxy.https(computer, NEXUS, &get("/rdr/pprdr.asp", NEXUS));
            let (host, path) = login_place(header(&answer, "PassportURLs"));
            ticket_in(&proxy.https(computer, &host, &login(&path, &host, user, challenge)))
        }
    };
    let mut alice = Polled::sign_in(proxy.address, ALICE, ticket(ALICE));
    let mut bob = Polled::sign_in(proxy.address, BOB, ticket(BOB));
    alice.expect("NLN NLN bob@example.test Bob 268435500");
    chat(proxy.address, &mut alice, &mut bob);

    let host = "config.messenger.msn.com";
    let ask = |request: &str| {
        let mut http = Http::connect(proxy.address);
        http.send_raw(request);
        let Reply { head, body } = http.read();
        format!("{head}\r\n\r\n{body}")
    };
    let configuration = ask(&configuration_request(ORIGINAL.config, host));
    visit_pages(&configuration, host, |path| ask(&get(&format!("http://{host}{path}"), host)));
}

/// Somebody entered the server itself as the proxy: what is plain HTTP works.
#[test]
fn the_server_in_place_of_a_proxy_serves_what_it_can_and_tunnels_nothing() {
    let (_home, server) = server(73);
    let address = server.address("http");
    let ask = |request: &str| exchange(TcpStream::connect(address).unwrap(), request);
    for target in ["nexus.passport.com:443", "messenger.hotmail.com:1863", "127.0.0.1:22"] {
        for listener in ["http", "passport-https"] {
            let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
            let answer = if listener == "http" {
                ask(&request)
            } else {
                Computer::new(&server).https("127.0.0.1", Tls::Careless, &request)
            };
            assert!(answer.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{answer}");
            assert!(answer.contains("\r\nContent-Length: 0\r\n"), "{answer}");
        }
    }
    // As aMSN asks where a proxy is entered: without TLS.
    let ticket = |challenge: &str| {
        let target = "http://login.passport.com/login2.srf";
        let answer = ask(&format!(
            "GET {target} HTTP/1.0\r\nHost: login.passport.com\r\nAuthorization: Passport1.4 \
             OrgVerb=GET,OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={ALICE},pwd={},\
             {challenge}\r\n\r\n",
            escaped(PASSWORD)
        ));
        ticket_in(&answer)
    };
    drop(Polled::sign_in(address, ALICE, ticket));
}
