//! Order of the layers, places and words of errors, and the embedded example.

use super::*;
use std::path::Path;

/// Loads `file` (if any), variables and flags.
fn load_with(
    file: Option<&str>,
    env: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let flags = flags.iter().map(|(key, value)| Flag {
        name: "--set".into(),
        key: (*key).into(),
        value: (*value).into(),
    });
    trace(
        file.map(|_| path.as_path()),
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        &Overrides { base: Config::default(), flags: flags.collect() },
    )
}

fn file_errors(text: &str) -> Vec<String> {
    let error = load_with(Some(text), &[], &[]).unwrap_err();
    let line = |problem: &Problem| match &problem.origin {
        Origin::File(path, line) => {
            format!("{}:{line}: {}", path.file_name().unwrap().display(), problem.text)
        }
        _ => problem.to_string(),
    };
    error.problems().iter().map(line).collect()
}

fn variable_error(name: &str, value: &str) -> String {
    load_with(None, &[(name, value)], &[]).unwrap_err().to_string()
}

#[test]
fn the_example_holds_every_default_and_nothing_else() {
    assert_eq!(toml::from_str::<Config>(&example()).unwrap(), Config::default());
    let example: toml::Table = example().parse().unwrap();
    assert_eq!(example, toml::Table::try_from(Config::default()).unwrap());
}

#[test]
fn every_option_of_the_example_is_explained() {
    let mut explained = false;
    for line in EXAMPLE.lines().skip_while(|line| !line.starts_with('[')) {
        if line.starts_with('#') {
            explained = true;
        } else if line.is_empty() || line.starts_with("[[") {
            explained &= !line.is_empty();
        } else if !line.starts_with('[') && !line.starts_with("id =") {
            // Neighbours may share a comment, so only the first line after one is sure.
            assert!(explained, "nothing explains `{line}`");
        }
    }
}

#[test]
fn nothing_given_means_the_defaults() {
    let loaded = load_with(None, &[("PATH", "/bin"), ("MSND_CONFIG", "")], &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.is_empty());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "[limits]\nconnections_max = 1\nline_bytes_max = 2000\npayload_bytes_max = 3000\n";
    let env = [("MSND_LIMITS_CONNECTIONS_MAX", "2"), ("MSND_LIMITS_LINE_BYTES_MAX", "2001")];
    let flags = [("limits.connections_max", "3"), ("limits.connections_max", "4")];
    let loaded = load_with(Some(file), &env, &flags).unwrap();
    assert_eq!(loaded.config.limits.connections_max, 4);
    assert_eq!(loaded.config.limits.line_bytes_max, 2001);
    assert_eq!(loaded.config.limits.payload_bytes_max, 3000);
    assert_eq!(loaded.origins["limits.connections_max"], Origin::Flag("--set".into()));
    assert!(matches!(loaded.origins["limits.payload_bytes_max"], Origin::File(_, 4)));
    let shown = loaded.show();
    assert!(shown.contains("line_bytes_max = 2001  # MSND_LIMITS_LINE_BYTES_MAX\n"), "{shown}");
}

#[test]
fn a_variable_names_the_file_where_no_flag_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("by-variable.toml");
    std::fs::write(&path, "[limits]\nconnections_max = 7\n").unwrap();
    let env = || [("MSND_CONFIG".to_owned(), path.display().to_string())].into_iter();
    let config = load(None, env(), &Overrides::default()).unwrap();
    assert_eq!(config.limits.connections_max, 7);
    let missing = folder.path().join("missing.toml");
    let error = load(Some(&missing), env(), &Overrides::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot be read", missing.display())), "{error}");
}

#[test]
fn the_base_holds_where_nobody_says_anything() {
    let mut base = Config::default();
    base.dispatch.bind = Bind::At("127.0.0.1:0".parse().unwrap());
    let overrides = Overrides { base, flags: Vec::new() };
    let env = [("MSND_NOTIFICATION_BIND".to_owned(), "127.0.0.1:9".to_owned())];
    let config = load(None, env.into_iter(), &overrides).unwrap();
    assert_eq!(config.dispatch.bind.to_string(), "127.0.0.1:0");
    assert_eq!(config.notification.bind.to_string(), "127.0.0.1:9");
}

#[test]
fn variables_take_texts_numbers_and_both_forms_of_lists() {
    let env = [
        ("MSND_NOTIFICATION_ADVERTISED", "chat.example.org"),
        ("MSND_DISPATCH_NOTIFICATION_SERVERS", "a.example.org:1864, b.example.org:1864"),
        ("MSND_LOG_WIRE_TRACE", "[\"alice@example.test\"]"),
        ("MSND_CHALLENGE_CLIENTS", "[{ id = \"a\", key = \"b\" }]"),
        ("MSND_CHALLENGE_POLICY", "log"),
        ("MSND_DATA_DIR", "/data"),
        ("MSND_PORT", "tcp://10.0.0.1:1863"),
        ("MSND_SERVICE_HOST", "10.0.0.1"),
    ];
    let config = load_with(None, &env, &[]).unwrap().config;
    assert_eq!(config.notification.advertised, "chat.example.org");
    let servers = ["a.example.org:1864", "b.example.org:1864"];
    assert_eq!(config.dispatch.notification_servers, servers);
    assert_eq!(config.log.wire_trace, ["alice@example.test"]);
    assert_eq!(config.challenge.clients.len(), 1);
    assert_eq!(config.challenge.policy, ChallengePolicy::Log);
    assert_eq!(config.data.dir, Path::new("/data"));
}

#[test]
fn unknown_keys_name_line_and_nearest_key() {
    let text = "reeders = 1\n\n[notifcation]\nbind = \"off\"\n[notification]\nadvertized = \"x\"\n\
                login_secs = 3\n";
    assert_eq!(
        file_errors(text),
        [
            "test.toml:1: unknown key `reeders`; the nearest is `store.readers`",
            "test.toml:3: unknown section `[notifcation]`; the nearest is `[notification]`",
            "test.toml:6: unknown key `notification.advertized`; the nearest is \
             `notification.advertised`",
            "test.toml:7: unknown key `notification.login_secs`; the nearest is \
             `timers.login_secs`",
        ]
    );
    assert_eq!(
        variable_error("MSND_NOTIFICATION_ADVERTIZED", "x"),
        "MSND_NOTIFICATION_ADVERTIZED: unknown option; the nearest is \
         `MSND_NOTIFICATION_ADVERTISED`"
    );
    let error = load_with(None, &[], &[("limits.conections_max", "1")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--set: unknown key `limits.conections_max`; the nearest is `limits.connections_max`"
    );
}

#[test]
fn values_of_the_wrong_kind_say_what_was_found_and_what_is_expected() {
    let text = "timers = 3\n[limits]\nconnections_max = \"many\"\nline_bytes_max = -1\n\
                forward_list_max = 5000000000\n[notification]\nver_reply = \"both\"\n\
                bind = \"here\"\n[log]\nwire_trace = \"alice\"\n";
    assert_eq!(
        file_errors(text),
        [
            "test.toml:1: `timers` is a section; write `[timers]` and its keys below",
            "test.toml:3: `limits.connections_max`: found the text \"many\", expected a whole \
             number",
            "test.toml:4: `limits.line_bytes_max`: found `-1`, expected a whole number that is \
             not negative",
            "test.toml:5: `limits.forward_list_max`: found `5000000000`, expected a whole number \
             from 0 to 4294967295",
            "test.toml:7: `notification.ver_reply`: found `both`, expected `list` or `single`",
            "test.toml:8: `notification.bind`: `here` is neither an address such as 0.0.0.0:1863 \
             nor `off`",
            "test.toml:10: `log.wire_trace`: found the text \"alice\", expected a list such as \
             [\"one\", \"two\"]",
        ]
    );
    assert_eq!(
        variable_error("MSND_LIMITS_CONNECTIONS_MAX", "many"),
        "MSND_LIMITS_CONNECTIONS_MAX: `limits.connections_max`: found `many`, expected a whole \
         number"
    );
    assert_eq!(
        variable_error("MSND_STORE_READERS", ""),
        "MSND_STORE_READERS: `store.readers`: found ``, expected a whole number"
    );
}

#[test]
fn list_entries_are_checked_where_they_stand_without_showing_keys() {
    let text = "[challenge]\npolicy = \"log\"\n[[challenge.clients]]\nid = \"a\"\nkey = \"hush\"\n\
                [[challenge.clients]]\nid = \"b\"\nkee = \"hush\"\n";
    let unknown = "unknown key `kee`, expected `id` or `key`";
    assert_eq!(file_errors(text), [format!("test.toml:8: `challenge.clients`: {unknown}")]);
    for text in ["[challenge]\nclients = \"hush\"", "[challenge]\nclients = [\"hush\"]"] {
        let errors = file_errors(text).concat();
        assert!(errors.contains("challenge.clients") && !errors.contains("hush"), "{errors}");
    }
    let error = variable_error("MSND_CHALLENGE_CLIENTS", "[{ id = \"a\", hush");
    assert!(error.contains("challenge.clients") && !error.contains("hush"), "{error}");
    let shown = format!("{:?}", Config::default());
    assert!(shown.contains("PROD0038W!61ZTF9") && !shown.contains("VT6PX"), "{shown}");
}

#[test]
fn broken_toml_names_the_line() {
    let errors = file_errors("[log]\nlevel = \"info\nformat = \"text\"\n");
    assert!(errors[0].starts_with("test.toml:2: not TOML: "), "{errors:?}");
    let errors = file_errors("[log]\nlevel = \"info\"\nlevel = \"warn\"\n");
    assert!(errors[0].starts_with("test.toml:3: not TOML: "), "{errors:?}");
}

#[test]
fn values_that_cannot_work_name_who_set_them() {
    assert_eq!(
        file_errors("[timers]\n\nlogin_secs = 0\n"),
        ["test.toml:3: `timers.login_secs` is `0`: choose from 1 to 86400"]
    );
    let error = variable_error("MSND_NOTIFICATION_BIND", "off");
    assert!(error.starts_with("default: `dispatch.notification_servers` is empty: "), "{error}");
    let error = load_with(None, &[("MSND_STORE_READERS", "0")], &[("timers.ping_secs", "0")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "2 things in the configuration cannot work:\n  \
         --set: `timers.ping_secs` is `0`: choose from 1 to 86400\n  \
         MSND_STORE_READERS: `store.readers` is `0`: choose from 1 to 64"
    );
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.toml");
    std::fs::write(&path, "#".repeat(FILE_BYTES_MAX as usize + 1)).unwrap();
    let error = load(Some(&path), [].into_iter(), &Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    std::fs::write(&path, b"[log]\nlevel = \"\xff\"").unwrap();
    let error = load(Some(&path), [].into_iter(), &Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}
