//! The way from the dispatch server to a signed-in session: referral, nexus, passwords, tickets,
//! and the clock that all of them depend on.

use super::{
    Account, Fault, Finding, Options, Seen, encryption,
    wire::{self, Answer, Lines, shown},
    wrong,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// Somebody who has no account anywhere.
const NOBODY: &str = "nobody@doctor.invalid";
/// How far the two clocks may differ, seconds.
const CLOCK_OFFSET_MAX_SECS: i64 = 120;

const NO_DISPATCH: &str =
    "let the dispatch role listen on port 1863 (dispatch.bind) and let the firewall pass it";
const NO_NOTIFICATION: &str = "set notification.advertised to the address and port at which clients \
     reach the notification role, and let the firewall pass it";

/// The dispatch server refers to a notification server that answers, twice to the same.
pub(super) async fn referral(options: &Options, seen: &mut Seen) -> Finding {
    let (first, target) = referred(options).await?;
    let Some(first) = first else {
        let at = format!("{}:{}", options.host, options.dispatch_port);
        look_at_notification(options, &at, seen).await?;
        return Ok(format!("{at} serves without a referral"));
    };
    let (again, _) = referred(options).await?;
    if again.as_ref() != Some(&first) {
        return Err(wrong(
            format!("refers to {first} and then to {}", again.as_deref().unwrap_or("nobody")),
            "clients remember the address: it must always be the same for one account",
        ));
    }
    let host = first.rsplit_once(':').map_or(first.as_str(), |(host, _)| host);
    if let Ok(address) = host.parse::<Ipv4Addr>()
        && let Some(why) = unreachable_from(address, target)
    {
        return Err(wrong(format!("refers to {first}, {why}"), NO_NOTIFICATION));
    }
    look_at_notification(options, &first, seen).await?;
    Ok(format!("refers to {first}, which answers"))
}

/// The address a client is sent to, if any, and that of the dispatch server itself.
async fn referred(options: &Options) -> Result<(Option<String>, IpAddr), Fault> {
    let mut ds = Lines::open(options, &options.host, options.dispatch_port, NO_DISPATCH).await?;
    let peer = ds.peer().ip();
    let answer = hello(&mut ds, NOBODY).await.map_err(|what| wrong(what, NO_DISPATCH))?;
    ds.close().await;
    let words: Vec<&str> = answer.split(' ').collect();
    match words.as_slice() {
        ["XFR", _, "NS", address, ..] => Ok((Some((*address).to_owned()), peer)),
        ["USR", _, "TWN", "S", ..] => Ok((None, peer)),
        _ => Err(wrong(format!("no referral: it says `{}`", shown(&answer)), NO_DISPATCH)),
    }
}

/// Why clients that reach `target` will not reach `address`.
pub(super) fn unreachable_from(address: Ipv4Addr, target: IpAddr) -> Option<&'static str> {
    let IpAddr::V4(target) = target.to_canonical() else { return None };
    let inside = |address: Ipv4Addr| address.is_private() || address.is_link_local();
    if address.is_unspecified() {
        Some("which is no address")
    } else if address.is_loopback() && !target.is_loopback() {
        Some("which every computer takes for itself")
    } else if inside(address) && !inside(target) && !target.is_loopback() {
        Some("an address inside a network that the public one does not belong to")
    } else {
        None
    }
}

/// Whether the notification server is there; learns its clock from the challenge.
async fn look_at_notification(
    options: &Options,
    address: &str,
    seen: &mut Seen,
) -> Result<(), Fault> {
    let mut ns = notification(options, address).await?;
    let answer = hello(&mut ns, NOBODY).await.map_err(|what| wrong(what, NO_NOTIFICATION))?;
    ns.close().await;
    let Some(challenge) = answer.strip_prefix("USR 3 TWN S ") else {
        let what = format!("{address} begins no sign-in: it says `{}`", shown(&answer));
        return Err(wrong(what, NO_NOTIFICATION));
    };
    let time = challenge.split(',').find_map(|pair| pair.strip_prefix("ct="));
    seen.clock_offset = time.and_then(|time| time.parse::<i64>().ok()).map(|time| time - now());
    seen.notification = Some(address.to_owned());
    Ok(())
}

async fn notification(options: &Options, address: &str) -> Result<Lines, Fault> {
    let split = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = split else {
        return Err(wrong(format!("refers to `{}`, no address", shown(address)), NO_NOTIFICATION));
    };
    Lines::open(options, host, port, NO_NOTIFICATION).await
}

/// Version and name; the answer to the name.
async fn hello(lines: &mut Lines, user: &str) -> Result<String, String> {
    let version = format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}");
    let version = lines.ask(&version).await.map_err(|error| error.to_string())?;
    if !version.starts_with("CVR 2 ") {
        return Err(format!("no answer to CVR: it says `{}`", shown(&version)));
    }
    lines.ask(&format!("USR 3 TWN I {user}")).await.map_err(|error| error.to_string())
}

/// The request of gaim and others, which ask without an HTTP version and read to the end.
pub(super) async fn nexus_without_version(options: &Options) -> Finding {
    let (mut stream, _) = encryption::connect(options, encryption::NEXUS).await?;
    let answer = wire::request(&mut stream, "GET /rdr/pprdr.asp\r\n\r\n", true).await;
    let remedy = "only msnd itself can answer this request: let no proxy end TLS before it";
    let answer = answer.map_err(|error| wrong(error.to_string(), remedy))?;
    if answer.status() != "HTTP/1.1 200 OK" {
        return Err(wrong(format!("the answer is `{}`", shown(answer.status())), remedy));
    }
    login_place(&answer).ok_or_else(|| wrong("no exact header PassportURLs", remedy))?;
    Ok("header answer, then the end of the connection".into())
}

/// Host and path of the login service.
pub(super) fn login_place(nexus: &Answer) -> Option<(String, String)> {
    let urls = nexus.header("PassportURLs")?.strip_prefix("DARealm=Passport.Net,DALogin=")?;
    let (login, _) = urls.split_once(",DAReg=")?;
    let (host, path) = login.split_once('/')?;
    Some((host.to_owned(), format!("/{path}")))
}

/// A wrong password is refused; with an account, the right one gives a ticket that is good once.
pub(super) async fn passwords(options: &Options, seen: &Seen) -> Finding {
    let remedy = "look at the server's log";
    let (mut stream, _) = encryption::connect(options, encryption::NEXUS).await?;
    let nexus = wire::request(&mut stream, encryption::NEXUS_REQUEST, false).await;
    let nexus = nexus.map_err(|error| wrong(error.to_string(), remedy))?;
    let place =
        login_place(&nexus).ok_or_else(|| wrong("the nexus names no login host", remedy))?;

    let wrong_one = Account { address: NOBODY.into(), password: Zeroizing::new("wrong".into()) };
    let answer = login(options, &place, &wrong_one).await?;
    let says_why = answer.header("WWW-Authenticate");
    let refused = says_why.is_some_and(|value| value.starts_with("Passport1.4 da-status=failed"));
    if answer.status() != "HTTP/1.1 401 Unauthorized" || !refused {
        let what = format!("a wrong password is answered with `{}`", shown(answer.status()));
        return Err(wrong(what, remedy));
    }
    let Some(account) = &options.account else {
        return Ok("a wrong password is refused; no right one tried (--user)".into());
    };
    let answer = login(options, &place, account).await?;
    let ticket = answer
        .header("Authentication-Info")
        .and_then(|info| info.split_once("from-PP='"))
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(ticket, _)| Zeroizing::new(ticket.to_owned()));
    let Some(ticket) = ticket.filter(|_| answer.status() == "HTTP/1.1 200 OK") else {
        return Err(wrong(
            format!(
                "the password of {} is answered with `{}`",
                account.address,
                shown(answer.status())
            ),
            "check address and password with `msnd user list` and `msnd user passwd`",
        ));
    };
    let Some(address) = &seen.notification else {
        return Err(Fault::Skipped("no notification server to take the ticket to".into()));
    };
    let first = present(options, address, account, &ticket).await?;
    if !first.starts_with("USR 4 OK ") {
        return Err(wrong(format!("the ticket is refused: `{}`", shown(&first)), remedy));
    }
    let second = present(options, address, account, &ticket).await?;
    if !second.starts_with("911 4") {
        return Err(wrong("the same ticket is good twice", "this server is not safe to run"));
    }
    Ok("a wrong password is refused, the right one gives a ticket that is good once".into())
}

async fn login(
    options: &Options,
    (host, path): &(String, String),
    account: &Account,
) -> Result<Answer, Fault> {
    let (mut stream, _) = encryption::connect(options, host).await?;
    let request = Zeroizing::new(format!(
        "GET {path} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={},pwd={},lc=1033,id=507,tw=40,fs=1,\
         ru=http%3A%2F%2Fmessenger%2Emsn%2Ecom,ct={},kpp=1,kv=11,ver=2.1.0173.1,tpf=0\r\n\
         User-Agent: MSMSGS\r\nHost: {host}\r\nConnection: Keep-Alive\r\nCache-Control: \
         no-cache\r\n\r\n",
        *encoded(&account.address),
        *encoded(&account.password),
        now(),
    ));
    wire::request(&mut stream, &request, false).await.map_err(|error| {
        wrong(format!("no answer to a login: {error}"), "look at the server's log")
    })
}

/// The answer to a ticket on a connection of its own.
async fn present(
    options: &Options,
    address: &str,
    account: &Account,
    ticket: &str,
) -> Result<String, Fault> {
    let mut ns = notification(options, address).await?;
    let lost = |what: String| wrong(what, NO_NOTIFICATION);
    hello(&mut ns, &account.address).await.map_err(lost)?;
    let line = Zeroizing::new(format!("USR 4 TWN S {ticket}"));
    let answer = ns.ask(&line).await.map_err(|error| lost(error.to_string()))?;
    ns.close().await;
    Ok(answer)
}

/// Every byte that is no letter and no digit as `%XX`.
fn encoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The server's clock as the challenge told it.
pub(super) fn clock(seen: &Seen) -> Finding {
    let Some(offset) = seen.clock_offset else {
        return Err(Fault::Skipped("no challenge was seen that tells the server's time".into()));
    };
    if offset.abs() > CLOCK_OFFSET_MAX_SECS {
        return Err(wrong(
            format!("the server's clock is {offset} seconds ahead of the one here"),
            "set the clock of the server (or of this machine); tickets and certificates depend on \
             it",
        ));
    }
    Ok(format!("within {} seconds of the clock here", offset.abs().max(1)))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referral_must_lead_somewhere_from_where_one_asks() {
        for (address, target, reached) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("192.168.1.5", "127.0.0.1", true),
            ("192.168.1.5", "192.168.1.5", true),
            ("192.168.1.5", "::ffff:192.168.1.5", true),
            ("127.0.0.1", "192.168.1.5", false),
            ("172.17.0.2", "203.0.113.9", false),
            ("0.0.0.0", "127.0.0.1", false),
        ] {
            let found = unreachable_from(address.parse().unwrap(), target.parse().unwrap());
            assert_eq!(found.is_none(), reached, "{address} from {target}");
        }
    }

    #[test]
    fn the_login_host_is_read_as_strict_clients_read_it() {
        let nexus = |urls: &str| Answer {
            head: format!("HTTP/1.1 200 OK\r\nPassportURLs: {urls}\r\n\r\n"),
            ..Answer::default()
        };
        let good = nexus("DARealm=Passport.Net,DALogin=a.b/login2.srf,DAReg=http://a.b/r");
        assert_eq!(login_place(&good), Some(("a.b".into(), "/login2.srf".into())));
        for bad in ["DALogin=a.b/login2.srf", "DARealm=Passport.Net, DALogin=a.b/l,DAReg=x"] {
            assert_eq!(login_place(&nexus(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_wrong_clock_is_a_fault_and_an_unknown_one_none() {
        let seen = |offset| Seen { clock_offset: offset, ..Seen::default() };
        assert!(clock(&seen(Some(-120))).is_ok());
        assert!(matches!(clock(&seen(Some(121))), Err(Fault::Wrong { .. })));
        assert!(matches!(clock(&seen(None)), Err(Fault::Skipped(_))));
    }
}
