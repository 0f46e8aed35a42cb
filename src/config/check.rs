//! Refuses values that are well formed but cannot work. Knows no file and no flag: `load.rs` adds
//! where a value came from.

use super::{Bind, Challenge, ChallengePolicy, Config, Log};
use crate::model::Address;
use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, path::Path};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Longest host name, bytes.
const HOST_BYTES_MAX: usize = 253;
/// Longest web address, bytes; it must fit a line of the protocol with room to spare.
const URL_BYTES_MAX: usize = 512;
/// Longest client id or challenge key, bytes.
const CLIENT_BYTES_MAX: usize = 64;
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
    challenge(&config.challenge, &mut found);
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
                Port::None => "chat.example.org",
                Port::Optional => "chat.example.org or chat.example.org:1864",
                Port::Required => "chat.example.org:1864",
            };
            self.add(key, text, format!("{why}; write it like {form}"));
        }
    }

    fn url(&mut self, key: &'static str, text: &str) {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        // A comma would end the value in the nexus reply, a space the line of the protocol.
        let fits = |rest: &str| {
            !rest.is_empty()
                && text.len() <= URL_BYTES_MAX
                && rest.bytes().all(|b| b.is_ascii_graphic() && !b"\",<>".contains(&b))
        };
        if !rest.is_some_and(fits) {
            let remedy = "write an address such as http://www.example.org without spaces, commas \
                          and quotes";
            self.add(key, text, remedy);
        }
    }
}

fn roles(config: &Config, found: &mut Complaints) {
    let Config { dispatch, notification, passport, .. } = config;
    let binds = [
        ("dispatch.bind", dispatch.bind),
        ("notification.bind", notification.bind),
        ("passport.https_bind", passport.https_bind),
        ("passport.http_bind", passport.http_bind),
    ];
    if binds.iter().all(|(_, bind)| *bind == Bind::Off) {
        found.add(binds[0].0, Bind::Off, "all roles are off; give at least one an address");
    }
    if dispatch.bind != Bind::Off
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
    for (nth, (key, bind)) in binds.iter().enumerate() {
        let Bind::At(address) = bind else { continue };
        for (other, taken) in &binds[..nth] {
            let one_port = *other == "dispatch.bind" && *key == "notification.bind";
            if bind == taken && address.port() != 0 && !one_port {
                found.add(key, bind, format!("{other} has the same address; change one of them"));
            }
        }
    }
    for server in &dispatch.notification_servers {
        found.host("dispatch.notification_servers", server, Port::Required);
    }
    if !dispatch.advertised.is_empty() {
        found.host("dispatch.advertised", &dispatch.advertised, Port::Optional);
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
    if !passport.login_host.is_empty() {
        found.host("passport.login_host", &passport.login_host, Port::None);
    }
    if !passport.site_url.is_empty() {
        found.url("passport.site_url", &passport.site_url);
    }
    let is_empty = |path: &Path| path.as_os_str().is_empty();
    match (is_empty(&passport.certificate_file), is_empty(&passport.key_file)) {
        (false, true) => found.add(
            "passport.key_file",
            "",
            "a certificate needs its key; name the key's PEM file too, or leave both empty",
        ),
        (true, false) => found.add(
            "passport.certificate_file",
            "",
            "a key needs its certificate; name the certificate's PEM file too, or leave both empty",
        ),
        _ => {}
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

fn numbers(config: &Config, found: &mut Complaints) {
    let Config { passport, challenge, limits, timers, store, .. } = config;
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
        ("limits.connections_max", wide(limits.connections_max), 1..=1_000_000),
        (
            "limits.connections_per_address_max",
            wide(limits.connections_per_address_max),
            1..=1_000_000,
        ),
        ("limits.line_bytes_max", wide(limits.line_bytes_max), 1024..=65_536),
        ("limits.payload_bytes_max", wide(limits.payload_bytes_max), 1024..=1_048_576),
        (
            "limits.output_queue_bytes_max",
            wide(limits.output_queue_bytes_max),
            65_536..=268_435_456,
        ),
        ("limits.inbox_events_max", wide(limits.inbox_events_max), 16..=1_000_000),
        ("limits.forward_list_max", limits.forward_list_max.into(), 1..=10_000),
        ("limits.allow_block_list_max", limits.allow_block_list_max.into(), 1..=10_000),
        ("limits.renames_per_minute_max", limits.renames_per_minute_max.into(), 1..=1000),
        ("timers.login_secs", timers.login_secs, 1..=SECS_MAX),
        ("timers.ping_secs", timers.ping_secs, 1..=SECS_MAX),
        ("timers.idle_intervals", timers.idle_intervals, 1..=1000),
        ("timers.dispatch_linger_secs", timers.dispatch_linger_secs, 1..=3600),
        ("timers.http_request_secs", timers.http_request_secs, 1..=3600),
        ("timers.write_stall_secs", timers.write_stall_secs, 1..=3600),
        ("timers.tcp_keepalive_secs", timers.tcp_keepalive_secs, 1..=32_767),
        ("timers.account_check_secs", timers.account_check_secs, 1..=3600),
        ("timers.shutdown_notice_minutes", timers.shutdown_notice_minutes, 0..=1440),
        ("timers.shutdown_grace_secs", timers.shutdown_grace_secs, 1..=3600),
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

#[derive(Clone, Copy, PartialEq)]
enum Port {
    None,
    Optional,
    Required,
}

fn host_and_port(text: &str, port: Port) -> Result<(), &'static str> {
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

    /// The keys that are complained about after `change`.
    fn complaints(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        check(&config).into_iter().map(|complaint| complaint.key).collect()
    }

    #[test]
    fn defaults_work() {
        assert!(complaints(|_| {}).is_empty());
    }

    #[test]
    fn somebody_must_run_and_dispatch_needs_somebody_to_refer_to() {
        let all_off = |config: &mut Config| {
            config.dispatch.bind = Bind::Off;
            config.notification.bind = Bind::Off;
            config.passport.https_bind = Bind::Off;
        };
        assert_eq!(complaints(all_off), ["dispatch.bind"]);
        assert_eq!(
            complaints(|config| config.notification.bind = Bind::Off),
            ["dispatch.notification_servers"]
        );
        let elsewhere = |config: &mut Config| {
            config.notification.bind = Bind::Off;
            config.dispatch.notification_servers = vec!["ns1.example.test:1864".into()];
        };
        assert!(complaints(elsewhere).is_empty());
    }

    #[test]
    fn dispatch_and_notification_may_share_a_port_and_nobody_else() {
        assert!(complaints(|c| c.notification.bind = c.dispatch.bind).is_empty());
        assert_eq!(
            complaints(|c| c.passport.http_bind = c.passport.https_bind),
            ["passport.http_bind"]
        );
        assert_eq!(
            complaints(|c| c.passport.https_bind = c.notification.bind),
            ["passport.https_bind"]
        );
        let chosen_by_kernel = |config: &mut Config| {
            config.passport.http_bind = Bind::any(0);
            config.passport.https_bind = Bind::any(0);
        };
        assert!(complaints(chosen_by_kernel).is_empty());
    }

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
        let key = "notification.advertised";
        assert_eq!(complaints(|c| c.notification.advertised = "a b".into()), [key]);
        assert_eq!(complaints(|c| c.dispatch.advertised = "::1".into()), ["dispatch.advertised"]);
    }

    #[test]
    fn numbers_stay_in_their_ranges() {
        for key in [
            complaints(|c| c.passport.ticket_ttl_secs = 29),
            complaints(|c| c.passport.ticket_ttl_secs = 601),
        ] {
            assert_eq!(key, ["passport.ticket_ttl_secs"]);
        }
        assert_eq!(complaints(|c| c.timers.login_secs = 0), ["timers.login_secs"]);
        assert_eq!(complaints(|c| c.limits.line_bytes_max = 1023), ["limits.line_bytes_max"]);
        assert_eq!(complaints(|c| c.limits.connections_max = 0), ["limits.connections_max"]);
        assert_eq!(complaints(|c| c.challenge.repeat_secs = 50), ["challenge.repeat_secs"]);
        assert_eq!(complaints(|c| c.store.readers = 0), ["store.readers"]);
    }

    #[test]
    fn certificate_and_key_come_together() {
        let key = "passport.key_file";
        assert_eq!(complaints(|c| c.passport.certificate_file = "cert.pem".into()), [key]);
        let certificate = "passport.certificate_file";
        assert_eq!(complaints(|c| c.passport.key_file = "key.pem".into()), [certificate]);
    }

    #[test]
    fn challenge_keys_are_not_shown() {
        let mut config = Config::default();
        config.challenge.clients[0].key = "not shown".into();
        let shown = format!("{:?}", check(&config));
        assert!(shown.contains("challenge.clients") && !shown.contains("not shown"), "{shown}");
        assert_eq!(complaints(|c| c.challenge.clients.clear()), ["challenge.clients"]);
    }

    #[test]
    fn texts_that_go_on_the_wire_are_checked() {
        assert_eq!(complaints(|c| c.notification.country = "usa".into()), ["notification.country"]);
        let url = "http://example.org/a b";
        assert_eq!(complaints(|c| c.notification.info_url = url.into()), ["notification.info_url"]);
        assert_eq!(
            complaints(|c| c.passport.site_url = "example.org".into()),
            ["passport.site_url"]
        );
        assert_eq!(complaints(|c| c.log.wire_trace = vec!["alice".into()]), ["log.wire_trace"]);
    }

    #[test]
    fn misspelt_log_levels_are_refused() {
        for good in ["info", "off", "info,msnd::hub=trace", "warn, sqlx=debug"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["", "inf", "info,", "msnd::hub", "msnd::hub=loud", "=info", "a b=info", "9"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }
}
