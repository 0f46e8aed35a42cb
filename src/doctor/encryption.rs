//! TLS as an old and as a modern Windows would begin it, and whether the certificate that comes is
//! one they take.

use super::{
    Fault, Finding, Options, Seen, sign_in,
    wire::{self, Answer},
    wrong,
};
use crate::{
    net::tls::{
        TlsStream,
        inspect::Facts,
        probe::{self, Hello, ProbeError},
    },
    setup::SERVICE_NAMES,
};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::{TcpStream, lookup_host};

/// The name every client asks for first.
pub(super) const NEXUS: &str = "nexus.passport.com";
/// The nexus request as the official client writes it.
pub(super) const NEXUS_REQUEST: &str =
    "GET /rdr/pprdr.asp HTTP/1.1\r\nHost: nexus.passport.com\r\n\r\n";

const NOT_THERE: &str = "let Passport listen where clients look for it (passport.https_bind, port \
     443), and let the firewall pass it";

/// TLS 1.0, 3DES, no server name: Windows XP. The nexus must answer through it.
pub(super) async fn old(options: &Options, seen: &mut Seen) -> Finding {
    let stream = wire::connect(options, &options.host, options.https_port, NOT_THERE).await?;
    let (mut stream, hello) = match probe::hello(stream, Hello::Old).await {
        Ok(met) => met,
        Err(error @ ProbeError::Unable) => return Err(Fault::Skipped(error.to_string())),
        Err(ProbeError::Refused(error)) => {
            return Err(wrong(
                format!("no TLS 1.0 with 3DES: {error}"),
                "set passport.tls_floor = \"tls1.0\" and use a build with the ciphers of old \
                 Windows; without it, Windows XP and older cannot sign in",
            ));
        }
    };
    let facts = facts(&hello)?;
    seen.certificates.push(hello.certificate);
    fits(&facts)?;
    if !facts.key.starts_with("RSA") {
        return Err(wrong(
            format!("the certificate has a key of kind {}", facts.key),
            "Windows before Vista knows RSA only: make certificates with `msnd cert init`",
        ));
    }
    let answer = wire::request(&mut stream, NEXUS_REQUEST, false).await;
    let answer = answer.map_err(|error| wrong(error.to_string(), "look at the server's log"))?;
    let host = login_host(&answer)?;
    covers(&facts, &host, "clients that send no server name")?;
    is_found(&host).await?;
    let digest = if facts.is_sha1() {
        "signed with SHA-1"
    } else {
        "not signed with SHA-1, so Windows 98 to XP SP2 cannot verify it"
    };
    Ok(format!("{} {}, certificate {digest}", hello.version, hello.cipher))
}

/// TLS 1.2 with a server name: Windows 8.1 and later.
pub(super) async fn modern(options: &Options, seen: &mut Seen) -> Finding {
    let (mut stream, hello) = connect(options, NEXUS).await?;
    let facts = facts(&hello)?;
    seen.certificates.push(hello.certificate);
    fits(&facts)?;
    if facts.is_sha1() {
        return Err(wrong(
            "the certificate is signed with SHA-1",
            "new versions of Windows distrust that: clients that send a server name must get a \
             certificate signed with SHA-256, such as `msnd cert init` makes",
        ));
    }
    let answer = wire::request(&mut stream, NEXUS_REQUEST, false).await;
    let answer = answer.map_err(|error| wrong(error.to_string(), "look at the server's log"))?;
    let host = login_host(&answer)?;
    let (_, login) = connect(options, &host).await?;
    covers(&self::facts(&login)?, &host, "clients that send it as server name")?;
    is_found(&host).await?;
    Ok(format!("{} {}, certificate {}", hello.version, hello.cipher, facts.signature))
}

/// The host to which the nexus sends clients with their passwords.
fn login_host(nexus: &Answer) -> Result<String, Fault> {
    let place = sign_in::login_place(nexus).ok_or_else(|| {
        wrong(
            "the nexus does not answer with the exact header PassportURLs",
            "nothing that rewrites HTTP may stand between clients and the server",
        )
    })?;
    Ok(place.0)
}

/// Whether `whom` will take the certificate under the name of the login host.
fn covers(facts: &Facts, host: &str, whom: &str) -> Result<(), Fault> {
    if facts.is_for(host) {
        return Ok(());
    }
    Err(wrong(
        format!("{whom} are sent to {host} to sign in, and their certificate is not for it"),
        format!(
            "`msnd cert renew --name {host}`, or a certificate for that name, or a \
             passport.login_host for which there is one"
        ),
    ))
}

/// Whether the login host has an address: it is in no hosts file, unless it is one of the names
/// that all of them hold.
async fn is_found(host: &str) -> Result<(), Fault> {
    if SERVICE_NAMES.contains(&host) {
        return Ok(());
    }
    let found = lookup_host((host, 443)).await.ok().and_then(|mut all| all.next());
    found.map(drop).ok_or_else(|| {
        wrong(
            format!("no address is found for {host}, where clients are sent to sign in"),
            "give that name an address (DNS), or set passport.login_host to one that has",
        )
    })
}

/// A connection to Passport as a modern Windows makes it.
pub(super) async fn connect(
    options: &Options,
    name: &str,
) -> Result<(TlsStream<TcpStream>, probe::Seen), Fault> {
    let stream = wire::connect(options, &options.host, options.https_port, NOT_THERE).await?;
    probe::hello(stream, Hello::Modern(name)).await.map_err(|error| {
        wrong(
            format!("no TLS 1.2: {error}"),
            "TLS must end in msnd itself; look at its log, and at what else listens on this port",
        )
    })
}

fn facts(hello: &probe::Seen) -> Result<Facts, Fault> {
    hello.certificate.facts().map_err(|error| wrong(error.to_string(), "replace the certificate"))
}

/// Whether the certificate is for the nexus, and for today.
fn fits(facts: &Facts) -> Result<(), Fault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if now > facts.until_secs {
        return Err(wrong(
            format!("the certificate expired {} days ago", -facts.days_left(now)),
            "`msnd cert renew`, or put a new one in the place of the old",
        ));
    }
    if now < facts.from_secs {
        return Err(wrong(
            "the certificate is not valid yet",
            "check the clock of this machine and of the one that made the certificate",
        ));
    }
    if !facts.is_for(NEXUS) {
        return Err(wrong(
            format!("the certificate is not for {NEXUS}"),
            "clients with a hosts file ask for that name: make certificates with `msnd cert init`",
        ));
    }
    Ok(())
}
