//! Refuses values that are well formed but cannot work. Knows no file and no flag: `load.rs` adds
//! where a value came from.

mod switchboard;
mod tls;
mod web;
mod welcome;

use super::{
    Bind, Challenge, ChallengePolicy, Config, Log, Urls, Web,
    names::{self, Port, host_and_port},
};
use crate::model::Address;
use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Longest payload that any command of dispatch and notification takes, bytes.
pub const PAYLOAD_BYTES_MAX: usize = 8192;
/// Longest path of a Unix socket, bytes; the system's own limit.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Longest web address, bytes; it must fit a line of the protocol with room to spare.
const URL_BYTES_MAX: usize = 512;
/// Longest client id or challenge key, bytes.
const CLIENT_BYTES_MAX: usize = 64;
/// What stands between braces in the addresses of `urls.services`.
const PLACEHOLDERS: [&str; 3] = ["site", "user", "argument"];
/// Longest time for which an alert may wait, seconds: a year.
pub const ALERT_EXPIRY_SECS_MAX: u64 = 365 * 86_400;
/// Longest time of any timer, seconds.
const SECS_MAX: u64 = 86_400;

/// One value that cannot work.
#[derive(Debug)]
pub(super) struct Complaint {
    /// `section.key`
    pub(super) key: &'static str,
    /// The value, as text; never a secret.
    pub(super) value: String,
    /// Why, and what to do.
    pub(super) remedy: String,
}

/// Everything that cannot work, section by section.
pub(super) fn check(config: &Config) -> Vec<Complaint> {
    let mut found = Complaints(Vec::new());
    roles(config, &mut found);
    notification(config, &mut found);
    passport(config, &mut found);
    admin(config, &mut found);
    challenge(&config.challenge, &mut found);
    urls(&config.urls, &mut found);
    web::check(&config.web, &mut found);
    if !config.gateway.advertised.is_empty() {
        found.host("gateway.advertised", &config.gateway.advertised, Port::None);
    }
    welcome::check(config, &mut found);
    numbers(config, &mut found);
    paths(config, &mut found);
    log(&config.log, &mut found);
    found.0
}

/// Reads `log.level`: a level, or a list such as `info,msnd::hub=trace`.
///
/// # Errors
/// Says what is wrong and what would be right.
pub fn log_filter(level: &str) -> Result<Targets, String> {
    let remedy = "use error, warn, info, debug, trace or off, or a list such as \
                  info,msnd::hub=trace";
    for part in level.split(',') {
        let (target, name) = part.trim().rsplit_once('=').unwrap_or(("msnd", part.trim()));
        let is_path = target.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b));
        if target.is_empty() || !is_path {
            return Err(format!("`{target}` is no module; {remedy}"));
        }
        // The parser would also take a number, and nothing at all for `error`.
        if name.is_empty() || name.parse::<u8>().is_ok() || name.parse::<LevelFilter>().is_err() {
            return Err(format!("`{name}` is no level; {remedy}"));
        }
    }
    level.replace(' ', "").parse().map_err(|error| format!("{error}; {remedy}"))
}

struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, key: &'static str, value: impl Display, remedy: impl Into<String>) {
        let value = value.to_string();
        let value = if value.is_empty() { "empty".into() } else { format!("`{value}`") };
        self.0.push(Complaint { key, value, remedy: remedy.into() });
    }

    fn range(&mut self, key: &'static str, value: u64, range: RangeInclusive<u64>) {
        if !range.contains(&value) {
            self.add(key, value, format!("choose from {} to {}", range.start(), range.end()));
        }
    }

    /// `host` or `host:port`, as clients of that time read it.
    fn host(&mut self, key: &'static str, text: &str, port: Port) {
        if let Err(why) = host_and_port(text, port) {
            let form = match port {
                Port::Required => "chat.example.org:1864",
                Port::None | Port::Optional => "chat.example.org or chat.example.org:1864",
            };
            self.add(key, text, format!("{why}; write it like {form}"));
        }
    }

    /// An address for a line of the protocol, in which a space would end it.
    fn url(&mut self, key: &'static str, text: &str) {
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\",<>".contains(&b));
        if text.len() > URL_BYTES_MAX || !is_plain || !names::is_web_address(text) {
            let remedy = "write an address such as http://www.example.org without spaces, commas \
                          and quotes";
            self.add(key, text, remedy);
        }
    }
}

fn roles(config: &Config, found: &mut Complaints) {
    let Config { dispatch, notification, passport, admin, .. } = config;
    let binds = [
        ("dispatch.bind", dispatch.bind),
        ("notification.bind", notification.bind),
        ("switchboard.bind", config.switchboard.bind),
        ("passport.https_bind", passport.https_bind),
        ("passport.http_bind", passport.http_bind),
        ("web.bind", config.web.bind),
        ("admin.bind", admin.bind),
    ];
    // These run only beside others.
    let is_beside = |key: &str| ["switchboard.bind", "web.bind", "admin.bind"].contains(&key);
    let is_off = |(key, bind): &(&str, Bind)| *bind == Bind::Off || is_beside(key);
    if binds.iter().all(is_off) {
        found.add(binds[0].0, Bind::Off, "all roles are off; give at least one an address");
    }
    if matches!(dispatch.bind, Bind::At(_))
        && notification.bind == Bind::Off
        && dispatch.notification_servers.is_empty()
    {
        found.add(
            "dispatch.notification_servers",
            "",
            "the dispatch role has nobody to refer to; name notification servers, give \
             notification.bind an address, or set dispatch.bind to `off`",
        );
    }
    one_port(config, &binds, found);
    for (nth, (key, bind)) in binds.iter().enumerate() {
        for (other, taken) in &binds[..nth] {
            let is_one = *key == "web.bind" && config.passport_is_on_web();
            if !bind.overlaps(*taken) || (is_one && *other == "passport.http_bind") {
                continue;
            }
            let mut remedy = format!("{other} ({taken}) has that port too; change one of them");
            if *other == "dispatch.bind" && *key == "notification.bind" {
                remedy += ", or set dispatch.bind to `notification` for one port without referrals";
            }
            if *other == "passport.http_bind" && *key == "web.bind" {
                remedy += ", or give both the same address, and one listener serves both";
            }
            found.add(key, bind, remedy);
        }
    }
    for server in &dispatch.notification_servers {
        found.host("dispatch.notification_servers", server, Port::Required);
    }
    if !dispatch.advertised.is_empty() {
        found.host("dispatch.advertised", &dispatch.advertised, Port::Optional);
    }
    nameable(config, found);
    switchboard::check(config, found);
}

/// `notification` in place of an address.
fn one_port(config: &Config, binds: &[(&'static str, Bind)], found: &mut Complaints) {
    for (key, bind) in binds.iter().filter(|(_, bind)| *bind == Bind::Notification) {
        if !["dispatch.bind", "switchboard.bind"].contains(key) {
            let remedy = "only dispatch.bind and switchboard.bind can be this; write an address, \
                          or `off`";
            found.add(key, bind, remedy);
        } else if config.notification.bind == Bind::Off {
            let remedy = "notification.bind is `off`; give it an address, or this one of its own";
            found.add(key, bind, remedy);
        } else if *key == "dispatch.bind" && !config.dispatch.notification_servers.is_empty() {
            let remedy = "with one port nobody is referred to dispatch.notification_servers; \
                          leave those empty, or set dispatch.bind to an address of its own";
            found.add(key, bind, remedy);
        }
    }
}

/// A referral names two addresses, and the protocol cannot write an IPv6 one.
fn nameable(config: &Config, found: &mut Complaints) {
    let Config { dispatch, notification, .. } = config;
    let remedy = |key, address| {
        format!(
            "{key} is {address}, and clients of that time know no IPv6 addresses; set this to a \
             host name, or {key} to an IPv4 address or [::]"
        )
    };
    if !matches!(dispatch.bind, Bind::At(_)) {
        return;
    }
    if let Some(address) = dispatch.bind.only_ipv6()
        && dispatch.advertised.is_empty()
    {
        found.add("dispatch.advertised", "", remedy("dispatch.bind", address));
    }
    if let Some(address) = notification.bind.only_ipv6()
        && notification.advertised.is_empty()
        && dispatch.notification_servers.is_empty()
    {
        found.add("notification.advertised", "", remedy("notification.bind", address));
    }
}

fn notification(config: &Config, found: &mut Complaints) {
    let notification = &config.notification;
    if !notification.advertised.is_empty() {
        found.host("notification.advertised", &notification.advertised, Port::Optional);
    }
    let country = &notification.country;
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        found.add("notification.country", country, "write two capital letters such as US");
    }
    found.range("notification.lcid", notification.lcid.into(), 1..=65_535);
    found.url("notification.download_url", &notification.download_url);
    found.url("notification.info_url", &notification.info_url);
}

fn passport(config: &Config, found: &mut Complaints) {
    let passport = &config.passport;
    if !passport.login_host.is_empty()
        && let Err(remedy) = names::login_host(&passport.login_host)
    {
        found.add("passport.login_host", &passport.login_host, remedy);
    }
    if !passport.site_url.is_empty()
        && let Err(remedy) = names::site_url(&passport.site_url)
    {
        found.add("passport.site_url", &passport.site_url, remedy);
    }
    tls::check(passport, cfg!(feature = "legacy-tls"), found);
}

fn admin(config: &Config, found: &mut Complaints) {
    if matches!(config.admin.bind, Bind::At(_)) && config.admin.token_file.as_os_str().is_empty() {
        let remedy = "admin.bind needs a token; name a file with one (`head -c 24 /dev/urandom | base64` makes \
                      one, `chmod 600` keeps it private), or set admin.bind to `off`";
        found.add("admin.token_file", "", remedy);
    }
    if let Some(socket) = config.admin_socket()
        && socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX
    {
        let remedy = format!(
            "with the data folder that makes {} bytes, and the system takes {SOCKET_PATH_BYTES_MAX}; \
             name a shorter absolute path, or nothing for no socket",
            socket.as_os_str().len()
        );
        found.add("admin.socket", config.admin.socket.display(), remedy);
    }
}

fn challenge(challenge: &Challenge, found: &mut Complaints) {
    const KEY: &str = "challenge.clients";
    if challenge.clients.is_empty() && challenge.policy == ChallengePolicy::Enforce {
        let remedy = "nobody could answer a challenge; list clients, or set challenge.policy to \
                      `log`";
        found.add(KEY, "", remedy);
    }
    let mut ids = BTreeSet::new();
    for client in &challenge.clients {
        if !ids.insert(&client.id) {
            found.add(KEY, &client.id, "this id is there twice; keep one");
        }
        for text in [&client.id, &client.key] {
            let fits = (1..=CLIENT_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic());
            if !fits {
                let remedy = format!(
                    "id and key are 1 to {CLIENT_BYTES_MAX} printable ASCII characters without \
                     spaces"
                );
                found.add(KEY, &client.id, remedy);
            }
        }
    }
    if challenge.repeat_secs <= challenge.answer_secs {
        let remedy = format!(
            "the next challenge must come after the answer; choose more than \
             challenge.answer_secs ({})",
            challenge.answer_secs
        );
        found.add("challenge.repeat_secs", challenge.repeat_secs, remedy);
    }
}

fn urls(urls: &Urls, found: &mut Complaints) {
    const KEY: &str = "urls.services";
    if !urls.site.is_empty() {
        found.url("urls.site", &urls.site);
    }
    let mut names = BTreeSet::new();
    for service in &urls.services {
        let name = &service.name;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            found.add(KEY, name, "name a service as clients do: capitals and digits");
        } else if !names.insert(name) {
            found.add(KEY, name, "name each service once");
        }
        for address in [&service.page, &service.login] {
            if let Some(unknown) = unknown_placeholder(address) {
                let remedy = format!(
                    "{{{unknown}}} is not replaced; use {{site}}, {{user}} or \
                                      {{argument}}"
                );
                found.add(KEY, address, remedy);
            }
            let is_word = !address.is_empty() && address.bytes().all(|b| b.is_ascii_graphic());
            if !is_word || address.len() > URL_BYTES_MAX {
                found.add(KEY, address, "write an address without spaces");
            }
        }
    }
}

/// What stands between braces and is none of the known words.
fn unknown_placeholder(address: &str) -> Option<&str> {
    let mut rest = address;
    while let Some((_, after)) = rest.split_once('{') {
        match after.split_once('}') {
            Some((name, after)) if PLACEHOLDERS.contains(&name) => rest = after,
            Some((name, _)) => return Some(name),
            None => return Some(after),
        }
    }
    None
}

fn numbers(config: &Config, found: &mut Complaints) {
    let Config { passport, challenge, alerts, limits, timers, store, .. } = config;
    let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    for (key, value, range) in [
        ("passport.ticket_ttl_secs", passport.ticket_ttl_secs, 30..=600),
        ("passport.tickets_per_account_max", wide(passport.tickets_per_account_max), 1..=1000),
        ("passport.failures_per_account_max", passport.failures_per_account_max.into(), 1..=10_000),
        (
            "passport.failures_per_address_max",
            passport.failures_per_address_max.into(),
            1..=100_000,
        ),
        ("passport.throttle_window_secs", passport.throttle_window_secs, 1..=SECS_MAX),
        ("passport.password_workers", wide(passport.password_workers), 0..=256),
        ("passport.password_queue_max", wide(passport.password_queue_max), 1..=65_536),
        ("challenge.answer_secs", challenge.answer_secs, 1..=SECS_MAX),
        ("challenge.repeat_secs", challenge.repeat_secs, 1..=SECS_MAX),
        ("alerts.expiry_secs", alerts.expiry_secs, 60..=ALERT_EXPIRY_SECS_MAX),
        ("alerts.waiting_per_account_max", alerts.waiting_per_account_max.into(), 1..=1000),
        ("limits.connections_max", wide(limits.connections_max), 1..=1_000_000),
        (
            "limits.connections_per_address_max",
            wide(limits.connections_per_address_max),
            1..=1_000_000,
        ),
        ("limits.line_bytes_max", wide(limits.line_bytes_max), 1024..=65_536),
        (
            "limits.payload_bytes_max",
            wide(limits.payload_bytes_max),
            1024..=wide(PAYLOAD_BYTES_MAX),
        ),
        ("limits.output_queue_bytes_max", wide(limits.output_queue_bytes_max), 4096..=268_435_456),
        ("limits.inbox_events_max", wide(limits.inbox_events_max), 16..=1_000_000),
        ("limits.rooms_max", wide(limits.rooms_max), 1..=1_000_000),
        ("limits.rooms_per_user_max", wide(limits.rooms_per_user_max), 1..=1_000_000),
        ("limits.room_members_max", wide(limits.room_members_max), 2..=1000),
        ("limits.room_queue_bytes_max", wide(limits.room_queue_bytes_max), 65_536..=268_435_456),
        ("limits.room_queues_bytes_max", wide(limits.room_queues_bytes_max), 65_536..=1 << 40),
        ("limits.forward_list_max", limits.forward_list_max.into(), 1..=10_000),
        ("limits.allow_block_list_max", limits.allow_block_list_max.into(), 1..=10_000),
        ("limits.renames_per_minute_max", limits.renames_per_minute_max.into(), 1..=1000),
        ("limits.pages_per_minute_max", limits.pages_per_minute_max.into(), 1..=1000),
        ("timers.login_secs", timers.login_secs, 1..=SECS_MAX),
        ("timers.ping_secs", timers.ping_secs, 1..=SECS_MAX),
        ("timers.idle_intervals", timers.idle_intervals, 1..=1000),
        ("timers.room_idle_secs", timers.room_idle_secs, 1..=SECS_MAX),
        ("timers.dispatch_linger_secs", timers.dispatch_linger_secs, 1..=3600),
        ("timers.http_request_secs", timers.http_request_secs, 1..=3600),
        ("timers.write_stall_secs", timers.write_stall_secs, 1..=3600),
        ("timers.tcp_keepalive_secs", timers.tcp_keepalive_secs, 1..=32_767),
        ("timers.account_check_secs", timers.account_check_secs, 1..=3600),
        ("timers.shutdown_notice_minutes", timers.shutdown_notice_minutes, 0..=1440),
        ("timers.shutdown_grace_secs", timers.shutdown_grace_secs, 1..=3600),
        ("gateway.idle_secs", config.gateway.idle_secs, 1..=3600),
        ("store.readers", store.readers.into(), 1..=64),
    ] {
        found.range(key, value, range);
    }
}

fn paths(config: &Config, found: &mut Complaints) {
    if config.data.dir.as_os_str().is_empty() {
        found.add("data.dir", "", "name a folder; it is made if missing");
    }
    if config.store.file.file_name().is_none() {
        found.add("store.file", config.store.file.display(), "name a file such as msnd.sqlite");
    }
}

fn log(log: &Log, found: &mut Complaints) {
    if let Err(remedy) = log_filter(&log.level) {
        found.add("log.level", &log.level, remedy);
    }
    for text in &log.wire_trace {
        if let Err(error) = Address::parse(text) {
            let remedy = format!("no account has such an address: {error}");
            found.add("log.wire_trace", text, remedy);
        }
    }
}

#[cfg(test)]
mod tests;
