//! Which options are refused, and which of their neighbours are not.

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

fn at(text: &str) -> Bind {
    Bind::At(text.parse().unwrap())
}

#[test]
fn listeners_that_overlap_are_refused() {
    assert_eq!(complaints(|c| c.notification.bind = c.dispatch.bind), ["notification.bind"]);
    assert_eq!(complaints(|c| c.dispatch.bind = at("127.0.0.1:1864")), ["notification.bind"]);
    assert_eq!(complaints(|c| c.dispatch.bind = at("[::]:1864")), ["notification.bind"]);
    assert_eq!(
        complaints(|c| c.passport.http_bind = c.passport.https_bind),
        ["passport.http_bind"]
    );
    assert_eq!(
        complaints(|c| c.passport.https_bind = at("10.0.0.1:1864")),
        ["passport.https_bind"]
    );
    let chosen_by_kernel = |config: &mut Config| {
        config.passport.http_bind = Bind::any(0);
        config.passport.https_bind = Bind::any(0);
    };
    assert!(complaints(chosen_by_kernel).is_empty());
    let side_by_side = |config: &mut Config| {
        config.dispatch.bind = at("127.0.0.1:1863");
        config.notification.bind = at("127.0.0.2:1863");
    };
    assert!(complaints(side_by_side).is_empty());
    let mut config = Config::default();
    config.dispatch.bind = config.notification.bind;
    assert!(check(&config)[0].remedy.contains("set dispatch.bind to `notification`"));
}

#[test]
fn only_dispatch_shares_the_port_of_notification() {
    assert!(complaints(|c| c.dispatch.bind = Bind::Notification).is_empty());
    assert_eq!(complaints(|c| c.notification.bind = Bind::Notification), ["notification.bind"]);
    assert_eq!(complaints(|c| c.passport.http_bind = Bind::Notification), ["passport.http_bind"]);
    let nobody_there = |config: &mut Config| {
        config.dispatch.bind = Bind::Notification;
        config.notification.bind = Bind::Off;
    };
    assert_eq!(complaints(nobody_there), ["dispatch.bind"]);
    let referred_all_the_same = |config: &mut Config| {
        config.dispatch.bind = Bind::Notification;
        config.dispatch.notification_servers = vec!["ns1.example.test:1864".into()];
    };
    assert_eq!(complaints(referred_all_the_same), ["dispatch.bind"]);
}

#[test]
fn an_ipv6_address_needs_a_name_to_refer_to() {
    let notification = |c: &mut Config| c.notification.bind = at("[2001:db8::1]:1864");
    assert_eq!(complaints(notification), ["notification.advertised"]);
    let dispatch = |c: &mut Config| c.dispatch.bind = at("[2001:db8::1]:1863");
    assert_eq!(complaints(dispatch), ["dispatch.advertised"]);
    let named = |c: &mut Config| {
        dispatch(c);
        notification(c);
        c.dispatch.advertised = "ds.example.test".into();
        c.notification.advertised = "ns.example.test".into();
    };
    assert!(complaints(named).is_empty());
    let not_referred = |c: &mut Config| {
        notification(c);
        c.dispatch.bind = Bind::Notification;
    };
    assert!(complaints(not_referred).is_empty());
    let referred_by_others = |c: &mut Config| {
        notification(c);
        c.dispatch.bind = Bind::Off;
    };
    assert!(complaints(referred_by_others).is_empty());
    assert!(complaints(|c| c.notification.bind = at("[::]:1864")).is_empty());
}

#[test]
fn advertised_hosts_are_what_old_clients_can_read() {
    let key = "notification.advertised";
    assert_eq!(complaints(|c| c.notification.advertised = "a b".into()), [key]);
    assert_eq!(complaints(|c| c.dispatch.advertised = "::1".into()), ["dispatch.advertised"]);
}

#[test]
fn what_the_nexus_cannot_name_is_refused() {
    for bad in ["a'b", "a;b", "a\\b", "a b", "a,b", "a\"b", "a<b", "é", &"x".repeat(234)] {
        let url = format!("http://{bad}");
        assert_eq!(complaints(|c| c.passport.site_url = url), ["passport.site_url"], "{bad}");
    }
    let long = vec!["x".repeat(60); 4].join(".");
    for bad in ["a'b", "a b", "a:443", "a..b", "https://a", &long] {
        let host = bad.to_owned();
        assert_eq!(complaints(|c| c.passport.login_host = host), ["passport.login_host"], "{bad}");
    }
    assert!(complaints(|c| c.passport.site_url = "http://example.org/".into()).is_empty());
    assert!(complaints(|c| c.passport.login_host = "login.example.org".into()).is_empty());
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
    let payload = "limits.payload_bytes_max";
    assert!(complaints(|c| c.limits.payload_bytes_max = PAYLOAD_BYTES_MAX).is_empty());
    assert_eq!(complaints(|c| c.limits.payload_bytes_max = PAYLOAD_BYTES_MAX + 1), [payload]);
    let failures = "passport.failures_per_account_max";
    assert_eq!(complaints(|c| c.passport.failures_per_account_max = 0), [failures]);
    let failures = "passport.failures_per_address_max";
    assert_eq!(complaints(|c| c.passport.failures_per_address_max = 0), [failures]);
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
    assert_eq!(complaints(|c| c.passport.site_url = "example.org".into()), ["passport.site_url"]);
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

#[test]
fn web_addresses_are_one_word_with_known_placeholders() {
    assert_eq!(complaints(|c| c.urls.site = "www example".into()), ["urls.site"]);
    for (name, page) in [
        ("INBOX", "{site}/in box"),
        ("INBOX", ""),
        ("INBOX", "{site}/{who}"),
        ("INBOX", "{site}/{user"),
        ("inbox", "{site}/"),
        ("FOLDERS", "{site}/"),
    ] {
        let change = |c: &mut Config| {
            c.urls.services[0].name = name.into();
            c.urls.services[0].page = page.into();
        };
        assert_eq!(complaints(change), ["urls.services"], "{name} {page}");
    }
}

#[test]
fn a_switchboard_is_where_clients_can_be_sent() {
    let servers = |servers: &[&str]| {
        let servers: Vec<String> = servers.iter().map(|server| (*server).into()).collect();
        complaints(|c| c.switchboard.servers.clone_from(&servers))
    };
    assert_eq!(servers(&["10.0.0.1:1865", "sb.example.org:1865"]), [""; 0]);
    assert_eq!(servers(&["sb.example.org"]), ["switchboard.servers"]);
    let off = |c: &mut Config| {
        c.switchboard.bind = Bind::Off;
        c.switchboard.servers = vec!["10.0.0.1:1865".into()];
    };
    assert_eq!(complaints(off), ["switchboard.servers"]);
    assert_eq!(complaints(|c| c.switchboard.bind = Bind::Off), [""; 0]);
    assert_eq!(complaints(|c| c.switchboard.advertised = "::1".into()), ["switchboard.advertised"]);
    let only_ipv6 = Bind::At("[2001:db8::1]:1865".parse().unwrap());
    assert_eq!(complaints(|c| c.switchboard.bind = only_ipv6), ["switchboard.advertised"]);
    let named = |c: &mut Config| {
        c.switchboard.bind = only_ipv6;
        c.notification.advertised = "chat.example.org".into();
    };
    assert_eq!(complaints(named), [""; 0]);
    assert_eq!(complaints(|c| c.switchboard.bind = Bind::Notification), [""; 0]);
    let alone = |c: &mut Config| {
        c.switchboard.bind = Bind::Notification;
        c.notification.bind = Bind::Off;
        c.dispatch.notification_servers = vec!["10.0.0.1:1864".into()];
    };
    assert_eq!(complaints(alone), ["switchboard.bind"]);
}

#[test]
fn the_admin_api_needs_a_token_for_tcp_and_a_short_path_for_its_socket() {
    let over_tcp = |c: &mut Config| c.admin.bind = at("127.0.0.1:1869");
    assert_eq!(complaints(over_tcp), ["admin.token_file"]);
    let with_token = |c: &mut Config| {
        over_tcp(c);
        c.admin.token_file = "token".into();
    };
    assert!(complaints(with_token).is_empty());
    let taken = |c: &mut Config| {
        with_token(c);
        c.admin.bind = c.dispatch.bind;
    };
    assert_eq!(complaints(taken), ["admin.bind"]);
    let shared = |c: &mut Config| {
        with_token(c);
        c.admin.bind = Bind::Notification;
    };
    assert_eq!(complaints(shared), ["admin.bind"]);
    let folder = |bytes: usize| format!("/{}", "d".repeat(bytes - 1 - "/admin.socket".len()));
    assert!(complaints(|c| c.data.dir = folder(SOCKET_PATH_BYTES_MAX).into()).is_empty());
    let too_long = |c: &mut Config| c.data.dir = folder(SOCKET_PATH_BYTES_MAX + 1).into();
    assert_eq!(complaints(too_long), ["admin.socket"]);
    let without = |c: &mut Config| {
        too_long(c);
        c.admin.socket = "".into();
    };
    assert!(complaints(without).is_empty());
}

#[test]
fn the_robot_needs_an_address_words_and_somewhere_to_be() {
    let on = |c: &mut Config| c.welcome.address = "welcome@example.test".into();
    assert!(complaints(on).is_empty());
    let address = ["welcome.address"];
    assert_eq!(complaints(|c| c.welcome.address = "welcome".into()), address);
    let nowhere_to_talk = |c: &mut Config| {
        on(c);
        c.switchboard.bind = Bind::Off;
    };
    assert_eq!(complaints(nowhere_to_talk), address);
    assert_eq!(complaints(|c| c.welcome.name = "a\nb".into()), ["welcome.name"]);
    assert!(complaints(|c| c.welcome.name = String::new()).is_empty());
    for (text, works) in [("One\r\n\ttwo", true), ("a\u{7}", false), (&"x".repeat(8193), false)] {
        let expected = |key| if works { Vec::new() } else { vec![key] };
        assert_eq!(complaints(|c| c.welcome.greeting = text.into()), expected("welcome.greeting"));
        assert_eq!(complaints(|c| c.welcome.help = text.into()), expected("welcome.help"));
    }
    assert!(complaints(|c| c.welcome.greeting = String::new()).is_empty());
    assert_eq!(complaints(|c| c.welcome.help = " \n".into()), ["welcome.help"]);
    assert_eq!(complaints(|c| c.welcome.return_secs = 0), ["welcome.return_secs"]);
}
