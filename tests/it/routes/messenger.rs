//! MSN Messenger 6.0 as it is known from documents and traces: the strings in its executable, and
//! what it does with them one after the other.

use super::ticket_in;
use super::{Client, Computer, PASSWORD, computer::Tls, computer::get, entry, escaped, header};

/// The strings that decide whom it calls, each with the length that a patch must keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Messenger {
    /// Where it looks for the dispatch server: 21 characters, or fewer with a NUL behind them.
    pub(super) dispatch: &'static str,
    /// Where it asks for the login host: 32 characters.
    pub(super) nexus: &'static str,
    /// What it looks for in the answer: 12 characters.
    pub(super) header: &'static str,
    /// Where it asks for its configuration: 54 characters.
    pub(super) config: &'static str,
}

/// As Microsoft shipped it.
pub(super) const ORIGINAL: Messenger = Messenger {
    dispatch: "messenger.hotmail.com",
    nexus: "nexus.passport.com/rdr/pprdr.asp",
    header: "PassportURLs",
    config: "http://config.messenger.msn.com/Config/MsgrConfig.asmx",
};

/// What it posts to ask for its configuration.
const QUESTION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope \
     xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><GetClientConfig \
     xmlns=\"http://www.msn.com/webservices/Messenger/Client\"><clientinfo><Country>GB</Country>\
     <CLCID>0809</CLCID><PLCID>0409</PLCID><GeoID>242</GeoID></clientinfo></GetClientConfig>\
     </soap:Body></soap:Envelope>";

impl Messenger {
    /// From the dispatch server to the list of contacts.
    #[track_caller]
    pub(super) fn sign_in(&self, computer: &Computer<'_>, tls: Tls, user: &str) -> Client {
        let mut ds = computer.dial(&format!("{}:1863", self.dispatch));
        ds.ask("VER 1 MSNP9 MSNP8 CVR0", "VER 1 MSNP9 MSNP8 CVR0");
        ds.send(&format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}"));
        assert!(ds.line().starts_with("CVR 2 6.0.0602 "));
        ds.send(&format!("USR 3 TWN I {user}"));
        let referral = ds.line();
        let words: Vec<&str> = referral.split(' ').collect();
        let ["XFR", "3", "NS", address, "0", _] = words[..] else { panic!("{referral}") };
        let mut ns = computer.dial(address);
        ns.ask("VER 4 MSNP9 MSNP8 CVR0", "VER 4 MSNP9 MSNP8 CVR0");
        ns.send(&format!("CVR 5 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}"));
        assert!(ns.line().starts_with("CVR 5 6.0.0602 "));
        ns.send(&format!("USR 6 TWN I {user}"));
        let line = ns.line();
        let challenge = line.strip_prefix("USR 6 TWN S ").unwrap();
        let ticket = self.ticket(computer, tls, user, challenge);
        ns.send(&format!("USR 7 TWN S {ticket}"));
        assert!(ns.line().starts_with(&format!("USR 7 OK {user} ")));
        assert!(ns.message().1.contains("text/x-msmsgsprofile"));
        come_online(&mut ns, user);
        ns
    }

    /// Nexus, then the login host it names.
    #[track_caller]
    fn ticket(&self, computer: &Computer<'_>, tls: Tls, user: &str, challenge: &str) -> String {
        let (host, path) = self.nexus.split_once('/').unwrap();
        let answer = computer.https(host, tls, &get(&format!("/{path}"), host));
        let (host, path) = login_place(header(&answer, self.header));
        ticket_in(&computer.https(&host, tls, &login(&path, &host, user, challenge)))
    }

    /// The answer to the question for tabs and pages.
    #[track_caller]
    pub(super) fn configuration(&self, computer: &Computer<'_>) -> String {
        let (host, path) = self.config.strip_prefix("http://").unwrap().split_once('/').unwrap();
        computer.http(host, &configuration_request(&format!("/{path}"), host))
    }
}

/// Host and path of the login service in the nexus's header; official clients take it with or
/// without a scheme.
#[track_caller]
pub(super) fn login_place(urls: &str) -> (String, String) {
    let field = urls.split(',').find_map(|field| field.strip_prefix("DALogin=")).unwrap();
    let (host, path) = field.trim_start_matches("https://").split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

/// A login request.
pub(super) fn login(target: &str, host: &str, user: &str, challenge: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={},pwd={},{challenge}\r\n\
         User-Agent: MSMSGS\r\nHost: {host}\r\nConnection: Keep-Alive\r\n\
         Cache-Control: no-cache\r\n\r\n",
        escaped(user),
        escaped(PASSWORD)
    )
}

/// The question for tabs and pages.
pub(super) fn configuration_request(target: &str, host: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/xml; charset=utf-8\r\n\
         SOAPAction: \"http://www.msn.com/webservices/Messenger/Client/GetClientConfig\"\r\n\
         Content-Length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    )
}

/// Checks a configuration and that the pages in it are where `ask` finds them, under `host`.
#[track_caller]
pub(super) fn visit_pages(configuration: &str, host: &str, ask: impl Fn(&str) -> String) {
    assert!(configuration.starts_with("HTTP/1.1 200 OK\r\n"), "{configuration}");
    let (_, document) = configuration.split_once("<![CDATA[<MsgrConfig>").unwrap();
    let mut pages = 0;
    for rest in document.split(">http://").skip(1) {
        let url = rest.split('<').next().unwrap();
        if url.ends_with(".png") {
            // No text; it is looked at where the pages are tested.
            continue;
        }
        let path = url.strip_prefix(host).unwrap_or_else(|| panic!("a page at {url}"));
        let answer = ask(path);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{url}: {answer}");
        pages += 1;
    }
    assert!(pages >= 3, "{document}");
}

/// Lists, then the own status.
#[track_caller]
fn come_online(ns: &mut Client, user: &str) {
    ns.send("SYN 8 0");
    let block = ns.drain();
    assert!(block[0].starts_with("SYN 8 ") && block[0].ends_with(" 1 2"), "{block:?}");
    assert!(block.iter().any(|line| line == entry(user)), "{block:?}");
    ns.send("CHG 9 NLN 268435500");
    let lines = ns.drain();
    assert!(lines.iter().any(|line| line == "CHG 9 NLN 268435500"), "{lines:?}");
}
