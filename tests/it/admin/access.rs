//! Who may ask: the owner of the socket, and whoever has the token.

use super::{ALICE, TOKEN, http::Door, server, server_over_tcp, token_file};
use crate::support::server::loopback;
use msnd::{
    admin::{ENDPOINTS, SocketError, TokenError},
    config::Bind,
    metrics::Metrics,
    model::subnet::Subnet,
    server::{self, StartError},
    store::{
        password::{Cost, PasswordHasher},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::Path,
    sync::Arc,
};

#[test]
fn only_its_owner_may_open_the_socket() {
    let (server, door) = server(|_| {});
    let Door::Socket(path) = &door else { panic!("{door:?}") };
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let path = path.clone();
    drop(server);
    assert!(!path.exists(), "the socket outlived its server");
}

#[test]
fn over_tcp_everything_but_health_wants_the_token() {
    let (_server, door, _folder) = server_over_tcp(|_| {});
    let right = format!("Authorization: Bearer {TOKEN}");
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{address}", ALICE);
        let is_open = ["/healthz", "/readyz"].contains(&endpoint.path);
        for wrong in [
            "X-Nothing: 1",
            "Authorization: Bearer",
            "Authorization: Bearer 0123456789abcdef0123456789abcdee",
            "Authorization: Bearer 0123456789abcdef",
            "Authorization: Basic MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "Authorization: 0123456789abcdef0123456789abcdef",
            "Cookie: token=0123456789abcdef0123456789abcdef",
        ] {
            let answer = door.request(endpoint.method, &path, &[wrong], "");
            assert_eq!(answer.status, if is_open { 200 } else { 401 }, "{path}, {wrong}");
            if !is_open {
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert!(!answer.body.contains(TOKEN) && !answer.body.contains("MDEy"));
            }
        }
        let answer = door.request(endpoint.method, &path, &[&right], "");
        assert_ne!(answer.status, 401, "{path}");
    }
}

#[test]
fn a_token_that_others_may_read_or_that_is_none_starts_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = token_file(&folder, TOKEN);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(start(&folder, &path), StartError::Token(TokenError::Exposed { .. })));
    let path = token_file(&folder, "short");
    let error = start(&folder, &path);
    assert!(matches!(error, StartError::Token(TokenError::Unfit { .. })), "{error}");
    assert!(!error.to_string().contains("short"), "{error}");
    let missing = folder.path().join("missing");
    assert!(matches!(start(&folder, &missing), StartError::Token(TokenError::Unreadable { .. })));
    assert!(!folder.path().join("admin.socket").exists(), "a refused start left its socket");
}

#[test]
fn a_living_server_keeps_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&folder, TOKEN);
    let _living = UnixListener::bind(folder.path().join("admin.socket")).unwrap();
    let error = start(&folder, &token);
    assert!(matches!(error, StartError::Socket(SocketError::Taken { .. })), "{error}");
    let text = error.to_string();
    assert!(text.contains("admin.socket") && text.contains("another server"), "{text}");
}

/// Why a server on this folder, with this token, does not start.
fn start(folder: &tempfile::TempDir, token: &Path) -> StartError {
    let mut config = loopback();
    config.data.dir = folder.path().into();
    config.admin.bind = Bind::At(([127, 0, 0, 1], 0).into());
    config.admin.token_file = token.into();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("test.sqlite"),
            synchronous: msnd::config::Synchronous::Off,
            readers: 1,
            limits: msnd::model::roster::RosterLimits::default(),
            create: true,
        });
        let options = server::Options {
            config,
            store: Arc::new(store.await.unwrap()),
            hasher: Arc::new(PasswordHasher::new(Cost::Cheap, 1, 1)),
            metrics: Arc::new(Metrics::default()),
            tls: None,
            surroundings: server::Surroundings::Test,
        };
        server::start(options).await.unwrap_err()
    })
}

#[test]
fn a_proxy_says_who_asks() {
    let (server, door, _folder) = server_over_tcp(|config| {
        config.net.proxy_protocol_from = vec![Subnet::try_from("127.0.0.0/8".to_owned()).unwrap()];
    });
    let ask = |header: &str| {
        let request = format!("{header}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        String::from_utf8(door.raw(request.as_bytes())).unwrap()
    };
    for header in ["PROXY TCP4 192.0.2.7 192.0.2.1 40000 1869\r\n", "PROXY UNKNOWN\r\n"] {
        assert!(ask(header).starts_with("HTTP/1.1 200 "), "{header}");
    }
    for header in ["", "PROXY TCP4 nonsense\r\n"] {
        assert_eq!(ask(header), "", "{header:?}");
    }
    drop(server);
}
