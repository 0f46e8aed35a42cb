//! `msnd cert` and `msnd client-setup` as operators use them: files, output, exit codes.

use crate::cli::Home;
use openssl::x509::X509;
use std::{fs, path::PathBuf};

/// Where a set lies.
fn folder(home: &Home) -> PathBuf {
    home.path().join("msnd-data/certificates")
}

fn certificate(home: &Home, file: &str) -> X509 {
    X509::from_pem(&fs::read(folder(home).join(file)).unwrap()).unwrap()
}

/// The entry of `cert show --json` for a file.
fn shown(home: &Home, file: &str) -> serde_json::Value {
    let all = home.json("cert show --json");
    let is_it = |one: &&serde_json::Value| one["file"].as_str().unwrap().ends_with(file);
    all.as_array().unwrap().iter().find(is_it).unwrap().clone()
}

#[test]
fn init_takes_names_from_options_and_flags() {
    let home = Home::new();
    let said = home.ok(
        "cert init --set passport.login_host=login.example.org \
         --set notification.advertised=192.0.2.7:1864 --name Chat.example.org --address 192.0.2.8",
        "",
    );
    let ca = shown(&home, "ca.pem");
    for part in [ca["sha1"].as_str().unwrap(), "ca.key", "client-setup", "13 names"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for file in ["legacy.pem", "modern.pem"] {
        let leaf = shown(&home, file);
        let names: Vec<_> =
            leaf["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for name in ["nexus.passport.com", "login.passport.com", "messenger.hotmail.com"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert_eq!(names[..2], ["login.example.org", "chat.example.org"]);
        assert_eq!(names[11..], ["192.0.2.7", "192.0.2.8"]);
        assert_eq!(leaf["subject"], "O=msnd, CN=login.example.org");
        assert_eq!(leaf["issuer"], ca["subject"]);
    }
    assert_eq!(shown(&home, "legacy.pem")["signature"], "sha1WithRSAEncryption");
    assert_eq!(shown(&home, "modern.pem")["signature"], "sha256WithRSAEncryption");
}

#[test]
fn without_a_login_host_the_first_name_is_the_nexus() {
    let home = Home::new();
    home.ok("cert init --set notification.advertised=chat.example.org", "");
    assert_eq!(shown(&home, "legacy.pem")["subject"], "O=msnd, CN=nexus.passport.com");
}

#[test]
fn a_second_init_is_refused_and_force_is_obeyed() {
    let home = Home::new();
    home.ok("cert init", "");
    let before = shown(&home, "ca.pem")["sha256"].clone();
    let ran = home.run("cert init");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("--force") && ran.err.contains("cert renew"), "{ran:?}");
    assert_eq!(shown(&home, "ca.pem")["sha256"], before);
    home.ok("cert init --force", "");
    assert_ne!(shown(&home, "ca.pem")["sha256"], before);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.ok("cert init --ca-key kept.key", "");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path().join("msnd-data")), 0o700);
    assert_eq!(mode(folder(&home)), 0o700);
    assert_eq!(mode(home.path().join("kept.key")), 0o600);
    for key in ["legacy.key", "modern.key"] {
        assert_eq!(mode(folder(&home).join(key)), 0o600, "{key}");
    }
    assert!(!folder(&home).join("ca.key").exists());
}

#[test]
fn renewing_with_a_key_kept_elsewhere_keeps_the_authority() {
    let home = Home::new();
    home.ok("cert init --permit example.org --ca-key kept.key", "");
    // Not all of what is shown: the days left change while one looks.
    let print = |file: &str| shown(&home, file)["sha256"].clone();
    let (ca, modern) = (print("ca.pem"), print("modern.pem"));
    let ran = home.run("cert renew");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("--ca-key"), "{ran:?}");
    let ran = home.run("cert renew --ca-key kept.key --name chat.example.net");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("cannot vouch for chat.example.net;"), "{ran:?}");
    assert_eq!(print("modern.pem"), modern);

    let said = home.ok("cert renew --ca-key kept.key --name chat.example.org", "");
    assert!(said.contains("10 names"), "{said}");
    assert_eq!(print("ca.pem"), ca);
    let renewed = shown(&home, "modern.pem");
    assert_ne!(renewed["sha256"], modern);
    assert!(renewed["names"].as_array().unwrap().contains(&"chat.example.org".into()));
    let key = certificate(&home, "ca.pem").public_key().unwrap();
    assert!(certificate(&home, "modern.pem").verify(&key).unwrap());
}

#[test]
fn show_tells_monitors_what_ends_soon() {
    let home = Home::new();
    let ran = home.run("cert show");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("msnd cert init"), "{ran:?}");
    home.ok("cert init", "");
    let modern = shown(&home, "modern.pem");
    // Two years from yesterday, less the seconds since.
    let days = modern["days_left"].as_i64().unwrap();
    assert!((728..=729).contains(&days), "{days}");
    let text = home.ok("cert show --warn-days 700", "");
    for part in ["legacy.pem", "SHA-256  ", " days left)", modern["sha1"].as_str().unwrap()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let ran = home.run("cert show --warn-days 800");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("modern.pem expires in 72"), "{ran:?}");
    assert!(!ran.err.contains("ca.pem"), "{ran:?}");
}

#[test]
fn show_knows_a_configured_certificate_too() {
    let home = Home::new();
    home.ok("cert init", "");
    fs::copy(folder(&home).join("modern.pem"), home.path().join("public.pem")).unwrap();
    fs::copy(folder(&home).join("modern.key"), home.path().join("public.key")).unwrap();
    let options = "--set passport.certificate_file=public.pem --set passport.key_file=public.key";
    let all = home.json(&format!("cert show --json {options}"));
    assert_eq!((all.as_array().unwrap().len(), &all[0]["file"]), (4, &"public.pem".into()));
}

#[test]
fn what_went_wrong_is_said_once() {
    let home = Home::new();
    let missing = "--set passport.certificate_file=a.pem --set passport.key_file=a.key";
    for command in ["cert show", "run"] {
        let ran = home.run(&format!("{command} {missing}"));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("cannot read a.pem: No such file"), "{ran:?}");
        assert_eq!(ran.err.matches("No such file").count(), 1, "{ran:?}");
    }
}

#[test]
fn an_authority_for_a_whole_top_level_domain_or_an_address_range_is_not_made() {
    let home = Home::new();
    for (permitted, says) in
        [("com", "top-level"), ("com.", "top-level"), ("10.0.0.1", "--address")]
    {
        let ran = home.run(&format!("cert init --permit {permitted}"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
    assert!(!folder(&home).exists());
}

#[test]
fn client_setup_writes_what_users_need() {
    let home = Home::new();
    let ran = home.run("client-setup");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("msnd cert init"), "{ran:?}");
    assert!(!home.path().join("msnd-client-setup").exists());

    home.ok("cert init", "");
    let said = home.ok("client-setup --host 192.0.2.7 --name chat.example.test --out a/b", "");
    let sha1 = shown(&home, "ca.pem")["sha1"].as_str().unwrap().to_owned();
    assert!(said.contains("10 files to a/b") && said.contains(&sha1), "{said}");
    let read = |file: &str| fs::read(home.path().join("a/b").join(file)).unwrap();
    assert_eq!(read("msnd-ca.crt"), certificate(&home, "ca.pem").to_der().unwrap());
    let hosts = String::from_utf8(read("hosts.txt")).unwrap();
    assert!(hosts.contains("192.0.2.7\tnexus.passport.com\t#msnd-setup\r\n"), "{hosts}");
    assert!(hosts.contains("192.0.2.7\tchat.example.test\t#msnd-setup\r\n"), "{hosts}");
    let batch = String::from_utf8(read("setup.bat")).unwrap();
    assert!(batch.contains(&format!("certutil -delstore Root {}\r\n", sha1.replace(':', ""))));
    let name = shown(&home, "ca.pem")["subject"].as_str().unwrap().replace("O=msnd, CN=", "");
    assert!(batch.contains(&name), "{batch}");
    assert!(String::from_utf8(read("index.htm")).unwrap().contains(&sha1));
    // Again, with another address: the files are replaced.
    home.ok("client-setup --host 192.0.2.8 --out a/b", "");
    assert!(String::from_utf8(read("hosts.txt")).unwrap().contains("192.0.2.8\tg.msn.com"));
}

#[test]
fn client_setup_says_which_address_it_took() {
    let home = Home::new();
    home.ok("cert init", "");
    let advertised = "client-setup --set notification.advertised=192.0.2.7:1864";
    assert!(home.ok(advertised, "").contains("led to 192.0.2.7 (as the options advertise it)"));
    let said = home.ok("client-setup --host localhost", "");
    assert!(said.contains("led to 127.0.0.1, which is localhost now"), "{said}");
    assert!(said.contains("from this machine only"), "{said}");
    for host in ["0.0.0.0", "nowhere.invalid"] {
        let ran = home.run(&format!("client-setup --host {host}"));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains(host) && ran.err.contains("--host"), "{ran:?}");
    }
    assert_eq!(home.run("client-setup --host a&b").code, 2);
}
