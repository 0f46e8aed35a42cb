//! Everything a peer can do wrong, over real sockets: each ends as the reference says, costs
//! bounded memory, and nobody else notices.

mod crowd;
mod input;
mod limits;
mod pieces;
mod states;

use crate::support::{Client, TestServer};
use msnd::{server::Role, session::command::RowInfo};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// A server with Alice, who misbehaves, and Bob, who must not notice.
struct Target {
    // Before the server, which on its end waits for clients that hold on.
    bob: Client,
    server: TestServer,
}

impl Target {
    fn new() -> Self {
        let server = TestServer::with_users(&[ALICE, BOB]);
        let bob = Client::present(&server, "MSNP9", BOB, "NLN");
        Self { bob, server }
    }

    fn connect(&self, role: Role) -> Client {
        Client::connect(self.server.address(role))
    }

    /// A connection that has agreed on a dialect.
    fn greeted(&self, role: Role) -> Client {
        let mut client = self.connect(role);
        client.ask("VER 1 MSNP9", "VER 1 MSNP9");
        client
    }

    /// Alice, who has not synchronised and shows no status: nothing is sent to her unasked.
    fn alice(&self) -> Client {
        Client::sign_in(&self.server, "MSNP9", ALICE)
    }

    /// Alice sends `bytes`, which must end her connection without a word.
    #[track_caller]
    fn closes_alice(&self, bytes: impl AsRef<[u8]>) {
        closes(self.alice(), bytes, b"PNG\r\n");
    }

    /// Alice sends `bytes` and hears these lines; `end` tells whether the connection ends then.
    #[track_caller]
    fn tells_alice(&self, bytes: impl AsRef<[u8]>, lines: &[&str], end: bool) {
        let mut expected = lines.to_vec();
        if !end {
            expected.push("QNG 60");
        }
        let mut alice = self.alice();
        alice.try_send_bytes(bytes.as_ref());
        alice.try_send_bytes(b"PNG\r\n");
        let mut heard = Vec::new();
        while end || heard.len() < expected.len() {
            let Some(line) = alice.line_or_end() else { break };
            heard.push(line);
        }
        assert_eq!(heard, expected, "after {}", bytes.as_ref().escape_ascii());
    }

    /// Bob is still there and was told nothing.
    fn leaves_bob_alone(&mut self) {
        self.bob.expect_silence();
    }
}

/// Sends `bytes`, which must end the connection without a word; a server that overlooked them
/// would answer `probe`.
#[track_caller]
fn closes(mut client: Client, bytes: impl AsRef<[u8]>, probe: &[u8]) {
    let bytes = bytes.as_ref();
    client.try_send_bytes(bytes);
    client.try_send_bytes(probe);
    let heard = client.line_or_end();
    assert_eq!(heard, None, "after {}", bytes.escape_ascii());
}

/// A command of this row with so many words behind the transaction id.
fn command(row: &RowInfo, trid: &str, words: usize) -> String {
    let mut line = row.verb.to_owned();
    if row.has_trid {
        line += &format!(" {trid}");
    }
    line += &" 0".repeat(words);
    line + "\r\n"
}
