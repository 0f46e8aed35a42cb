//! Clients of the login service: today's, through OpenSSL, and those of the time, through a TLS
//! library in Python that still speaks as they did.

use crate::support::{Client, TestServer, client::PATIENCE, server::PASSWORD};
use msnd::server::Role;
use openssl::{
    hash::MessageDigest,
    ssl::{SslConnector, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion},
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

pub(super) const ALICE: &str = "alice@example.test";

/// The Python that has the library; installed once, where the build keeps its files.
static PYTHON: LazyLock<String> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/old-tls-client");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("old-tls-client");
    let output = Command::new(script).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the TLS client for these tests is not there: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
});

/// What a client has seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// Such as `3.1` or `TLSv1.2`.
    pub(super) version: String,
    pub(super) cipher: String,
    /// SHA-256 of the server's certificate.
    pub(super) certificate: String,
    /// What came for a login request.
    pub(super) answer: String,
}

/// How a client says hello.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hello {
    Plain,
    /// In the form of SSL 2.
    SslV2,
    /// One byte in a segment, and everything after it too.
    Dribble,
}

/// Asks for a ticket as a client of the time: no server name, and the first byte of the request in
/// a record of its own where it uses CBC. Why not, if it gets none.
pub(super) fn old(
    server: &TestServer,
    version: &str,
    cipher: &str,
    hello: Hello,
) -> Result<Seen, String> {
    let port = server.address(Role::PassportHttps).port().to_string();
    let form = match hello {
        Hello::Plain => "plain",
        Hello::SslV2 => "sslv2",
        Hello::Dribble => "dribble",
    };
    let mut child = Command::new(&*PYTHON)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/client.py"))
        .args([&port, version, cipher, form])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |key: &str| seen[key].as_str().unwrap().to_owned();
    Ok(Seen {
        version: text("version"),
        cipher: text("cipher"),
        certificate: text("certificate"),
        answer: text("answer"),
    })
}

/// A connection of today's kind, but for what `change` changes.
pub(super) fn connect(
    server: &TestServer,
    name: Option<&str>,
    versions: (SslVersion, SslVersion),
    ciphers: &str,
) -> Result<SslStream<TcpStream>, String> {
    let tcp = TcpStream::connect(server.address(Role::PassportHttps)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.clear_options(SslOptions::NO_SSLV3);
    connector.set_cipher_list(&format!("{ciphers}:@SECLEVEL=0")).map_err(|e| e.to_string())?;
    connector.set_min_proto_version(Some(versions.0)).unwrap();
    connector.set_max_proto_version(Some(versions.1)).unwrap();
    let mut client = connector.build().configure().unwrap();
    client.set_verify_hostname(false);
    client.set_use_server_name_indication(name.is_some());
    client.connect(name.unwrap_or("nobody"), tcp).map_err(|error| error.to_string())
}

/// Asks for a ticket over a connection; the first byte goes in a record of its own.
pub(super) fn ask(mut stream: SslStream<TcpStream>) -> Seen {
    let request = request();
    let (first, rest) = request.as_bytes().split_at(1);
    stream.write_all(first).unwrap();
    stream.write_all(rest).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let ssl = stream.ssl();
    let digest = ssl.peer_certificate().unwrap().digest(MessageDigest::sha256()).unwrap();
    Seen {
        version: ssl.version_str().to_owned(),
        cipher: ssl.current_cipher().unwrap().name().to_owned(),
        certificate: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        answer,
    }
}

/// Presents the ticket that a client got to the notification role.
#[track_caller]
pub(super) fn sign_in(server: &TestServer, seen: &Seen) {
    let answer = &seen.answer;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, rest) = answer.split_once("from-PP='").unwrap();
    let ticket = rest.split_once('\'').unwrap().0;
    let mut client = Client::greet(server, "MSNP9", ALICE);
    client.send(&format!("USR 3 TWN S {ticket}"));
    let line = client.line();
    assert!(line.starts_with(&format!("USR 3 OK {ALICE} ")), "{line}");
}

fn request() -> String {
    format!(
        "GET /login2.srf HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in=alice%40example.test,pwd={PASSWORD},\
         lc=1033,id=507,tw=40,fs=1,ct=1,kpp=1,kv=11,ver=2.1.6000.1,tpf=0\r\n\
         User-Agent: MSMSGS\r\nHost: login.example.test\r\n\r\n"
    )
}
