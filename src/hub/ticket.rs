//! Tickets: what Passport sign-in hands out and the notification role takes in, once. Knows no
//! HTTP and no session; keeps only digests, so that a look into memory yields no sign-in.

pub use super::web_ticket::WebTicket;

use super::{
    ledger::{Entry, Ledger, digest},
    web_ticket::WebTickets,
};
use crate::model::{AccountId, Address};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Outstanding sign-in tickets over all accounts; the oldest gives way.
pub const TICKETS_MAX: usize = 65_536;
/// Web tickets of one account alive at the same time; the oldest gives way.
pub const WEB_TICKETS_PER_ACCOUNT_MAX: u32 = 8;
/// Longest token worth looking up, in bytes; clients have room for not much more.
pub const PRESENTED_BYTES_MAX: usize = 1024;

/// Letters, digits and two signs which survive quotes, commas, spaces, header lines and every
/// client's pattern: one for each value of six bits.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$";
const SECRET_BYTES: usize = 32;

/// All tickets of this process, of both kinds. They share nothing: a web ticket signs nobody in.
#[derive(Debug)]
pub struct Tickets {
    ttl: Duration,
    /// With the credential epoch.
    sign_in: Mutex<Ledger<u32>>,
    web: Arc<Mutex<WebTickets>>,
}

/// What a ticket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is.
    pub account: AccountId,
    /// The account's credential epoch when it was issued; worthless if that has risen since.
    pub credential_epoch: u32,
}

impl Tickets {
    /// Sign-in tickets can be presented for `ttl`; an account has at most `per_account_max` (at
    /// least one) outstanding, of which the oldest gives way.
    #[must_use]
    pub fn new(ttl: Duration, per_account_max: usize) -> Self {
        Self {
            ttl,
            sign_in: Mutex::new(Ledger::new(TICKETS_MAX, per_account_max)),
            web: Arc::default(),
        }
    }

    /// A new sign-in ticket, `t=…&p=…`, 91 bytes of which the `t` part counts. It is good for one
    /// sign-in of this account.
    #[must_use]
    pub fn issue(&self, account: AccountId, address: &Address, credential_epoch: u32) -> String {
        let secret = fresh_token();
        let now = Instant::now();
        let entry = Entry {
            account,
            address: Some(address.clone()),
            expires: Some(now + self.ttl),
            value: credential_epoch,
        };
        self.sign_in.lock().insert(digest(secret.as_bytes()), entry, now);
        format!("t={}&p={}", *secret, *fresh_token())
    }

    /// Takes a sign-in ticket back for its grant. Whatever was presented is worthless afterwards,
    /// also when it was somebody else's or too old, or whoever presents it has no legal address
    /// (`None`). Accepts `t=…&p=…`, `t=…` and the bare token.
    #[must_use]
    pub fn redeem(&self, presented: &[u8], address: Option<&Address>) -> Option<Grant> {
        let digest = digest(token(presented)?);
        let entry = self.sign_in.lock().redeem(&digest, address, Instant::now())?;
        Some(Grant { account: entry.account, credential_epoch: entry.value })
    }

    /// A ticket for web pages, 43 bytes, good for as long as the returned guard lives and never for
    /// signing in: it lies about in files on people's disks.
    #[must_use]
    pub fn issue_web(&self, account: AccountId) -> (WebTicket, Zeroizing<String>) {
        let text = fresh_token();
        let account_max = WEB_TICKETS_PER_ACCOUNT_MAX;
        (WebTickets::insert(&self.web, text.as_bytes(), account, account_max), text)
    }

    /// Whose live web ticket this is.
    #[must_use]
    pub fn web_account(&self, presented: &[u8]) -> Option<AccountId> {
        let issued = self.web.lock().find(token(presented)?)?;
        Some(issued.account)
    }

    /// How long ago this live web ticket was issued.
    #[must_use]
    pub fn web_age(&self, presented: &[u8]) -> Option<Duration> {
        let issued = self.web.lock().find(token(presented)?)?;
        Some(issued.at.elapsed())
    }

    /// Makes all tickets of an account worthless.
    pub fn revoke(&self, account: AccountId) {
        self.sign_in.lock().remove_account(account);
        self.web.lock().remove_account(account);
    }
}

/// The part of a presented ticket that counts.
fn token(presented: &[u8]) -> Option<&[u8]> {
    if presented.len() > PRESENTED_BYTES_MAX {
        return None;
    }
    let token = presented.strip_prefix(b"t=").unwrap_or(presented);
    token.split(|byte| *byte == b'&').next().filter(|token| !token.is_empty())
}

/// 256 random bits as 43 characters.
fn fresh_token() -> Zeroizing<String> {
    let mut secret = Zeroizing::new([0_u8; SECRET_BYTES]);
    #[expect(
        clippy::expect_used,
        reason = "the system's generator fails only where there is none; a ticket that can be \
                  guessed would be worse than no server"
    )]
    getrandom::fill(&mut *secret).expect("the system has a random number generator");
    let mut text = Zeroizing::new(String::with_capacity(SECRET_BYTES * 8 / 6 + 1));
    for group in secret.chunks(3) {
        let value = group.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        let value = value << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            let six_bits = value >> (18 - 6 * place) & 0x3f;
            text.push(char::from(ALPHABET[six_bits as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn address(name: &str) -> Address {
        Address::parse(&format!("{name}@example.test")).unwrap()
    }

    fn tickets() -> Tickets {
        Tickets::new(Duration::from_secs(120), 8)
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_signs_in_once() {
        let tickets = tickets();
        let ticket = tickets.issue(ALICE, &address("alice"), 7);
        let grant = Grant { account: ALICE, credential_epoch: 7 };
        assert_eq!(tickets.redeem(ticket.as_bytes(), Some(&address("alice"))), Some(grant));
        assert_eq!(tickets.redeem(ticket.as_bytes(), Some(&address("alice"))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn anothers_ticket_is_refused_and_gone() {
        let tickets = tickets();
        let ticket = tickets.issue(ALICE, &address("alice"), 1);
        assert_eq!(tickets.redeem(ticket.as_bytes(), Some(&address("bob"))), None);
        assert_eq!(tickets.redeem(ticket.as_bytes(), Some(&address("alice"))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_lives_120_seconds() {
        let tickets = tickets();
        let first = tickets.issue(ALICE, &address("alice"), 1);
        let second = tickets.issue(ALICE, &address("alice"), 1);
        tokio::time::advance(Duration::from_secs(120)).await;
        assert!(tickets.redeem(first.as_bytes(), Some(&address("alice"))).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(tickets.redeem(second.as_bytes(), Some(&address("alice"))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn three_ways_to_present_a_ticket() {
        let tickets = tickets();
        let part = |ticket: &str, end: usize| ticket[..end].to_owned();
        for form in [
            |ticket: &str| ticket.to_owned(),
            |ticket: &str| ticket[..45].to_owned(),
            |ticket: &str| ticket[2..45].to_owned(),
            |ticket: &str| format!("{}&p=", &ticket[..45]),
        ] {
            let ticket = tickets.issue(ALICE, &address("alice"), 1);
            let shown = form(&ticket);
            assert!(tickets.redeem(shown.as_bytes(), Some(&address("alice"))).is_some(), "{shown}");
        }
        let ticket = tickets.issue(ALICE, &address("alice"), 1);
        for wrong in ["", "t=", "t=&p=", "&p=x", &part(&ticket, 44), &format!("{ticket}x")[46..]] {
            assert_eq!(tickets.redeem(wrong.as_bytes(), Some(&address("alice"))), None, "{wrong}");
        }
        let padded = format!("{ticket}{}", "x".repeat(PRESENTED_BYTES_MAX));
        assert_eq!(tickets.redeem(padded.as_bytes(), Some(&address("alice"))), None);
        assert!(tickets.redeem(ticket.as_bytes(), Some(&address("alice"))).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_text_suits_every_client() {
        let ticket = tickets().issue(ALICE, &address("alice"), 1);
        assert_eq!(ticket.len(), 2 + 43 + 3 + 43);
        let (secret, profile) =
            ticket.strip_prefix("t=").and_then(|rest| rest.split_once("&p=")).unwrap();
        assert_ne!(secret, profile);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!$*".contains(&byte);
        assert!(secret.bytes().chain(profile.bytes()).all(legal), "{ticket}");
        let mut seen: Vec<u8> = ALPHABET.to_vec();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_ticket_of_an_account_gives_way() {
        let tickets = Tickets::new(Duration::from_secs(120), 2);
        let others = tickets.issue(BOB, &address("bob"), 1);
        let issued: Vec<_> = (0..3).map(|_| tickets.issue(ALICE, &address("alice"), 1)).collect();
        let good: Vec<_> = issued
            .iter()
            .map(|ticket| tickets.redeem(ticket.as_bytes(), Some(&address("alice"))).is_some())
            .collect();
        assert_eq!(good, [false, true, true]);
        assert!(tickets.redeem(others.as_bytes(), Some(&address("bob"))).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_used_and_expired_tickets() {
        let tickets = tickets();
        let used = tickets.issue(ALICE, &address("alice"), 1);
        assert!(tickets.redeem(used.as_bytes(), Some(&address("alice"))).is_some());
        let _expired = tickets.issue(ALICE, &address("alice"), 1);
        tokio::time::advance(Duration::from_secs(121)).await;
        let _fresh = tickets.issue(BOB, &address("bob"), 1);
        assert_eq!(tickets.sign_in.lock().sizes(), (1, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn revoking_kills_all_tickets_of_one_account() {
        let tickets = tickets();
        let ticket = tickets.issue(ALICE, &address("alice"), 1);
        let others = tickets.issue(BOB, &address("bob"), 1);
        let (_web, text) = tickets.issue_web(ALICE);
        tickets.revoke(ALICE);
        assert_eq!(tickets.redeem(ticket.as_bytes(), Some(&address("alice"))), None);
        assert_eq!(tickets.web_account(text.as_bytes()), None);
        assert!(tickets.redeem(others.as_bytes(), Some(&address("bob"))).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_web_ticket_lives_as_long_as_its_guard_and_signs_nobody_in() {
        let tickets = tickets();
        let (web, text) = tickets.issue_web(ALICE);
        assert_eq!(tickets.redeem(text.as_bytes(), Some(&address("alice"))), None);
        assert_eq!(tickets.web_account(text.as_bytes()), Some(ALICE));
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!(tickets.web_account(text.as_bytes()), Some(ALICE));
        assert_eq!(tickets.web_age(text.as_bytes()), Some(Duration::from_secs(86_400)));
        drop(web);
        assert_eq!(tickets.web_account(text.as_bytes()), None);
        assert_eq!(tickets.web_age(text.as_bytes()), None);
        let sign_in = tickets.issue(ALICE, &address("alice"), 1);
        assert_eq!(tickets.web_account(sign_in.as_bytes()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn debug_shows_no_ticket() {
        let tickets = tickets();
        let ticket = tickets.issue(ALICE, &address("alice"), 1);
        let (web, text) = tickets.issue_web(ALICE);
        let shown = format!("{tickets:?} {web:?}");
        assert!(!shown.contains(&ticket[2..45]) && !shown.contains(text.as_str()), "{shown}");
    }
}
