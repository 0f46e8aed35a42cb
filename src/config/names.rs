//! Names and web addresses that go into what clients are told: one rule each, for the check of the
//! options and for whoever writes the answer.

/// Longest host name of the login service, bytes: the whole nexus answer must stay below 2000.
pub const LOGIN_HOST_BYTES_MAX: usize = 200;
/// Longest site address, bytes; the nexus answer repeats it five times.
pub const SITE_URL_BYTES_MAX: usize = 240;
/// Longest host name, bytes.
const HOST_BYTES_MAX: usize = 253;

/// Whether a port belongs behind a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Port {
    None,
    Optional,
    Required,
}

/// Whether the nexus can name `text` as the login host.
///
/// # Errors
/// What is wrong and what would be right.
pub fn login_host(text: &str) -> Result<(), String> {
    if text.len() > LOGIN_HOST_BYTES_MAX {
        return Err(format!("choose a name of at most {LOGIN_HOST_BYTES_MAX} bytes"));
    }
    host_and_port(text, Port::None).map_err(|why| format!("{why}; write it like chat.example.org"))
}

/// The address the nexus names for a configured site: without slashes at its end.
///
/// # Errors
/// What is wrong and what would be right.
pub fn site_url(text: &str) -> Result<&str, String> {
    let url = text.trim_end_matches('/');
    // A comma would end the value, a semicolon or quote confuses one client or another.
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic() && !b"\"',;<>\\".contains(&b));
    if url.len() <= SITE_URL_BYTES_MAX && is_plain && is_web_address(url) {
        return Ok(url);
    }
    Err(format!(
        "write an address such as http://www.example.org of at most {SITE_URL_BYTES_MAX} bytes, \
         without spaces, commas, semicolons, quotes and backslashes"
    ))
}

/// Whether `text` begins like a web address and goes on behind that.
pub(super) fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// `host` or `host:port`, as clients of that time read it.
pub(super) fn host_and_port(text: &str, port: Port) -> Result<(), &'static str> {
    if text.contains(['[', ']']) || text.matches(':').count() > 1 {
        return Err("clients of that time know no IPv6 addresses");
    }
    let (host, number) = match text.split_once(':') {
        Some((host, number)) => (host, Some(number)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if host.len() > HOST_BYTES_MAX || !host.split('.').all(is_label) {
        return Err("a host has letters, digits, hyphens and dots, nothing else");
    }
    match (number, port) {
        (Some(_), Port::None) => Err("no port belongs here"),
        (None, Port::Required) => Err("the port is missing"),
        (Some(number), _) if !number.parse::<u16>().is_ok_and(|n| n > 0) => {
            Err("a port is a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_what_old_clients_can_read() {
        for (text, port, works) in [
            ("chat.example.org", Port::Optional, true),
            ("chat.example.org:1864", Port::Optional, true),
            ("10.0.0.7:1864", Port::Required, true),
            ("chat.example.org", Port::Required, false),
            ("chat.example.org:", Port::Required, false),
            ("chat.example.org:0", Port::Optional, false),
            ("chat.example.org:65536", Port::Optional, false),
            ("chat.example.org:443", Port::None, false),
            ("chat example.org", Port::Optional, false),
            ("[::1]:1864", Port::Optional, false),
            ("::1", Port::Optional, false),
            ("chat..org", Port::Optional, false),
            ("http://chat.example.org", Port::Optional, false),
            ("", Port::Optional, false),
        ] {
            assert_eq!(host_and_port(text, port).is_ok(), works, "{text}");
        }
    }

    #[test]
    fn a_site_is_named_without_the_slash_behind_it() {
        assert_eq!(site_url("http://www.example.org/"), Ok("http://www.example.org"));
        assert_eq!(site_url("https://example.org/msn//"), Ok("https://example.org/msn"));
    }

    #[test]
    fn lengths_end_where_the_nexus_answer_does() {
        let url = |bytes: usize| format!("http://{}", "x".repeat(bytes - 7));
        assert!(site_url(&url(SITE_URL_BYTES_MAX)).is_ok());
        assert!(site_url(&url(SITE_URL_BYTES_MAX + 1)).is_err());
        assert!(login_host(&"x".repeat(LOGIN_HOST_BYTES_MAX)).is_ok());
        assert!(login_host(&"x".repeat(LOGIN_HOST_BYTES_MAX + 1)).is_err());
    }
}
