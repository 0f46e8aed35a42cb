//! aMSN, gaim and bitlbee, each with the habits by which it breaks at servers that are only nearly
//! right (reference `clients.md` §4, §5 and §7, `passport.md` §4 to §6).

use super::{
    ALICE, BOB, Client, Computer, Home, PASSWORD, Server, chat,
    computer::{Tls, get},
    converse, entry, escaped, header, home,
    messenger::{ORIGINAL, login_place},
    say,
};
use rstest::rstest;
use std::io::{Read as _, Write as _};

/// A server as README has it, and a computer with its lines in the hosts file.
fn server(options: &[&str]) -> (Home, Server) {
    let home = home();
    home.manage("cert init", "");
    let server = home.keeping(options);
    (home, server)
}

fn computer(server: &Server) -> Computer<'_> {
    let mut computer = Computer::new(server);
    computer.set_up();
    computer
}

/// aMSN: three commands at once, and the answers in their order.
fn amsn(computer: &Computer<'_>, user: &str, ticket: impl Fn(&str) -> String) -> Client {
    let hello = |first: u32| {
        format!(
            "VER {} MSNP9 MSNP8 CVR0\r\nCVR {} 0x0409 winnt 6.0 i386 MSNMSGR 6.0.0602 MSMSGS \
             {user}\r\nUSR {} TWN I {user}\r\n",
            first,
            first + 1,
            first + 2
        )
    };
    let mut ds = computer.dial("messenger.hotmail.com:1863");
    ds.send_bytes(hello(1).as_bytes());
    assert!(ds.line().split(' ').any(|word| word == "CVR0"));
    assert!(ds.line().starts_with("CVR 2 "));
    let referral = ds.line();
    assert!(referral.starts_with("XFR 3 NS "), "{referral}");
    let mut ns = computer.dial(referral.split(' ').nth(3).unwrap());
    ns.send_bytes(hello(4).as_bytes());
    assert!(ns.line().split(' ').any(|word| word == "CVR0"));
    assert!(ns.line().starts_with("CVR 5 "));
    let line = ns.line();
    let challenge = line.strip_prefix("USR 6 TWN S ").unwrap();
    ns.send(&format!("USR 7 TWN S {}", ticket(challenge)));
    assert!(ns.line().starts_with(&format!("USR 7 OK {user} ")));
    ns.message();
    // Its status goes out on the first line of the list, and the nickname of last time before it.
    let name = if user == ALICE { "Alice" } else { "Bob" };
    ns.send_bytes(format!("REA 8 {user} {name}\r\nSYN 9 0\r\n").as_bytes());
    assert!(ns.line().starts_with("REA 8 "));
    assert_eq!(ns.line().split(' ').count(), 5);
    ns.send("CHG 10 NLN 1073791012");
    let block = ns.drain();
    let at = |what: &str| block.iter().position(|line| line == what).expect(what);
    assert!(at(entry(user)) < at("CHG 10 NLN 1073791012"), "{block:?}");
    ns
}

/// aMSN writes the address as it is typed, and cuts the ticket out by commas.
fn amsn_login(path: &str, host: &str, user: &str, challenge: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nAccept: */*\r\nHost: {host}\r\nUser-Agent: Tcl http client package \
         2.4.4\r\nAuthorization: Passport1.4 OrgVerb=GET,OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,\
         sign-in={user},pwd={},{challenge}\r\n\r\n",
        escaped(PASSWORD)
    )
}

fn amsn_ticket(answer: &str) -> String {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let info = header(answer, "Authentication-Info");
    let field = info.split(',').find_map(|field| field.strip_prefix("from-PP=")).unwrap();
    field[1..field.len() - 1].to_owned()
}

#[test]
fn amsn_signs_in_and_chats() {
    let (_home, server) = server(&[]);
    let computer = computer(&server);
    let through_nexus = |user: &'static str| {
        let computer = &computer;
        move |challenge: &str| {
            let host = "nexus.passport.com";
            let request = format!("GET /rdr/pprdr.asp HTTP/1.0\r\nHost: {host}\r\n\r\n");
            let answer = computer.https(host, Tls::Careless, &request);
            let (host, path) = login_place(header(&answer, "PassportURLs"));
            let login = amsn_login(&path, &host, user, challenge);
            amsn_ticket(&computer.https(&host, Tls::Careless, &login))
        }
    };
    // After ten seconds without a nexus.
    let without_nexus = |challenge: &str| {
        let host = "login.passport.com";
        let login = amsn_login("/login2.srf", host, BOB, challenge);
        amsn_ticket(&computer.https(host, Tls::Careless, &login))
    };
    let mut alice = amsn(&computer, ALICE, through_nexus(ALICE));
    let mut bob = amsn(&computer, BOB, without_nexus);
    alice.expect("NLN NLN bob@example.test Bob 1073791012");
    chat(&computer, &mut alice, &mut bob, 'A');
}

/// Without its TLS module it asks on port 80, which the operator has to allow.
#[test]
fn amsn_without_tls_signs_in_on_port_80_if_the_operator_lets_it() {
    let address = super::proxy::port_80(76);
    let options = [format!("web.bind={address}"), format!("passport.http_bind={address}")];
    let (_home, server) = server(&options.each_ref().map(String::as_str));
    let computer = computer(&server);
    let login = |challenge: &str| {
        let host = "nexus.passport.com";
        let answer = computer.http(host, &get("/rdr/pprdr.asp", host));
        let (host, path) = login_place(header(&answer, "PassportURLs"));
        amsn_ticket(&computer.http(&host, &amsn_login(&path, &host, ALICE, challenge)))
    };
    drop(amsn(&computer, ALICE, login));
}

/// gaim 1.x: reads to the end of connections, compares literally, writes the challenge anew.
fn gaim(computer: &Computer<'_>, tls: Tls, user: &str) -> Client {
    let mut ds = computer.dial("messenger.hotmail.com:1863");
    let mut ns = {
        ds.send("VER 1 MSNP9 MSNP8 CVR0");
        assert!(ds.line().split(' ').any(|word| word == "MSNP9"));
        ds.send(&format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}"));
        assert!(ds.line().starts_with("CVR 2 "));
        ds.send(&format!("USR 3 TWN I {user}"));
        let referral = ds.line();
        assert!(referral.starts_with("XFR 3 NS "), "{referral}");
        computer.dial(referral.split(' ').nth(3).unwrap())
    };
    ns.send("VER 4 MSNP9 MSNP8 CVR0");
    assert!(ns.line().split(' ').any(|word| word == "MSNP9"));
    ns.send(&format!("CVR 5 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}"));
    assert!(ns.line().starts_with("CVR 5 "));
    ns.send(&format!("USR 6 TWN I {user}"));
    let line = ns.line();
    let challenge = rewritten(line.strip_prefix("USR 6 TWN S ").unwrap());
    ns.send(&format!("USR 7 TWN S {}", gaim_ticket(computer, tls, user, &challenge)));
    assert!(ns.line().starts_with(&format!("USR 7 OK {user} ")));
    ns.message();
    ns.send("SYN 8 0");
    let head = ns.line();
    let words: Vec<&str> = head.split(' ').collect();
    let ["SYN", "8", _, "1", "2"] = words[..] else { panic!("a bad buddy list: {head}") };
    // From here to the last entry it knows nothing but these.
    loop {
        let line = ns.line();
        let known = ["GTC ", "BLP ", "PRP ", "LSG ", "LST ", "BPR "];
        assert!(known.iter().any(|verb| line.starts_with(verb)), "{line}");
        if line.starts_with("LST ") {
            assert_eq!(line, entry(user));
            break;
        }
    }
    ns.ask("CHG 9 NLN 1073741856", "CHG 9 NLN 1073741856");
    ns.drain();
    ns
}

/// The keys it knows in its own order, and the time 200 seconds on. A missing one crashes it.
fn rewritten(challenge: &str) -> String {
    let value = |key: &str| {
        let pairs = challenge.split(',').map(|pair| pair.split_once('=').unwrap());
        pairs.filter(|(name, _)| *name == key).map(|(_, value)| value).next().expect(key)
    };
    let ct: u64 = value("ct").parse().unwrap();
    let same: Vec<String> = ["lc", "id", "tw", "fs", "ru", "kpp", "kv", "ver", "tpf"]
        .map(|key| format!("{key}={}", value(key)))
        .into();
    let (before, behind) = same.split_at(5);
    format!("{},ct={},{}", before.join(","), ct + 200, behind.join(","))
}

fn gaim_ticket(computer: &Computer<'_>, tls: Tls, user: &str, challenge: &str) -> String {
    // No version, no header, and it waits for the end.
    let nexus = "nexus.passport.com";
    let answer = computer.https(nexus, tls, "GET /rdr/pprdr.asp\r\n\r\n");
    let (_, rest) = answer.split_once("PassportURLs").expect("the header in this case");
    let (_, rest) = rest.split_once("DALogin=").unwrap();
    let (login, _) = rest.split_once(',').expect("a field behind it");
    let (host, path) = login.split_once('/').unwrap();
    let answer = computer.https(
        host,
        tls,
        &format!(
            "GET /{path} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,OrgURL=http%3A%2F%2F\
             messenger%2Emsn%2Ecom,sign-in={},pwd={},{challenge}\r\nUser-Agent: MSMSGS\r\n\
             Host: {host}\r\nConnection: Keep-Alive\r\nCache-Control: no-cache\r\n\r\n",
            escaped(user),
            escaped(PASSWORD)
        ),
    );
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    let (_, rest) = answer.split_once("Authentication-Info: ").unwrap();
    let (_, rest) = rest.split_once("from-PP='").unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Its request names no host, so it is sent to the address at which it came, unless the operator
/// names a host; a build that looks at certificates needs that.
#[rstest]
#[case::of_its_time("", Tls::Careless)]
#[case::that_checks("passport.login_host=nexus.passport.com", Tls::Today)]
fn gaim_signs_in_and_chats(#[case] option: &str, #[case] tls: Tls) {
    let options = [option];
    let (_home, server) = server(if option.is_empty() { &[] } else { &options });
    let computer = computer(&server);
    let mut alice = gaim(&computer, tls, ALICE);
    let mut bob = gaim(&computer, tls, BOB);
    alice.expect("NLN NLN bob@example.test Bob 1073741856");
    let [mut caller, mut called] = converse(&computer, &mut alice, &mut bob);
    // At every JOI, before the first word.
    let capabilities = "MIME-Version: 1.0\r\nContent-Type: text/x-clientcaps\r\n\r\n\
                        Client-Name: Gaim/1.5.0\r\nChat-Logging: Y\r\n";
    caller.send_bytes(format!("MSG 6 U {}\r\n{capabilities}", capabilities.len()).as_bytes());
    assert_eq!(called.message().1, capabilities);
    say(&mut caller, &mut called, "alice@example.test Alice", 'A');
    called.send("OUT");
    caller.expect("BYE bob@example.test");
}

/// bitlbee 1.x: MSNP8, and a wrong number of words is the end.
fn bitlbee(computer: &Computer<'_>, user: &str) -> Client {
    let mut ds = computer.dial("messenger.hotmail.com:1863");
    ds.send("VER 1 MSNP8 CVR0");
    assert!(ds.line().starts_with("VER 1 MSNP8"));
    ds.send(&format!("CVR 2 0x0409 mac 10.2.0 ppc macmsgs 3.5.1 macmsgs {user}"));
    assert!(ds.line().starts_with("CVR 2 "));
    ds.send(&format!("USR 3 TWN I {user}"));
    let referral = counted(&mut ds, 6);
    let mut ns = computer.dial(referral.split(' ').nth(3).unwrap());
    ns.send("VER 1 MSNP8 CVR0");
    assert!(ns.line().starts_with("VER 1 MSNP8"));
    ns.send(&format!("CVR 2 0x0409 mac 10.2.0 ppc macmsgs 3.5.1 macmsgs {user}"));
    assert!(ns.line().starts_with("CVR 2 "));
    ns.send(&format!("USR 3 TWN I {user}"));
    let line = counted(&mut ns, 5);
    let challenge = &line[line.find("lc=").unwrap()..];
    ns.send(&format!("USR 4 TWN S {}", bitlbee_ticket(computer, user, challenge)));
    assert!(counted(&mut ns, 7).starts_with(&format!("USR 4 OK {user} ")));
    ns.message();
    ns.send("SYN 5 0");
    let head = counted(&mut ns, 5);
    assert!(head.ends_with(" 1 2"), "{head}");
    for (verb, words) in [("GTC", 2), ("BLP", 2), ("LSG", 4), ("LSG", 4), ("LST", 5)] {
        assert!(counted(&mut ns, words).starts_with(verb));
    }
    ns.ask("CHG 6 NLN", "CHG 6 NLN 0");
    for line in ns.drain() {
        let words = line.split(' ').count();
        assert!(
            matches!((line.split(' ').next().unwrap(), words), ("ILN", 6) | ("CHL", 3)),
            "{line}"
        );
    }
    ns
}

#[track_caller]
fn counted(client: &mut Client, words: usize) -> String {
    let line = client.line();
    assert_eq!(line.split(' ').count(), words, "{line}");
    line
}

/// HTTP/1.0 without a host; of the nexus one read, of the login at most so much.
fn bitlbee_ticket(computer: &Computer<'_>, user: &str, challenge: &str) -> String {
    let mut stream = computer.encrypted("nexus.passport.com", Tls::Careless);
    stream.write_all(b"GET /rdr/pprdr.asp HTTP/1.0\r\n\r\n").unwrap();
    let mut once = [0; 2048];
    let bytes = stream.read(&mut once).unwrap();
    let nexus = std::str::from_utf8(&once[..bytes]).unwrap();
    let (login, _) = nexus.split_once("DALogin=").unwrap().1.split_once(',').unwrap();
    let (host, path) = login.split_once('/').unwrap();
    let answer = computer.https(
        host,
        Tls::Careless,
        &format!(
            "GET /{path} HTTP/1.0\r\nAuthorization: Passport1.4 OrgVerb=GET,OrgURL=http%3A%2F%2F\
             messenger%2Emsn%2Ecom,sign-in={},pwd={},{challenge}\r\n\r\n",
            escaped(user),
            escaped(PASSWORD)
        ),
    );
    assert!(answer.contains("200 OK") && !answer.contains("Location:"), "{answer}");
    assert!(answer.len() < 4000, "{}", answer.len());
    let (_, rest) = answer.split_once("from-PP='").unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

#[test]
fn bitlbee_signs_in_chats_and_leaves_its_conversations_lying_about() {
    let (_home, server) = server(&["timers.room_idle_secs=5"]);
    let computer = computer(&server);
    let mut alice = bitlbee(&computer, ALICE);
    let mut bob = ORIGINAL.sign_in(&computer, Tls::Today, BOB);
    assert_eq!(counted(&mut alice, 5), "NLN NLN bob@example.test Bob 268435500");
    let [mut caller, mut called] = converse(&computer, &mut alice, &mut bob);
    say(&mut caller, &mut called, "alice@example.test Alice", 'N');
    say(&mut called, &mut caller, "bob@example.test Bob", 'A');
    called.send("OUT");
    assert_eq!(counted(&mut caller, 2), "BYE bob@example.test");
    // A spare for the next one who is written to; if nobody is, the server must end it.
    caller.expect_end();
    // Off without a word.
    drop(alice);
    bob.expect("FLN alice@example.test");
}
