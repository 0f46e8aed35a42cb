//! The original client on a computer whose hosts file leads Microsoft's names here.

use super::{
    ALICE, BOB, Computer, chat,
    computer::{Tls, get},
    home,
    messenger::{ORIGINAL, visit_pages},
};
use rstest::rstest;

#[rstest]
#[cfg_attr(feature = "legacy-tls", case::windows_xp(Tls::Xp))]
#[case::windows_11(Tls::Today)]
fn the_original_client_signs_in_chats_and_has_its_pages(#[case] tls: Tls) {
    let home = home();
    home.manage("cert init", "");
    let server = home.keeping(&["passport.http_bind=off"]);
    let mut computer = Computer::new(&server);
    computer.set_up();

    let mut alice = ORIGINAL.sign_in(&computer, tls, ALICE);
    let mut bob = ORIGINAL.sign_in(&computer, tls, BOB);
    alice.expect("NLN NLN bob@example.test Bob 268435500");
    chat(&computer, &mut alice, &mut bob, 'A');
    let host = "config.messenger.msn.com";
    visit_pages(&ORIGINAL.configuration(&computer), host, |path| {
        computer.http(host, &get(path, host))
    });
}

/// Windows before XP compares the host with the certificate's first name only.
#[cfg(feature = "legacy-tls")]
#[test]
fn the_name_that_old_windows_looks_at_is_that_of_nexus_and_login_host() {
    let home = home();
    home.manage("cert init --name chat.example.org", "");
    let server = home.keeping(&[]);
    let mut computer = Computer::new(&server);
    computer.set_up();
    let stream = computer.encrypted("nexus.passport.com", Tls::Xp);
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name =
        certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next().unwrap();
    assert_eq!(name.data().as_slice(), b"nexus.passport.com");
    let answer =
        computer.https("nexus.passport.com", Tls::Xp, &get("/rdr/pprdr.asp", "nexus.passport.com"));
    assert!(answer.contains(",DALogin=nexus.passport.com/login2.srf,"), "{answer}");
}
