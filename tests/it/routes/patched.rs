//! A client with other names in its executable, each as long as the one it replaces.

use super::{
    ALICE, BOB, Computer, Home, README, chat,
    computer::{Tls, get},
    home,
    messenger::{Messenger, ORIGINAL, visit_pages},
};
use openssl::x509::X509;
use rstest::rstest;

/// The example of README.
const EXAMPLE: Messenger = Messenger {
    dispatch: "messenger.example.org",
    nexus: "messenger.example.org/nexus-mock",
    header: "PassportURLs",
    config: "http://messenger.example.org/MsgrConfig.asmx?123456789",
};

/// Executables that were patched for servers behind a proxy which writes header names its own way.
const LOWER_CASE: Messenger = Messenger { header: "Passporturls", ..EXAMPLE };

/// A short path leaves room for a long name, a short name is filled up with NULs.
const SHORT_PATH: Messenger = Messenger {
    dispatch: "chat.example.org",
    nexus: "passport-nexus.msn.example.org/n",
    header: "PassportURLs",
    config: "http://chat.example.org/some/where/MsgrConfig.asmx?123",
};

/// The path that Microsoft used, a name of 18 characters before it.
const SAME_PATH: Messenger = Messenger { nexus: "nexus1.example.org/rdr/pprdr.asp", ..EXAMPLE };

/// A name for the login service as long as the whole of the nexus's address.
const LONG_LOGIN_HOST: &str = "passport-nexus.msnd1.example.org";

#[rstest]
#[case::as_in_readme(EXAMPLE, EXAMPLE.dispatch)]
#[case::lower_case_header(LOWER_CASE, EXAMPLE.dispatch)]
#[case::short_path(SHORT_PATH, LONG_LOGIN_HOST)]
#[case::same_path(SAME_PATH, LONG_LOGIN_HOST)]
fn a_patched_client_signs_in_without_a_hosts_file(
    #[case] patched: Messenger,
    #[case] login_host: &str,
    #[values(true, false)] is_old: bool,
) {
    if is_old && !cfg!(feature = "legacy-tls") {
        return;
    }
    assert_eq!(patched.nexus.len(), ORIGINAL.nexus.len());
    assert_eq!(patched.config.len(), ORIGINAL.config.len());
    assert_eq!(patched.header.len(), ORIGINAL.header.len());
    assert!(patched.dispatch.len() <= ORIGINAL.dispatch.len());
    let nexus = patched.nexus.split_once('/').unwrap().0;

    let home = home();
    let options =
        [format!("passport.login_host={login_host}"), advertised("notification", patched.dispatch)];
    let said = home
        .manage(&format!("cert init --name {nexus} --set {} --set {}", options[0], options[1]), "");
    assert!(said.contains("an authority and certificates"), "{said}");
    let server = home.keeping(&options.each_ref().map(String::as_str));
    let mut computer = Computer::new(&server);
    // A name server knows them.
    for name in [patched.dispatch, nexus, login_host] {
        computer.add_hosts(&format!("127.0.0.1 {name}"));
    }
    computer.trust(authority(&home));

    let tls = if is_old { old() } else { Tls::Today };
    let mut alice = patched.sign_in(&computer, tls, ALICE);
    let mut bob = patched.sign_in(&computer, tls, BOB);
    alice.expect("NLN NLN bob@example.test Bob 268435500");
    // `converse` dials what it is told: the name again, not an address.
    chat(&computer, &mut alice, &mut bob, 'A');
    visit_pages(&patched.configuration(&computer), patched.dispatch, |path| {
        computer.http(patched.dispatch, &get(path, patched.dispatch))
    });
}

#[test]
fn names_of_the_length_of_the_strings_are_good_everywhere() {
    for name in [EXAMPLE.dispatch, LONG_LOGIN_HOST] {
        let home = home();
        for key in ["dispatch", "notification", "switchboard"] {
            home.manage(&format!("config check --set {}", advertised(key, name)), "");
        }
        let server = home.keeping(&[&advertised("dispatch", name)]);
        let mut ds = server.connect("dispatch");
        ds.ask("VER 1 MSNP9", "VER 1 MSNP9");
        ds.send(&format!("USR 2 TWN I {ALICE}"));
        let referral = ds.line();
        let dispatch = format!(" 0 {name}:{}", server.address("dispatch").port());
        assert!(referral.ends_with(&dispatch), "{referral}");
    }
    assert_eq!(EXAMPLE.dispatch.len(), 21);
    assert_eq!((EXAMPLE.nexus.len(), LONG_LOGIN_HOST.len()), (32, 32));
}

#[test]
fn readme_shows_strings_that_fit() {
    for text in [EXAMPLE.dispatch, EXAMPLE.nexus, EXAMPLE.config] {
        assert!(README.contains(&format!("`{text}`")), "{text}");
    }
    for text in [ORIGINAL.dispatch, ORIGINAL.nexus, ORIGINAL.config] {
        assert!(README.contains(&format!("`{text}`")), "{text}");
    }
}

fn advertised(role: &str, name: &str) -> String {
    format!("{role}.advertised={name}")
}

fn authority(home: &Home) -> X509 {
    let file = home.data_dir().join("certificates/ca.pem");
    X509::from_pem(&std::fs::read(file).unwrap()).unwrap()
}

#[cfg(feature = "legacy-tls")]
const fn old() -> Tls {
    Tls::Xp
}

#[cfg(not(feature = "legacy-tls"))]
fn old() -> Tls {
    panic!("this build has no TLS 1.0")
}
