//! The value of every option that nobody set. `config/msnd.toml` says the same to people; a test
//! holds the two together.

use super::{
    Admin, Alerts, Bind, Challenge, ChallengeClient, ChallengePolicy, Data, Dispatch, Limits, Log,
    LogFormat, Notification, Passport, Store, Switchboard, Synchronous, Timers, TlsFloor,
    UrlService, Urls, VerReply,
};
use std::path::PathBuf;

impl Default for Data {
    fn default() -> Self {
        Self { dir: "msnd-data".into() }
    }
}

impl Default for Dispatch {
    fn default() -> Self {
        Self { bind: Bind::any(1863), notification_servers: Vec::new(), advertised: String::new() }
    }
}

impl Default for Notification {
    fn default() -> Self {
        Self {
            bind: Bind::any(1864),
            advertised: String::new(),
            ver_reply: VerReply::default(),
            country: "US".into(),
            lcid: 1033,
            download_url: "http://messenger.msn.com/download".into(),
            info_url: "http://messenger.msn.com".into(),
        }
    }
}

impl Default for Switchboard {
    fn default() -> Self {
        Self {
            bind: Bind::any(1865),
            advertised: String::new(),
            servers: Vec::new(),
            requests_per_minute_max: 30,
            blocked_reply: 217,
            refused_calls_max: 5,
            call_window_secs: 60,
        }
    }
}

impl Default for TlsFloor {
    /// As low as this build can go without SSL 3.
    fn default() -> Self {
        if cfg!(feature = "legacy-tls") { Self::Tls10 } else { Self::Tls12 }
    }
}

impl Default for Passport {
    fn default() -> Self {
        Self {
            https_bind: Bind::any(443),
            http_bind: Bind::Off,
            login_host: String::new(),
            site_url: String::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            legacy_certificate_file: PathBuf::new(),
            legacy_key_file: PathBuf::new(),
            tls_floor: TlsFloor::default(),
            rc4: false,
            ticket_ttl_secs: 120,
            tickets_per_account_max: 8,
            failures_per_account_max: 10,
            failures_per_address_max: 50,
            throttle_window_secs: 300,
            password_workers: 0,
            password_queue_max: 64,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { socket: "admin.socket".into(), bind: Bind::Off, token_file: PathBuf::new() }
    }
}

impl Default for Challenge {
    fn default() -> Self {
        let clients = [
            ("msmsgs@msnmsgr.com", "Q1P7W2E4J9R8U3S5"),
            ("PROD0038W!61ZTF9", "VT6PX?UQTM4WM%YR"),
            ("PROD0058#7IL2{QD", "QHDCY@7R1TB6W?5B"),
            ("PROD0061VRRZH@4F", "JXQ6J@TUOGYV@N0M"),
            ("PROD00504RLUG%WL", "I2EBK%PYNLZL5_J4"),
            ("PROD0076ENE8*@AW", "CEQJ8}OE0!WTSWII"),
        ];
        Self {
            policy: ChallengePolicy::default(),
            answer_secs: 50,
            repeat_secs: 1200,
            clients: clients
                .map(|(id, key)| ChallengeClient { id: id.into(), key: key.into() })
                .into(),
        }
    }
}

impl Default for Urls {
    fn default() -> Self {
        let services = [
            ("INBOX", "/inbox", 2),
            ("FOLDERS", "/folders", 2),
            ("COMPOSE", "/compose?to={argument}", 2),
            ("MESSAGE", "/message?id={argument}", 2),
            ("PERSON", "/account", 4263),
            ("PROFILE", "/profile", 4263),
            ("PASSWORD", "/password", 4263),
            ("CHGMOB", "/mobile", 961),
            ("MOBILE", "/mobile", 961),
            ("CHAT", "/chat", 2260),
            ("ADDRBOOK", "/people", 2),
            ("ADVSEARCH", "/search", 4263),
            ("INTSEARCH", "/search", 4263),
            ("N2PACCOUNT", "/phone", 2823),
            ("N2PFUND", "/phone", 2823),
        ];
        let services = services.map(|(name, page, site_id)| UrlService {
            name: name.into(),
            page: format!("{{site}}{page}"),
            login: "{site}/".into(),
            site_id,
        });
        Self { site: String::new(), services: services.into() }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self { expiry_secs: 7 * 86_400, waiting_per_account_max: 50 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_000,
            connections_per_address_max: 256,
            line_bytes_max: 8192,
            payload_bytes_max: 8192,
            output_queue_bytes_max: 64 * 1024,
            inbox_events_max: 4096,
            rooms_max: 10_000,
            rooms_per_user_max: 256,
            room_members_max: 50,
            room_queue_bytes_max: 4 * 1024 * 1024,
            room_queues_bytes_max: 256 * 1024 * 1024,
            forward_list_max: 600,
            allow_block_list_max: 1000,
            renames_per_minute_max: 5,
            pages_per_minute_max: 10,
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            login_secs: 60,
            ping_secs: 60,
            idle_intervals: 4,
            room_idle_secs: 600,
            dispatch_linger_secs: 5,
            http_request_secs: 10,
            write_stall_secs: 60,
            tcp_keepalive_secs: 120,
            account_check_secs: 2,
            shutdown_notice_minutes: 0,
            shutdown_grace_secs: 5,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { file: "msnd.sqlite".into(), synchronous: Synchronous::default(), readers: 4 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::default(), wire_trace: Vec::new() }
    }
}
