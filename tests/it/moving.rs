//! Moving a network from one server to another, and contact lists from and to the official client:
//! the binary with files, and random networks through the store.

mod contacts;
mod round_trip;

use crate::cli::{Home, Ran};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
};

const NETWORK: &str = r#"
[[user]]
email = "alice@example.test"
password = "secret"
name = "Alice \"A\" \\ 🌻"
groups = ["Friends", { id = 4, name = "Friends" }]
forward = [{ email = "bob@example.test", name = "Bobby", groups = ["~", 4] }]
allow = ["bob@example.test", { email = "carol@example.test", name = "C." }]
block = ["dave@example.test"]
privacy = "BL"
prompt = "N"
properties = { PHM = "46 555", MOB = "N" }
list_version = 41
mailbox = { unread = 3 }
created = 2004-01-01T12:00:00Z
order = ["carol@example.test", "dave@example.test", "bob@example.test"]

[[user]]
email = "bob@example.test"
password = "secret"
enabled = false

[[user]]
email = "carol@example.test"
password = "secret"
forward = ["alice@example.test"]

[[user]]
email = "dave@example.test"
password = "secret"
"#;

fn home_with(files: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, text) in files {
        std::fs::write(home.path().join(name), text).unwrap();
    }
    home
}

/// A home whose database holds [`NETWORK`].
fn network() -> Home {
    let home = home_with(&[("network.toml", NETWORK)]);
    let said = home.ok("user import network.toml", "");
    assert!(
        said.contains("made a new database") && said.ends_with("imported 4 accounts\n"),
        "{said}"
    );
    home
}

fn user(address: &str, more: &str) -> String {
    format!("[[user]]\nemail = \"{address}\"\npassword = \"secret\"\n{more}\n")
}

fn failed(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for say in says {
        assert!(ran.err.contains(say), "no {say:?} in {ran:?}");
    }
}

#[test]
fn a_moved_network_is_the_same_to_the_byte() {
    let old = network();
    let text = old.ok("user export", "");
    assert!(!text.contains("secret") && text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(text.contains("mailbox = { unread = 3, folders_unread = 0 }\n"), "{text}");
    assert!(text.contains("name = \"Alice \\\"A\\\" \\\\ 🌻\"\n"), "{text}");
    assert!(text.contains("created = 2004-01-01T12:00:00Z\nlist_version = 41\n"), "{text}");

    let new = home_with(&[("moved.toml", &text)]);
    new.ok("user import moved.toml", "");
    assert_eq!(new.ok("user export", ""), text);
    let shown = new.json("user show alice@example.test --json");
    assert_eq!(shown["contacts"], old.json("user show alice@example.test --json")["contacts"]);
    assert_eq!(new.json("user show bob@example.test --json")["enabled"], false);
}

#[cfg(unix)]
#[test]
fn an_exported_file_is_its_owners_alone_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = network();
    let said = home.ok("user export --out all.toml", "");
    assert!(said.starts_with("wrote 4 accounts"), "{said}");
    let file = home.path().join("all.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), home.ok("user export", ""));
    failed(&home.run("user export --out all.toml"), 1, &["all.toml exists already"]);
}

#[test]
fn a_moved_password_signs_in_and_the_ci_mode_reads_the_file() {
    let home = network();
    home.ok("user export --out all.toml", "");
    let mut server = Server::start(&home, "run --ephemeral --fixture all.toml --ready-json");
    let answer = server.login("alice%40example.test", "secret");
    assert!(answer.contains("from-PP='"), "{answer}");
    let answer = server.login("alice%40example.test", "wrong");
    assert!(!answer.contains("from-PP='"), "{answer}");
}

#[test]
fn people_who_are_not_exported_are_refused_or_left_out_with_a_warning() {
    let home = network();
    let ran = home.run("user export alice@example.test bob@example.test");
    failed(&ran, 1, &["carol@example.test, dave@example.test; ", "--leave-out-others"]);
    assert_eq!(ran.out, "");
    let line = "user export bob@example.test alice@example.test --leave-out-others";
    let ran = home.run(line);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.err,
        "msnd: left out of the exported lists: carol@example.test, dave@example.test\n"
    );
    assert!(!ran.out.contains("carol") && !ran.out.contains("dave"), "{ran:?}");
    let new = home_with(&[("some.toml", &ran.out)]);
    assert!(new.ok("user import some.toml", "").ends_with("imported 2 accounts\n"));
    failed(&home.run("user export zed@example.test"), 1, &["no account zed@example.test"]);
}

#[test]
fn a_wrong_file_is_refused_with_line_and_reason_and_leaves_nothing() {
    let home = home_with(&[
        ("a.toml", &user("alice@example.test", "allow = [\"zed@example.test\"]")),
        ("b.toml", &format!("{}password_hash = \"secret\"", user("bob@example.test", ""))),
    ]);
    failed(&home.run("user import a.toml"), 78, &["a.toml:4: zed@example.test is no user"]);
    failed(&home.run("user import b.toml"), 78, &["b.toml:5: password or password_hash"]);
    failed(&home.run("user import none.toml"), 78, &["none.toml: cannot be read"]);
    failed(&home.run("user import a.toml --replace --skip-existing"), 2, &["cannot be used with"]);
    assert!(!home.path().join("msnd-data").exists(), "a refused file made a database");
}

#[test]
fn accounts_that_are_here_are_an_error_or_kept_or_replaced() {
    let home = network();
    // A person can be on a list of the file without being in it, as dave.
    let more = user(
        "alice@example.test",
        "name = \"New\"\nforward = [\"zed@example.test\", \"dave@example.test\"]",
    ) + &user(
        "zed@example.test",
        "forward = [\"dave@example.test\"]\n\
         reverse = [{ email = \"alice@example.test\", name = \"Al\" }]",
    );
    std::fs::write(home.path().join("more.toml"), &more).unwrap();
    let before = home.ok("user export", "");

    let ran = home.run("user import more.toml");
    failed(&ran, 1, &["here already: alice@example.test; ", "nothing was imported"]);
    assert_eq!(home.ok("user export", ""), before);

    let said = home.ok("user import more.toml --skip-existing", "");
    assert_eq!(said, "imported 1 account, 1 left as they were\n");
    let lists = |who: &str, whom: &str| {
        let shown = home.json(&format!("user show {who}@example.test --json"));
        let contacts = shown["contacts"].as_array().unwrap().clone();
        let found = contacts.into_iter().find(|c| c["address"] == format!("{whom}@example.test"));
        found.map(|contact| contact["lists"].to_string()).unwrap_or_default()
    };
    let alice = home.json("user show alice@example.test --json");
    assert_eq!(alice["name"], "Alice \"A\" \\ 🌻");
    // Alice, as she is here, does not have zed on her list, whatever the file says.
    assert_eq!((lists("zed", "alice"), lists("zed", "dave")), (String::new(), "[\"FL\"]".into()));

    let said = home.ok("user import more.toml --replace", "");
    assert_eq!(said, "imported 2 accounts, 2 of them in place of those that were here\n");
    let after = home.json("user show alice@example.test --json");
    assert_eq!((&after["id"], &after["name"]), (&alice["id"], &"New".into()));
    assert_eq!(after["privacy"], "AL");
    assert_eq!(after["list_version"], alice["list_version"].as_u64().unwrap() + 1);
    // Carol still watches her; she watches bob no more.
    assert_eq!(
        (lists("alice", "carol"), lists("carol", "alice")),
        ("[\"RL\"]".into(), "[\"FL\"]".into())
    );
    assert_eq!((lists("alice", "bob"), lists("bob", "alice")), (String::new(), String::new()));
    assert_eq!(
        (lists("alice", "zed"), lists("zed", "alice")),
        ("[\"FL\"]".into(), "[\"RL\"]".into())
    );
    assert_eq!(
        (lists("dave", "zed"), lists("dave", "alice")),
        ("[\"RL\"]".into(), "[\"RL\"]".into())
    );
}

#[test]
fn beside_a_server_accounts_can_be_made_but_not_replaced() {
    let home = network();
    let server = Server::start(
        &home,
        "run --ready-json --set dispatch.bind=127.0.0.1:0 --set notification.bind=127.0.0.1:0 \
         --set switchboard.bind=127.0.0.1:0 --set passport.https_bind=off",
    );
    std::fs::write(home.path().join("zed.toml"), user("zed@example.test", "")).unwrap();
    assert_eq!(home.ok("user import zed.toml", ""), "imported 1 account\n");
    let before = home.ok("user export", "");
    failed(
        &home.run("user import zed.toml --replace"),
        69,
        &["a server works on", "--skip-existing"],
    );
    assert_eq!(home.ok("user export", ""), before);
    drop(server);
    home.ok("user import zed.toml --replace", "");
}

#[test]
fn hashing_many_passwords_says_how_far_it_is() {
    let text: String = (0..100).map(|n| user(&format!("user{n}@example.test"), "")).collect();
    let home = home_with(&[("many.toml", &text)]);
    let ran = home.run("user import many.toml");
    assert_eq!((ran.code, ran.err.as_str()), (0, "hashed 100 of 100 passwords\n"), "{ran:?}");
}

/// The binary as a server; killed when dropped.
struct Server {
    child: Child,
    ready: serde_json::Value,
}

impl Server {
    fn start(home: &Home, line: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_msnd"))
            .args(line.split_whitespace())
            .current_dir(home.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { child, ready: serde_json::from_str(&ready).unwrap() }
    }

    fn login(&mut self, user: &str, password: &str) -> String {
        let listeners = self.ready["listeners"].as_array().unwrap();
        let passport = listeners.iter().find(|l| l["role"] == "passport-http").unwrap();
        let mut stream = std::net::TcpStream::connect(passport["addr"].as_str().unwrap()).unwrap();
        let request = format!(
            "GET /login2.srf HTTP/1.1\r\nAuthorization: Passport1.4 \
             sign-in={user},pwd={password}\r\nHost: login\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
