//! What clients want over plain HTTP: their configuration, the gateway, an answer under every
//! redirected name, and the certificate authority.

use super::{
    Fault, Finding, Options, Seen,
    sign_in::unreachable_from,
    wire::{self, Answer, shown},
    wrong,
};
use crate::{
    net::tls::inspect::Certificate,
    setup::{CA_CERTIFICATE, PATH, SERVICE_NAMES},
};
use std::{io, net::Ipv4Addr, time::Duration};
use tokio::{
    net::TcpStream,
    time::{error::Elapsed, timeout},
};

/// How long a name may take to answer: a client waits for it before it goes on.
const NAME_TIMEOUT: Duration = Duration::from_secs(1);
const CONFIG_HOST: &str = "config.messenger.msn.com";
const GATEWAY_HOST: &str = "gateway.messenger.hotmail.com";
const NO_HTTP: &str =
    "let the web services listen on port 80 (web.bind) and let the firewall pass it";
const CONFIG_QUESTION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope \
     xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><GetClientConfig \
     xmlns=\"http://www.msn.com/webservices/Messenger/Client\"><clientinfo><Country>GB</Country>\
     <CLCID>0809</CLCID><PLCID>0409</PLCID><GeoID>242</GeoID></clientinfo></GetClientConfig>\
     </soap:Body></soap:Envelope>";

/// An envelope around text for the old clients, the bare document for the later ones.
pub(super) async fn messenger_config(options: &Options) -> Finding {
    let post = format!(
        "POST /Config/MsgrConfig.asmx HTTP/1.1\r\nHost: {CONFIG_HOST}\r\nContent-Type: text/xml; \
         charset=utf-8\r\nSOAPAction: \"http://www.msn.com/webservices/Messenger/Client/\
         GetClientConfig\"\r\nContent-Length: {}\r\n\r\n{CONFIG_QUESTION}",
        CONFIG_QUESTION.len()
    );
    let envelope = ask(options, &post).await?;
    let text = envelope.text();
    let inner = text
        .split_once("<GetClientConfigResult>")
        .and_then(|(_, rest)| rest.split_once("</GetClientConfigResult>"))
        .map(|(inner, _)| inner.trim_start());
    let is_text =
        inner.is_some_and(|inner| inner.starts_with("<![CDATA[") || inner.starts_with("&lt;"));
    if !is_ok(&envelope) || !is_text || !text.contains("MsgrConfig") {
        return Err(wrong(
            format!("POST is answered with `{}`, without the configuration", said(&envelope)),
            "clients up to 7.5 lose their tabs without it; nothing else depends on it. See web.bind",
        ));
    }
    let get = format!(
        "GET /Config/MsgrConfig.asmx?op=GetClientConfig&Country=GB&CLCID=0809&PLCID=0409&GeoID=242\
         &ver=8.1.178 HTTP/1.1\r\nHost: {CONFIG_HOST}\r\n\r\n"
    );
    let bare = ask(options, &get).await?;
    let text = bare.text();
    if !is_ok(&bare) || !text.contains("<MsgrConfig") || text.contains("Envelope") {
        return Err(wrong(
            format!("GET is answered with `{}`, without the bare document", said(&bare)),
            "clients from 8.0 on lose their tabs without it; see web.bind",
        ));
    }
    Ok("an envelope for POST, the bare document for GET".into())
}

/// A session through the gateway: opened with a command, polled where the answer says, ended.
pub(super) async fn gateway(options: &Options) -> Finding {
    const REMEDY: &str =
        "clients behind a firewall cannot sign in without the gateway; see web.bind";
    const ELSEWHERE: &str = "set gateway.advertised (or notification.advertised) to the name or \
         address at which clients reach port 80";
    let first = (options.host.as_str(), GATEWAY_HOST);
    let opened = post_gateway(
        options,
        first,
        "Action=open&Server=NS&IP=messenger.hotmail.com",
        "VER 1 MSNP9 MSNP8 CVR0\r\n",
    )
    .await?;
    let session = opened
        .header("X-MSN-Messenger")
        .and_then(|value| value.strip_prefix("SessionID="))
        .and_then(|rest| rest.split(';').next())
        .filter(|id| is_session_id(id));
    let Some(session) = session.filter(|_| opened.status() == "HTTP/1.1 200 OK") else {
        return Err(wrong(format!("no session: the answer is `{}`", said(&opened)), REMEDY));
    };
    let mut text = opened.text();
    if text.is_empty() {
        // Allowed: the answer to a command may come with the next poll.
        let poll = format!("Action=poll&SessionID={session}");
        text = post_gateway(options, first, &poll, "").await?.text();
    }
    if !text.starts_with("VER 1 MSNP9") {
        return Err(wrong(format!("VER is answered with `{}`", shown(&text)), REMEDY));
    }
    let there = next_place(&opened).ok_or_else(|| {
        wrong(format!("no GW-IP: the header is `{}`", shown(header(&opened))), REMEDY)
    })?;
    let here = opened.peer.ok_or_else(|| wrong("the connection has no other end", REMEDY))?;
    if let Ok(address) = there.parse::<Ipv4Addr>()
        && let Some(why) = unreachable_from(address, here)
    {
        return Err(wrong(format!("sends clients on to {there}, {why}"), ELSEWHERE));
    }
    let next = (there.trim_matches(['[', ']']), there);
    let polled = post_gateway(options, next, &format!("Action=poll&SessionID={session}"), "").await;
    let polled = polled.map_err(|fault| match fault {
        Fault::Wrong { what, .. } => {
            wrong(format!("sends clients on to {there}: {what}"), ELSEWHERE)
        }
        other @ Fault::Skipped(_) => other,
    })?;
    let keeps = polled.header("X-MSN-Messenger").is_some_and(|value| value.contains("SessionID="));
    if polled.status() != "HTTP/1.1 200 OK" || !keeps || polled.header("Content-Length").is_none() {
        let what = format!("a poll at {there} is answered with `{}`", said(&polled));
        return Err(wrong(what, ELSEWHERE));
    }
    // So that the server need not wait for us; what it answers is nobody's concern.
    let _ = post_gateway(options, next, &format!("SessionID={session}"), "OUT\r\n").await;
    Ok(format!("opened a session, asked, polled at {there}"))
}

/// The value of the session header.
fn header(answer: &Answer) -> &str {
    answer.header("X-MSN-Messenger").unwrap_or_default()
}

/// Where the further requests of a session go.
fn next_place(answer: &Answer) -> Option<&str> {
    let host = header(answer).split("; ").find_map(|part| part.strip_prefix("GW-IP="))?;
    (!host.is_empty()).then_some(host)
}

/// Digits, a dot, digits: gaim crashes at anything else.
fn is_session_id(id: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    id.split_once('.').is_some_and(|(first, second)| digits(first) && digits(second))
}

/// A request to `at`, under the name `called`.
async fn post_gateway(
    options: &Options,
    (at, called): (&str, &str),
    query: &str,
    body: &str,
) -> Result<Answer, Fault> {
    let request = format!(
        "POST http://{called}/gateway/gateway.dll?{query} HTTP/1.1\r\nAccept: */*\r\n\
         User-Agent: MSMSGS\r\nHost: {called}\r\nProxy-Connection: Keep-Alive\r\nConnection: \
         Keep-Alive\r\nPragma: no-cache\r\nContent-Type: application/x-msn-messenger\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask_at(at, options, &request).await
}

/// Every name of the services is answered within a second, and leads nowhere else.
pub(super) async fn every_name(options: &Options) -> Finding {
    let (mut silent, mut strange) = (Vec::new(), Vec::new());
    for name in SERVICE_NAMES {
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
        let answered: Result<Result<Answer, _>, Elapsed> =
            timeout(NAME_TIMEOUT, ask(options, &request)).await;
        match answered {
            Ok(Ok(answer)) if stays(&answer, &options.host) => {}
            Ok(Ok(answer)) => {
                let leads = answer.header("Location").map(|to| format!(", to {}", shown(to)));
                strange.push(format!("{name} (`{}`{})", said(&answer), leads.unwrap_or_default()));
            }
            Ok(Err(fault)) if silent.is_empty() => return Err(fault),
            _ => silent.push(name),
        }
    }
    if !strange.is_empty() {
        return Err(wrong(
            format!("no page of our own under {}", strange.join(", ")),
            "another program answers there: let the web services of msnd listen on port 80 \
             (web.bind), with no web server in front that redirects",
        ));
    }
    if silent.is_empty() {
        return Ok(format!("all {} names", SERVICE_NAMES.len()));
    }
    Err(wrong(
        format!("no answer within a second under {}", silent.join(", ")),
        "clients hang on a silent name: let the web services answer for all of them (web.bind)",
    ))
}

/// Whether an answer is a page, or leads to one that a browser without TLS reaches under the names
/// that lead to us.
fn stays(answer: &Answer, host: &str) -> bool {
    let code = answer.status().strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match code {
        Some("200") => true,
        Some("301" | "302" | "303" | "307") => {
            let Some(to) = answer.header("Location") else { return false };
            let ours = |name: &str| name == host || SERVICE_NAMES.contains(&name);
            match to.split_once("://") {
                Some(("http", rest)) => {
                    let end = rest.find(['/', ':', '?']).unwrap_or(rest.len());
                    rest.get(..end).is_some_and(ours)
                }
                Some(_) => false,
                None => to.starts_with('/') && !to.starts_with("//"),
            }
        }
        _ => false,
    }
}

/// The authority can be fetched without TLS, its fingerprint is on the page before it, and it
/// issued the certificates that are in use.
pub(super) async fn authority(options: &Options, seen: &Seen) -> Finding {
    const REMEDY: &str = "make an authority with `msnd cert init`, and let the web \
         services listen on port 80 (web.bind)";
    let get = |path: &str| format!("GET {PATH}{path} HTTP/1.1\r\nHost: {}\r\n\r\n", options.host);
    let answer = ask(options, &get(&format!("/{CA_CERTIFICATE}"))).await?;
    let facts = Certificate::from_der(&answer.body)
        .and_then(|certificate| Ok((certificate.facts()?, certificate)));
    let Ok((facts, certificate)) = facts else {
        let what = format!("{PATH}/{CA_CERTIFICATE} is no certificate: `{}`", said(&answer));
        return Err(wrong(what, REMEDY));
    };
    let page = ask(options, &get("/")).await?.text();
    if !page.contains(&facts.sha1) {
        return Err(wrong(format!("{PATH} does not show the fingerprint {}", facts.sha1), REMEDY));
    }
    if seen.certificates.is_empty() {
        return Err(Fault::Skipped(format!(
            "{} can be fetched, but no certificate in use was seen that it could have issued",
            facts.subject
        )));
    }
    if !seen.certificates.iter().all(|leaf| leaf.is_issued_by(&certificate)) {
        return Err(wrong(
            "the certificates in use were not issued by the authority that users are given",
            "use those of the authority (no passport.certificate_file), or tell users that they need \
             not install it",
        ));
    }
    Ok(format!("{}, SHA-1 {}", facts.subject, facts.sha1))
}

/// One request on a connection of its own.
async fn ask(options: &Options, request: &str) -> Result<Answer, Fault> {
    ask_at(&options.host, options, request).await
}

/// The same at another host.
async fn ask_at(host: &str, options: &Options, request: &str) -> Result<Answer, Fault> {
    let port = options.http_port;
    let failed = |error: io::Error| wrong(format!("port {port}: {error}"), NO_HTTP);
    let mut stream: TcpStream = wire::connect(options, host, port, NO_HTTP).await?;
    let mut answer = wire::request(&mut stream, request, false).await.map_err(failed)?;
    answer.peer = stream.peer_addr().ok().map(|peer| peer.ip());
    Ok(answer)
}

fn is_ok(answer: &Answer) -> bool {
    answer.status().split(' ').nth(1) == Some("200")
}

fn said(answer: &Answer) -> String {
    shown(answer.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ours_leads_nowhere_else() {
        for (status, location, good) in [
            ("HTTP/1.1 200 OK", None, true),
            ("HTTP/1.1 302 Found", Some("/today"), true),
            ("HTTP/1.0 301 Moved", Some("http://g.msn.com/1"), true),
            ("HTTP/1.1 302 Found", Some("http://192.0.2.7:80/"), true),
            ("HTTP/1.1 302 Found", Some("http://g.msn.com.evil.test/"), false),
            ("HTTP/1.1 302 Found", Some("http://g.msn.com@evil.test/"), false),
            ("HTTP/1.1 302 Found", Some("https://g.msn.com/"), false),
            ("HTTP/1.1 302 Found", Some("//evil.test/"), false),
            ("HTTP/1.1 302 Found", None, false),
            ("HTTP/1.1 404 Not Found", None, false),
            ("SSH-2.0 200", None, false),
        ] {
            let location = location.map(|to| format!("Location: {to}\r\n")).unwrap_or_default();
            let answer =
                Answer { head: format!("{status}\r\n{location}\r\n"), ..Answer::default() };
            assert_eq!(stays(&answer, "192.0.2.7"), good, "{status} {location}");
        }
    }

    #[test]
    fn a_session_id_is_what_gaim_survives() {
        for (id, good) in [("730118254.90417", true), ("1.", false), ("a.1", false), ("12", false)]
        {
            assert_eq!(is_session_id(id), good, "{id}");
        }
    }
}
