//! MIME-like payloads of `MSG` from the server: the profile, the system message, and text.

use std::{fmt::Write as _, net::Ipv4Addr};

/// What the profile message says. No `Debug`: it holds a token.
#[derive(Clone)]
pub struct Profile<'a> {
    /// Sign-in time, Unix seconds.
    pub login_time_secs: u64,
    /// The account number, sent as two signed 32-bit halves.
    pub member_id: u64,
    /// The handle.
    pub address: &'a str,
    /// Whether the account has a mailbox.
    pub has_mailbox: bool,
    /// Language (LCID).
    pub lcid: u32,
    /// Two-letter country.
    pub country: &'a str,
    /// Token for web pages. A secret.
    pub web_token: &'a str,
    /// The client's address as seen by us.
    pub client_ip: Ipv4Addr,
    /// The client's source port.
    pub client_port: u16,
}

/// Key version announced in the profile and in the sign-in policy.
pub const KEY_VERSION: u32 = 11;
/// Site number of Messenger in the profile and in the sign-in policy.
pub const SITE_ID: u32 = 507;

/// The profile payload. Field names, order, trailing spaces and the final empty line are what
/// clients expect (reference `ns-commands.md`, MSG).
#[must_use]
pub fn profile(profile: &Profile<'_>) -> String {
    let half = |bits: u64| (bits & 0xffff_ffff) as u32 as i32;
    let mut text = String::with_capacity(512);
    let _ = write!(
        text,
        "MIME-Version: 1.0\r\n\
         Content-Type: text/x-msmsgsprofile; charset=UTF-8\r\n\
         LoginTime: {}\r\n\
         EmailEnabled: {}\r\n\
         MemberIdHigh: {}\r\n\
         MemberIdLow: {}\r\n\
         lang_preference: {}\r\n\
         PreferredEmail: {}\r\n\
         country: {}\r\n\
         PostalCode: \r\n\
         Gender: \r\n\
         Kid: 0\r\n\
         Age: \r\n\
         BDayPre: \r\n\
         Birthday: \r\n\
         Wallet: \r\n\
         Flags: 1027\r\n\
         sid: {SITE_ID}\r\n\
         kv: {KEY_VERSION}\r\n\
         MSPAuth: {}\r\n\
         ClientIP: {}\r\n\
         ClientPort: {}\r\n\
         \r\n",
        profile.login_time_secs,
        u8::from(profile.has_mailbox),
        half(profile.member_id >> 32),
        half(profile.member_id),
        profile.lcid,
        profile.address,
        profile.country,
        profile.web_token,
        profile.client_ip,
        profile.client_port.swap_bytes(),
    );
    text
}

/// The system message that announces a shutdown in `minutes`.
#[must_use]
pub fn shutdown_notice(minutes: u64) -> String {
    format!(
        "MIME-Version: 1.0\r\n\
         Content-Type: application/x-msmsgssystemmessage\r\n\
         \r\n\
         Type: 1\r\n\
         Arg1: {minutes}\r\n\
         \r\n"
    )
}

/// What stands above every text of [`text`].
pub const TEXT_HEADERS: &str = "MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=UTF-8\r\n\
    X-MMS-IM-Format: FN=MS%20Shell%20Dlg; EF=; CO=0; CS=0; PF=0\r\n\
    \r\n";

/// A message of a conversation, in the font that clients use if nobody chose one. `body` has CRLF
/// between its lines.
#[must_use]
pub fn text(body: &str) -> String {
    [TEXT_HEADERS, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_has_the_documented_length() {
        let text = profile(&Profile {
            login_time_secs: 1_071_930_401,
            member_id: 65536 << 32 | 1842,
            address: "maya@example.org",
            has_mailbox: false,
            lcid: 1033,
            country: "SE",
            web_token: "4tQ9maya$$",
            client_ip: Ipv4Addr::new(203, 0, 113, 24),
            client_port: 1155,
        });
        assert_eq!(text.len(), 389);
        assert!(text.contains("\r\nClientPort: 33540\r\n\r\n"));
    }

    #[test]
    fn member_id_halves_are_signed() {
        let text = profile(&Profile {
            login_time_secs: 0,
            member_id: 0x8000_0000,
            address: "a@b.c",
            has_mailbox: true,
            lcid: 0,
            country: "",
            web_token: "",
            client_ip: Ipv4Addr::LOCALHOST,
            client_port: 1863,
        });
        assert!(text.contains("MemberIdHigh: 0\r\nMemberIdLow: -2147483648\r\n"));
        assert!(text.contains("ClientPort: 18183\r\n"));
        assert!(text.contains("\r\nEmailEnabled: 1\r\n"));
    }
}
