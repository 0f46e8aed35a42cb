//! The command line as people and scripts meet it: the binary itself, its output and exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    thread,
};
use tempfile::TempDir;

/// A folder to start the binary in, with nothing of the outside in its environment.
pub(crate) struct Home(TempDir);

/// How a run of it went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[], "")
    }

    /// Runs `line`, split at spaces, with these variables and this standard input.
    pub(crate) fn run_with(&self, line: &str, env: &[(&str, &str)], stdin: &str) -> Ran {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_msnd"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("COLUMNS", "100")
            .envs(env.iter().copied())
            .write_stdin(stdin)
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `line`, which must succeed without a complaint.
    pub(crate) fn ok(&self, line: &str, stdin: &str) -> String {
        let ran = self.run_with(line, &[], stdin);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}: {ran:?}");
        ran.out
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(line, "")).unwrap()
    }
}

#[test]
fn help_reads_as_agreed() {
    let home = Home::new();
    for command in [
        "",
        "run",
        "user",
        "user add",
        "user list",
        "user show",
        "user passwd",
        "user disable",
        "user enable",
        "user mailbox",
        "user remove",
        "user export",
        "user import",
        "user contacts",
        "user contacts export",
        "user contacts import",
        "config",
        "config example",
        "config check",
        "db",
        "db migrate",
        "db status",
        "db backup",
        "online",
        "sessions",
        "rooms",
        "kick",
        "notify",
        "mail",
        "announce",
        "cert",
        "cert init",
        "cert renew",
        "cert show",
        "client-setup",
        "doctor",
        "protocol",
        "completions",
        "man",
        "probe",
    ] {
        let help = home.ok(&format!("{command} --help"), "");
        insta::assert_snapshot!(format!("help {command}").trim().replace(' ', "_"), help);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let home = Home::new();
    let ran = home.run("");
    assert_eq!(ran.code, 2);
    assert!(ran.out.is_empty() && ran.err.contains("Usage: msnd <COMMAND>"), "{ran:?}");
    for (line, says) in [
        ("rum", "'run'"),
        ("run --fixture a.toml", "--ephemeral"),
        ("run --ephemeral --data-dir x", "--data-dir"),
        ("run --smoke --ready-json", "--ready-json"),
        ("user add alice", "must have the form name@domain"),
        ("user add alice@example.test secret", "secret"),
        ("config check --set log.level", "section.key=value"),
        ("db backup", "<FILE>"),
        ("user mailbox alice@example.test", "--off"),
        ("user mailbox alice@example.test --on --off", "cannot be used with"),
    ] {
        let ran = home.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.starts_with("msnd: ") && ran.err.contains(says), "{line}: {ran:?}");
    }
}

#[test]
fn the_version_is_an_answer() {
    let version = Home::new().ok("--version", "");
    assert_eq!(version, concat!("msnd ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn unknown_keys_name_place_and_nearest_key() {
    let home = Home::new();
    std::fs::write(home.path().join("a.toml"), "[log]\nlevel = \"info\"\nfromat = \"json\"\n")
        .unwrap();
    for (line, env, says) in [
        (
            "config check --config a.toml",
            None,
            "msnd: a.toml:3: unknown key `log.fromat`; the nearest is `log.format`\n",
        ),
        (
            "config check --set log.levle=info",
            None,
            "msnd: --set: unknown key `log.levle`; the nearest is `log.level`\n",
        ),
        (
            "config check",
            Some(("MSND_LOG_LEVLE", "info")),
            "msnd: MSND_LOG_LEVLE: unknown option; the nearest is `MSND_LOG_LEVEL`\n",
        ),
    ] {
        let ran = home.run_with(line, env.as_slice(), "");
        assert_eq!((ran.code, ran.err.as_str()), (78, says), "{line}");
        assert!(ran.out.is_empty());
    }
}

#[test]
fn every_command_with_options_refuses_wrong_ones() {
    let home = Home::new();
    for line in ["run", "run --ephemeral", "user list", "db status", "config check", "probe"] {
        let ran = home.run_with(line, &[("MSND_TIMERS_PING_SECS", "0")], "");
        assert_eq!(ran.code, 78, "{line}: {ran:?}");
        assert!(ran.err.starts_with("msnd: MSND_TIMERS_PING_SECS: `timers.ping_secs`"), "{ran:?}");
    }
    assert_eq!(home.run("run --config missing.toml").code, 78);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was written");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let home = Home::new();
    let text = "[limits]\nconnections_max = 1\n[timers]\nping_secs = 11\nlogin_secs = 12\n";
    std::fs::write(home.path().join("a.toml"), text).unwrap();
    let env = [
        ("MSND_CONFIG", "a.toml"),
        ("MSND_LIMITS_CONNECTIONS_MAX", "2"),
        ("MSND_TIMERS_PING_SECS", "22"),
    ];
    let line = "config check --set limits.connections_max=3 --data-dir here";
    let ran = home.run_with(line, &env, "");
    assert_eq!(ran.code, 0, "{ran:?}");
    for shown in [
        "connections_max = 3  # --set\n",
        "ping_secs = 22  # MSND_TIMERS_PING_SECS\n",
        "login_secs = 12  # a.toml:5\n",
        "dir = \"here\"  # --data-dir\n",
        "\nidle_intervals = 4\n",
    ] {
        assert!(ran.out.contains(shown), "no `{shown}` in {}", ran.out);
    }
}

#[test]
fn the_example_is_a_file_that_changes_nothing() {
    let home = Home::new();
    let example = home.ok("config example", "");
    assert_eq!(example, msnd::config::example());
    std::fs::write(home.path().join("msnd.toml"), example).unwrap();
    let given = home.json("config check --json --config msnd.toml");
    assert_eq!(given, home.json("config check --json"));
    assert_eq!(given["valid"], true);
    assert_eq!(given["options"]["limits"]["line_bytes_max"], 8192);
}

#[test]
fn checked_options_can_be_read_again_and_hide_secrets() {
    let home = Home::new();
    let shown = home.ok("config check", "");
    assert!(shown.contains("PROD0038W!61ZTF9") && !shown.contains("VT6PX"), "{shown}");
    std::fs::write(home.path().join("again.toml"), shown).unwrap();
    home.ok("config check --config again.toml", "");
}

#[test]
fn no_file_is_read_that_nobody_named() {
    let home = Home::new();
    std::fs::write(home.path().join("msnd.toml"), "broken").unwrap();
    home.ok("config check", "");
}

#[test]
fn completions_and_manual_know_every_command() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.ok(&format!("completions {shell}"), "");
        assert!(script.contains("passwd") && script.contains("ready-json"), "{shell}");
    }
    let page = home.ok("man", "");
    for command in ["MSND RUN", "MSND USER PASSWD", "MSND CONFIG CHECK", "MSND DB BACKUP"] {
        assert!(page.contains(&format!(".SH \"{command}\"\n")), "{command}");
    }
    assert!(page.starts_with(".ie") && page.contains(".TH msnd 1"), "{page}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_msnd"))
        .args(["config", "example"])
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_account_lives_from_add_to_remove() {
    let home = Home::new();
    let added = home.ok("user add Alice@Example.test --name Alice", "secret\n");
    let (made, added) = added.split_once('\n').unwrap();
    assert!(made.starts_with("made a new database, msnd-data/msnd.sqlite: "), "{made}");
    assert_eq!(added, "added alice@example.test\n");
    home.ok("user add bob@example.test", "secret");

    let list = home.json("user list --json");
    let alice = &list[0];
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        (&alice["address"], &alice["name"]),
        (&"alice@example.test".into(), &"Alice".into())
    );
    assert_eq!(alice["enabled"], true);
    assert!(alice["created_at_secs"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(list[1]["name"], "bob@example.test");

    assert!(home.ok("user passwd alice@example.test", "other\n").contains("new password"));
    home.ok("user disable alice@example.test", "");
    assert_eq!(home.json("user list --json")[0]["enabled"], false);
    assert!(home.ok("user list", "").contains("disabled"));
    home.ok("user enable alice@example.test", "");

    assert_eq!(home.json("user show alice@example.test --json")["mailbox"], Value::Null);
    let given = home.ok("user mailbox alice@example.test --on", "");
    assert_eq!(given, "alice@example.test has a mailbox\n");
    let mailbox = &home.json("user show alice@example.test --json")["mailbox"];
    assert_eq!(mailbox, &serde_json::json!({ "unread": 0, "folders_unread": 0 }));
    let shown = home.ok("user show alice@example.test", "");
    assert!(shown.contains("mailbox        0 unread, 0 in other folders\n"), "{shown}");
    let taken = home.ok("user mailbox alice@example.test --off", "");
    assert_eq!(taken, "alice@example.test has no mailbox\n");

    let shown = home.json("user show alice@example.test --json");
    assert_eq!(shown["enabled"], true);
    assert_eq!((&shown["privacy"], &shown["prompt"]), (&"AL".into(), &"A".into()));
    assert_eq!(shown["groups"][0]["id"], 0);
    assert_eq!(shown["contacts"], Value::Array(Vec::new()));
    assert!(home.ok("user show alice@example.test", "").contains("privacy (BLP)  AL\n"));

    home.ok("user remove alice@example.test", "");
    let left = home.json("user list --json");
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["address"], "bob@example.test");
}

#[test]
fn passwords_are_never_shown_nor_stored_as_they_are() {
    let home = Home::new();
    let mut seen = String::new();
    for (line, stdin) in [
        ("user add alice@example.test", "hush-hush\n"),
        ("user passwd alice@example.test", "hush-again\n"),
        ("user passwd alice@example.test", "hush-\u{1f511}\n"),
        ("user list", ""),
        ("user show alice@example.test --json", ""),
    ] {
        let ran = home.run_with(line, &[], stdin);
        seen += &(ran.out + &ran.err);
    }
    assert!(!seen.contains("hush"), "{seen}");
    for file in std::fs::read_dir(home.path().join("msnd-data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"hush"));
    }
}

#[test]
fn what_cannot_be_done_is_said_and_exit_code_1() {
    let home = Home::new();
    for line in ["user list", "user show bob@example.test", "db status", "db backup copy"] {
        let ran = home.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.err.contains("msnd-data/msnd.sqlite"), "{line}: {ran:?}");
    }
    assert!(!home.path().join("msnd-data").exists(), "a reader made a folder");
    home.ok("user add alice@example.test", "secret\n");
    for (line, stdin, says) in [
        ("user add alice@example.test", "secret\n", "already"),
        ("user add bob@example.test", "", "no password on standard input"),
        ("user add bob@example.test", "\n", "must not be empty"),
        ("user show bob@example.test", "", "no account bob@example.test"),
        ("user passwd bob@example.test", "secret\n", "no account bob@example.test"),
        ("user disable bob@example.test", "", "no account bob@example.test"),
        ("user mailbox bob@example.test --on", "", "no account bob@example.test"),
        ("user remove bob@example.test", "", "no account bob@example.test"),
    ] {
        let ran = home.run_with(line, &[], stdin);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.err.starts_with("msnd: ") && ran.err.contains(says), "{line}: {ran:?}");
    }
    assert_eq!(home.json("user list --json").as_array().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn the_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.ok("db migrate", "");
    let mode = |path: &str| {
        std::fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("msnd-data"), 0o700);
    assert_eq!(mode("msnd-data/msnd.sqlite"), 0o600);
}

#[test]
fn a_backup_is_a_database_of_its_own() {
    let home = Home::new();
    home.ok("user add alice@example.test", "secret\n");
    home.ok("db backup copy.sqlite", "");
    home.ok("user remove alice@example.test", "");
    let folder = home.path().display();
    let list = home.json(&format!("user list --json --set store.file={folder}/copy.sqlite"));
    assert_eq!(list[0]["address"], "alice@example.test");
    let again = home.run("db backup copy.sqlite");
    assert_eq!(again.code, 1);
    assert!(again.err.contains("copy.sqlite"), "{again:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    use sqlx::Connection as _;
    let home = Home::new();
    home.ok("db migrate", "");
    let before = home.json("db status --json");
    assert_eq!(before["state"], "current");
    assert_eq!(before["applied"], before["known"]);

    let url = format!("sqlite://{}", home.path().join("msnd-data/msnd.sqlite").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations
                 (version, description, success, checksum, execution_time)
                 VALUES (9999, 'from the future', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    for line in ["user list", "db migrate", "db backup copy.sqlite"] {
        let ran = home.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.err.contains("9999"), "{line}: {ran:?}");
    }
    let after = home.json("db status --json");
    assert_eq!((&after["state"], &after["applied"]), (&"newer".into(), &9999.into()));
    assert!(home.ok("db status", "").contains("only a newer msnd can use it"));
}

#[test]
fn a_second_server_on_one_database_is_refused() {
    let home = Home::new();
    let line = "run --ready-json --set dispatch.bind=127.0.0.1:0 \
                --set notification.bind=127.0.0.1:0 --set switchboard.bind=127.0.0.1:0 \
                --set passport.https_bind=off --set web.bind=off";
    let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_msnd"))
        .args(line.split_whitespace())
        .current_dir(home.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let second = home.run(line);
    // Everything but a server may work beside it.
    let added = home.run_with("user add alice@example.test", &[], "secret\n");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(ready.starts_with("{\"ready\":true,"), "{ready}");
    assert_eq!(second.code, 69, "{second:?}");
    assert!(second.err.contains("msnd-data/msnd.sqlite"), "{second:?}");
    assert_eq!(added.code, 0, "{added:?}");
}

#[test]
fn the_probe_tells_a_server_from_something_else() {
    let home = Home::new();
    for (reply, code) in [("VER 1 MSNP9 MSNP8 CVR0\r\n", 0), ("HTTP/1.1 400\r\n\r\n", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap_or_default()
        });
        let env = [("MSND_NOTIFICATION_BIND", address.to_string())];
        let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
        let ran = home.run_with("probe", &env, "");
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(&address.to_string()), "{ran:?}");
        server.join().unwrap();
    }
}
