//! The admin API over real sockets: what it tells and does, whom it refuses, and that it is the one
//! its document describes.

mod access;
mod commands;
mod document;
mod endpoints;
mod hostile;
pub(crate) mod http;
mod metrics;
mod process;
mod rooms;
mod telling;

use crate::support::{TestServer, server::new_account};
use http::Door;
use msnd::{
    config::{Bind, Config},
    server::Role,
};
use std::{fs, os::unix::fs::PermissionsExt as _};
use tempfile::TempDir;

pub(crate) const ALICE: &str = "alice@example.test";
pub(crate) const BOB: &str = "bob@example.test";
pub(crate) const CAROL: &str = "carol@example.test";
/// The token of every server here that has one.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A server with three people, its Unix socket, and what `change` changes.
pub(crate) fn server(change: impl FnOnce(&mut Config)) -> (TestServer, Door) {
    let server = TestServer::start_with(change);
    server.add([ALICE, BOB, CAROL].map(new_account).into());
    let door = Door::Socket(server.running().admin_socket().unwrap().to_path_buf());
    (server, door)
}

/// The same, also listening on TCP; the folder holds its token.
pub(crate) fn server_over_tcp(change: impl FnOnce(&mut Config)) -> (TestServer, Door, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let token_file = token_file(&folder, TOKEN);
    let (server, _) = server(|config| {
        config.admin.bind = Bind::At(([127, 0, 0, 1], 0).into());
        config.admin.token_file = token_file;
        change(config);
    });
    let door = Door::Tcp(server.address(Role::Admin));
    (server, door, folder)
}

/// A token in a file that only its owner may read.
pub(crate) fn token_file(folder: &TempDir, token: &str) -> std::path::PathBuf {
    let path = folder.path().join("token");
    fs::write(&path, format!("{token}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
