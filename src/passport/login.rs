//! The login request's `Authorization` value, which every client writes a little differently, and
//! the answers to it. Pure; knows no account.

use crate::{
    account::{AuthError, Candidate},
    http1::Response,
    model::Address,
};
use zeroize::Zeroizing;

/// Who wants in, and every way to read the password.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    /// `None` if missing or no legal address; treated as an unknown account.
    pub(super) address: Option<Address>,
    /// In the order in which to try them, without repetitions. Empty if there is no password.
    pub(super) candidates: Vec<Candidate>,
}

/// Reads the value of an `Authorization` header. `None` if the scheme is another one.
///
/// `sign-in` and `pwd` may stand anywhere among the fields, the first of each counts, and all
/// other fields are ignored: clients rearrange and change the challenge they were given.
pub(super) fn parse(value: &[u8]) -> Option<Credentials> {
    const SCHEME: &[u8] = b"Passport1.4";
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    let blank = rest.first().is_none_or(u8::is_ascii_whitespace);
    if !scheme.eq_ignore_ascii_case(SCHEME) || !blank {
        return None;
    }
    let address = field(rest, b"sign-in").and_then(|found| {
        let decoded = percent_decoded(found.trimmed);
        Address::parse(std::str::from_utf8(&decoded).ok()?).ok()
    });
    let candidates = field(rest, b"pwd").map(|found| found.candidates()).unwrap_or_default();
    Some(Credentials { address, candidates })
}

/// What to tell somebody who was let in. The single quotes, the text behind the second one and the
/// absence of other fields are all looked at by some client.
pub(super) fn success(ticket: &str) -> Response {
    let info = Zeroizing::new(format!(
        "Passport1.4 da-status=success,from-PP='{ticket}',ru=http://messenger.msn.com"
    ));
    Response::new("200 OK").header("Cache-Control", "no-cache").header("Authentication-Info", &info)
}

/// What to tell somebody who was not.
pub(super) fn failure(error: AuthError, site_url: &str) -> Response {
    let text = match error {
        AuthError::Refused => "The%20e-mail%20address%20or%20password%20is%20wrong.",
        AuthError::Throttled => {
            "Too%20many%20failed%20attempts.%20Please%20wait%20a%20few%20minutes."
        }
        AuthError::Disabled => "This%20account%20has%20been%20disabled.",
        AuthError::Busy | AuthError::Unavailable => {
            return Response::new("503 Service Unavailable");
        }
    };
    let challenge = format!(
        "Passport1.4 da-status=failed,srealm=Passport.NET,ts=-3,prompt,\
         cburl={site_url}/logo.gif,cbtxt={text}"
    );
    Response::new("401 Unauthorized").header("WWW-Authenticate", &challenge)
}

/// One `key=value`.
struct Field<'a> {
    /// The value up to the next comma, without blanks around it.
    trimmed: &'a [u8],
    /// Everything from the beginning of the value to the end of the header.
    tail: &'a [u8],
}

fn field<'a>(text: &'a [u8], key: &[u8]) -> Option<Field<'a>> {
    let mut start = 0;
    for part in text.split(|byte| *byte == b',') {
        if let Some(equals) = part.iter().position(|byte| *byte == b'=')
            && part[..equals].trim_ascii().eq_ignore_ascii_case(key)
        {
            let value_start = start + equals + 1;
            return Some(Field {
                trimmed: part[equals + 1..].trim_ascii(),
                tail: &text[value_start..],
            });
        }
        start += part.len() + 1;
    }
    None
}

impl Field<'_> {
    /// The password may be encoded as it should be, or raw, or raw with commas in it. In the last
    /// case it ends at the last `,lc=`, the field which follows it in every client's order; one
    /// client leaves only the comma raw and encodes the rest.
    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = Vec::with_capacity(2);
        let mut add = |reading: &[u8]| {
            let candidate = Candidate::new(reading);
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        };
        add(&percent_decoded(self.trimmed));
        add(self.trimmed);
        if let Some(end) = self.tail.windows(4).rposition(|window| window == b",lc=")
            && end > self.trimmed.len()
        {
            add(&self.tail[..end]);
            add(&percent_decoded(&self.tail[..end]));
        }
        candidates
    }
}

/// `%XX` becomes a byte; a `%` that does not begin such a triple stays. A `+` is a plus.
fn percent_decoded(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let triple = match behind {
            [high, low, ..] if *first == b'%' => hex(*high, *low),
            _ => None,
        };
        decoded.push(triple.unwrap_or(*first));
        rest = if triple.is_some() { &behind[2..] } else { behind };
    }
    decoded
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates(texts: &[&str]) -> Vec<Candidate> {
        texts.iter().map(|text| Candidate::new(text.as_bytes())).collect()
    }

    fn with_password(pwd: &str) -> Vec<Candidate> {
        let value = format!("Passport1.4 OrgVerb=GET,sign-in=a@b.test,pwd={pwd}");
        parse(value.as_bytes()).unwrap().candidates
    }

    #[test]
    fn addresses_are_decoded_and_folded() {
        for (value, address) in [
            ("Passport1.4 sign-in=bob%40example%2Enet,pwd=x", Some("bob@example.net")),
            ("passport1.4 OrgUrl=a=b, Sign-In = BOB@example.net ,pwd=x", Some("bob@example.net")),
            ("PASSPORT1.4\tpwd=x,sign-in=%62ob%40example.net", Some("bob@example.net")),
            ("Passport1.4 sign-in=a@b.test,sign-in=c@d.test", Some("a@b.test")),
            ("Passport1.4 sign-in=bob", None),
            ("Passport1.4 sign-in=bob@b.test%0d%0aX:", None),
            ("Passport1.4 sign-in=%ff@b.test", None),
            ("Passport1.4 pwd=x", None),
            ("Passport1.4", None),
        ] {
            let found = parse(value.as_bytes()).unwrap().address;
            assert_eq!(found, address.map(|text| Address::parse(text).unwrap()), "{value}");
        }
    }

    #[test]
    fn another_scheme_is_none_of_ours() {
        for value in ["", "Basic YTpi", "Passport1.40 sign-in=a@b.test", "Passport1.", "Passport"] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn every_reading_of_a_password_is_tried_once() {
        for (pwd, readings) in [
            ("a%2Cb%3Dc", &["a,b=c", "a%2Cb%3Dc"][..]),
            ("100%", &["100%"]),
            ("100%4", &["100%4"]),
            ("a%41", &["aA", "a%41"]),
            ("p+q", &["p+q"]),
            ("a=b,lc=1033", &["a=b"]),
            (" blanks ,lc=1033", &["blanks", " blanks "]),
            ("x,y,lc=1033,id=507", &["x", "x,y"]),
            ("x,lc=,y,lc=1033", &["x", "x,lc=,y"]),
            ("x,y%21,lc=1033", &["x", "x,y%21", "x,y!"]),
            ("%78,y%21,lc=1033", &["x", "%78", "%78,y%21", "x,y!"]),
            ("", &[""]),
            ("0123456789abcdef%20ghi", &["0123456789abcdef"]),
        ] {
            assert_eq!(with_password(pwd), candidates(readings), "{pwd}");
        }
        let raw = [Candidate::new(b"\xe9%zz"), Candidate::new(b"%E9%zz")];
        assert_eq!(with_password("%E9%zz"), raw);
        assert!(parse(b"Passport1.4 sign-in=a@b.test").unwrap().candidates.is_empty());
        let early = parse(b"Passport1.4 lc=1033,id=507,pwd=x,y").unwrap();
        assert_eq!(early.candidates, candidates(&["x"]));
    }

    #[test]
    fn answers_are_the_documented_ones() {
        let text = |response: Response| String::from_utf8(response.finish().to_vec()).unwrap();
        assert_eq!(
            text(success("t=A&p=B")),
            "HTTP/1.1 200 OK\r\n\
             Content-Type: text/html\r\n\
             Cache-Control: no-cache\r\n\
             Authentication-Info: Passport1.4 da-status=success,from-PP='t=A&p=B',\
             ru=http://messenger.msn.com\r\n\
             Content-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        assert_eq!(
            text(failure(AuthError::Refused, "http://www.example.net")),
            "HTTP/1.1 401 Unauthorized\r\n\
             Content-Type: text/html\r\n\
             WWW-Authenticate: Passport1.4 da-status=failed,srealm=Passport.NET,ts=-3,prompt,\
             cburl=http://www.example.net/logo.gif,\
             cbtxt=The%20e-mail%20address%20or%20password%20is%20wrong.\r\n\
             Content-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        for (error, status) in [
            (AuthError::Throttled, "401 Unauthorized\r\n"),
            (AuthError::Disabled, "401 Unauthorized\r\n"),
            (AuthError::Busy, "503 Service Unavailable\r\n"),
            (AuthError::Unavailable, "503 Service Unavailable\r\n"),
        ] {
            let text = text(failure(error, "http://www.example.net"));
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
            assert_eq!(text.contains("\r\nWWW-Authenticate: "), text.contains("401"), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let credentials = parse(b"Passport1.4 sign-in=a@b.test,pwd=horse,x,lc=1").unwrap();
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("horse") && !shown.contains("104, 111"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_value_panics_or_makes_many_candidates(
            value in prop::collection::vec(
                prop_oneof![
                    Just(b",lc=".to_vec()), Just(b",pwd=".to_vec()), Just(b",sign-in=".to_vec()),
                    Just(b"%".to_vec()), Just(b"%2".to_vec()),
                    any::<u8>().prop_map(|byte| vec![byte]),
                ],
                0..60,
            ),
        ) {
            let value = [b"Passport1.4 ".to_vec(), value.concat()].concat();
            let credentials = parse(&value).unwrap();
            prop_assert!(credentials.candidates.len() <= crate::store::password::CANDIDATES_MAX);
        }

        #[test]
        fn an_encoded_password_is_always_among_the_readings(password in "[ -~]{1,16}") {
            let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(&with_password(&encoded)[0], &Candidate::new(password.as_bytes()));
        }
    }
}
