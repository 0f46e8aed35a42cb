//! The admin API of the binary: its socket through life and death of the process, the ready line,
//! refusals at the start, and what is logged.

use super::{TOKEN, http::Door, token_file};
use crate::process::child::Home;
use serde_json::json;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

#[test]
fn a_killed_servers_socket_is_replaced_and_a_stopped_ones_is_gone() {
    let home = Home::new();
    home.manage("user add alice@example.test", "secret\n");
    let socket = home.data_dir().join("admin.socket");
    let killed = home.keeping(&[]);
    assert_eq!(home.manage("online", ""), "nobody is online\n");
    killed.signal("KILL");
    killed.wait();
    assert!(socket.exists());
    let data_dir = home.data_dir();
    let output = home.run(&["online", "--data-dir", data_dir.to_str().unwrap()], "");
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("no server answers at"), "{err}");

    let server = home.keeping(&[]);
    let _alice = server.sign_in("alice@example.test", "secret");
    assert!(home.manage("online", "").contains("alice@example.test"));
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(0));
    assert!(!socket.exists());
}

/// Without the notification role there is no lock on the database that would refuse it.
#[test]
fn a_second_server_does_not_take_the_socket_of_a_living_one() {
    let home = Home::new();
    let dispatch_only = [
        "notification.bind=off",
        "dispatch.notification_servers=ns.example.test:1864",
        "passport.http_bind=off",
        "passport.https_bind=off",
    ];
    let _first = home.keeping(&dispatch_only);
    let data_dir = home.data_dir();
    let mut arguments = vec!["run", "--data-dir", data_dir.to_str().unwrap()];
    arguments.extend(["--set", "dispatch.bind=127.0.0.1:0"]);
    arguments.extend(dispatch_only.iter().flat_map(|option| ["--set", option]));
    let output = home.run(&arguments, "");
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{err}");
    assert!(err.contains("admin.socket") && err.contains("another server"), "{err}");
    assert_eq!(home.manage("online", ""), "nobody is online\n");
}

#[test]
fn the_token_is_in_no_log_and_no_listing() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&folder, TOKEN);
    let token = format!("admin.token_file={}", token.display());
    let options = ["admin.bind=127.0.0.1:0", token.as_str(), "log.level=trace"];
    let mut arguments = vec!["--ephemeral", "--ready-json"];
    arguments.extend(options.iter().flat_map(|option| ["--set", option]));
    let mut server = home.spawn(&arguments);
    let ready = server.await_ready();
    let doors: Vec<_> = ready["listeners"].as_array().unwrap().iter().collect();
    let doors: Vec<_> = doors.iter().filter(|door| door["role"] == "admin").collect();
    assert_eq!(doors.len(), 2, "{ready}");
    let door = Door::Tcp(server.address("admin"));
    let wrong = "fedcba9876543210fedcba9876543210";
    for (token, status) in [(TOKEN, 200), (wrong, 401)] {
        let header = format!("Authorization: Bearer {token}");
        for path in ["/api/v1/status", "/metrics", "/api/v1/sessions"] {
            let answer = door.request("GET", path, &[&header], "");
            assert_eq!(answer.status, status, "{path}");
            assert!(!answer.body.contains(token) && !answer.head.contains(token));
        }
    }
    let counted = format!("Authorization: Bearer {TOKEN}");
    let metrics = door.request("GET", "/metrics", &[&counted], "").body;
    assert!(metrics.contains("msnd_admin_refusals_total 3\n"), "{metrics}");
    let checked = home.run(&["config", "check", "--set", options[0], "--set", options[1]], "");
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("token_file = ") && !checked.contains(TOKEN), "{checked}");
    server.signal("TERM");
    let log = server.wait().log();
    assert!(!log.contains(TOKEN) && !log.contains(wrong), "{log}");
    // Three in a row are one line: a flood of them must not fill the disk.
    let refused: Vec<_> =
        log.lines().filter(|line| line.contains("admin request refused")).collect();
    assert_eq!(refused.len(), 1, "{log}");
    assert!(refused[0].contains("wrong_token") && refused[0].contains("127.0.0.1:"), "{log}");
}

#[test]
fn what_cannot_work_is_told_with_its_option() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let exposed = token_file(&folder, TOKEN);
    fs::set_permissions(&exposed, Permissions::from_mode(0o640)).unwrap();
    let exposed = format!("admin.token_file={}", exposed.display());
    let long = format!("admin.socket=/tmp/{}", "s".repeat(120));
    for (options, code, says) in [
        (vec!["admin.bind=127.0.0.1:0", &exposed], 78, "chmod 600"),
        (vec!["admin.bind=127.0.0.1:0"], 78, "admin.token_file"),
        (vec!["admin.bind=127.0.0.1:0", "admin.token_file=/none"], 78, "/none"),
        (vec![&long], 78, "107"),
        (vec!["admin.socket=/none/admin.socket"], 1, "admin.socket"),
    ] {
        let mut arguments = vec!["run", "--ephemeral"];
        arguments.extend(options.iter().flat_map(|option| ["--set", option]));
        let output = home.run(&arguments, "");
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{options:?}: {err}");
        assert!(err.contains(says) && !err.contains(TOKEN), "{options:?}: {err}");
        assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn an_address_that_others_reach_is_warned_of() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let token = format!("admin.token_file={}", token_file(&folder, TOKEN).display());
    let mut server = home.ephemeral("", &["admin.bind=0.0.0.0:0", &token]);
    assert!(server.await_log("admin.bind is 0.0.0.0:0").contains("in clear"));
    let metrics = Door::Tcp(([127, 0, 0, 1], server.address("admin").port()).into());
    assert_eq!(metrics.get("/healthz").json(), json!({ "status": "ok" }));
}
