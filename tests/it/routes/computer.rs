//! The computer of somebody who follows the text: which names lead here, whom it trusts, how its
//! clients speak TLS. Ports that clients take for granted cannot be had in a test; each stands for
//! the free one on which the server listens in its place.

use super::Server;
use crate::{
    process::child::exchange,
    support::{Client, client::PATIENCE},
};
use openssl::{
    ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode, SslVersion},
    x509::{X509, store::X509StoreBuilder},
};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
};

/// How a client does TLS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tls {
    /// As Windows XP has it: TLS 1.0 with 3DES, no server name; certificate and name are checked.
    #[cfg_attr(not(feature = "legacy-tls"), expect(dead_code, reason = "no such server"))]
    Xp,
    /// As Windows has it today: 1.2 or later, server name, all is checked.
    Today,
    /// As third-party clients brought it along: no server name, nothing is checked.
    Careless,
}

/// One computer.
pub(super) struct Computer<'a> {
    server: &'a Server,
    names: BTreeMap<String, Ipv4Addr>,
    trusted: Vec<X509>,
}

impl<'a> Computer<'a> {
    /// A computer from which no name leads to the server, and which trusts nobody.
    pub(super) fn new(server: &'a Server) -> Self {
        Self { server, names: BTreeMap::new(), trusted: Vec::new() }
    }

    /// Puts these lines at the beginning of its hosts file.
    pub(super) fn add_hosts(&mut self, lines: &str) {
        for line in lines.lines() {
            let words = line.split('#').next().unwrap().split_whitespace();
            let words: Vec<&str> = words.collect();
            let [address, names @ ..] = &words[..] else { continue };
            for name in names {
                self.names.insert((*name).to_owned(), address.parse().unwrap());
            }
        }
    }

    /// The names that lead somewhere.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Installs an authority.
    pub(super) fn trust(&mut self, authority: X509) {
        self.trusted.push(authority);
    }

    /// Follows the page at `http://ADDRESS/setup`: downloads hosts lines and authority, uses both.
    pub(super) fn set_up(&mut self) {
        let hosts = self.http("127.0.0.1", &get("/setup/hosts.txt", "127.0.0.1"));
        self.add_hosts(hosts.split_once("\r\n\r\n").unwrap().1);
        let mut stream = self.connect("127.0.0.1", 80);
        stream.write_all(get("/setup/msnd-ca.crt", "127.0.0.1").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        self.trust(X509::from_der(&answer[end + 4..]).unwrap());
    }

    /// A connection to `host` as this computer resolves it.
    #[track_caller]
    pub(super) fn connect(&self, host: &str, port: u16) -> TcpStream {
        let address = host.parse::<Ipv4Addr>().ok();
        let address = address.or_else(|| self.names.get(host).copied());
        let address = address.unwrap_or_else(|| panic!("{host} leads elsewhere"));
        assert!(address.is_loopback(), "{host} leads to {address}");
        let role = match port {
            80 => "http",
            443 => "passport-https",
            1863 => "dispatch",
            other => {
                return prepared(TcpStream::connect((address, other)).unwrap());
            }
        };
        prepared(TcpStream::connect(self.server.address(role)).unwrap())
    }

    /// A line client at `host:port`.
    #[track_caller]
    pub(super) fn dial(&self, address: &str) -> Client {
        let (host, port) = address.split_once(':').unwrap();
        Client::over(self.connect(host, port.parse().unwrap()))
    }

    /// One request to port 80, the whole answer.
    #[track_caller]
    pub(super) fn http(&self, host: &str, request: &str) -> String {
        exchange(self.connect(host, 80), request)
    }

    /// One request to port 443, the whole answer.
    #[track_caller]
    pub(super) fn https(&self, host: &str, tls: Tls, request: &str) -> String {
        let mut stream = self.encrypted(host, tls);
        // As Internet Explorer does it: a record for the first byte.
        stream.write_all(&request.as_bytes()[..1]).unwrap();
        exchange(stream, &request[1..])
    }

    /// An encrypted connection to port 443.
    #[track_caller]
    pub(super) fn encrypted(&self, host: &str, tls: Tls) -> SslStream<TcpStream> {
        self.encrypt(self.connect(host, 443), host, tls)
    }

    /// Encrypts a connection on which `host` answers.
    #[track_caller]
    pub(super) fn encrypt(&self, stream: TcpStream, host: &str, tls: Tls) -> SslStream<TcpStream> {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        self.trusted.iter().for_each(|authority| store.add_cert(authority.clone()).unwrap());
        connector.set_cert_store(store.build());
        match tls {
            Tls::Xp => {
                connector.set_cipher_list("DES-CBC3-SHA:@SECLEVEL=0").unwrap();
                connector.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
                connector.set_max_proto_version(Some(SslVersion::TLS1)).unwrap();
            }
            Tls::Today => connector.set_min_proto_version(Some(SslVersion::TLS1_2)).unwrap(),
            Tls::Careless => connector.set_verify(SslVerifyMode::NONE),
        }
        let mut client = connector.build().configure().unwrap();
        client.set_use_server_name_indication(tls == Tls::Today);
        client.set_verify_hostname(tls != Tls::Careless);
        client.connect(host, stream).unwrap_or_else(|error| panic!("{host}: {error}"))
    }
}

/// A request as a browser writes it.
pub(super) fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn prepared(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
