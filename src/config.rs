//! Every option with its default, unit and meaning. How files, environment and flags become these
//! values is in `config/load.rs`; what cannot work is refused in `config/check.rs`; what is in
//! force is printed by `config/show.rs`. Knows no socket, no clock and no database.

mod bind;
mod check;
mod defaults;
mod gateway;
mod load;
mod names;
mod show;
#[cfg(test)]
mod tests;
mod text;
mod web;
mod welcome;

pub use bind::Bind;
pub use check::{ALERT_EXPIRY_SECS_MAX, PAYLOAD_BYTES_MAX, SOCKET_PATH_BYTES_MAX, log_filter};
pub use gateway::{Gateway, Net};
pub use load::{
    ConfigError, EXAMPLE, FILE_BYTES_MAX, FILE_VARIABLE, Flag, Loaded, Origin, Overrides, Problem,
    VARIABLE_PREFIX, example, load, trace,
};
pub use names::{LOGIN_HOST_BYTES_MAX, SITE_URL_BYTES_MAX, login_host, site_url};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};
pub use web::{Tab, Web};
pub use welcome::Welcome;

/// All options. Unknown keys are errors; missing ones take the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where data lives.
    pub data: Data,
    /// The dispatch role.
    pub dispatch: Dispatch,
    /// The notification role.
    pub notification: Notification,
    /// The switchboard role.
    pub switchboard: Switchboard,
    /// Passport sign-in.
    pub passport: Passport,
    /// The operators' interface.
    pub admin: Admin,
    /// The client challenge.
    pub challenge: Challenge,
    /// Web addresses behind the client's buttons.
    pub urls: Urls,
    /// Alerts.
    pub alerts: Alerts,
    /// The plain HTTP front.
    pub web: Web,
    /// What stands between us and the clients.
    pub net: Net,
    /// The HTTP gateway.
    pub gateway: Gateway,
    /// The robot to talk to.
    pub welcome: Welcome,
    /// Bounds on everything a peer can make us hold.
    pub limits: Limits,
    /// How long we wait for what.
    pub timers: Timers,
    /// The database.
    pub store: Store,
    /// Logging.
    pub log: Log,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Folder for the database and the self-signed certificate; made if missing.
    pub dir: PathBuf,
}

/// `[dispatch]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispatch {
    /// Where to listen. `notification`: on the port of the notification role, which then takes
    /// clients without a referral.
    pub bind: Bind,
    /// Notification servers to refer to, `host:port` each; accounts are spread over them in a
    /// stable way. Empty: the notification role of this process.
    pub notification_servers: Vec<String>,
    /// This server's own address as written into referrals, `host` or `host:port`. Empty: the
    /// address at which the client reached us.
    pub advertised: String,
}

/// Form of the reply to `VER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum VerReply {
    /// The chosen dialect, the other common ones, `CVR0`.
    #[default]
    List,
    /// Only the chosen dialect.
    Single,
}

/// `[notification]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notification {
    /// Where to listen.
    pub bind: Bind,
    /// The address written into referrals, `host` or `host:port`. Empty: the address at which the
    /// client reached the dispatch server, with this role's port.
    pub advertised: String,
    /// Form of the reply to `VER`, on dispatch too.
    pub ver_reply: VerReply,
    /// Two-letter country in the profile message.
    pub country: String,
    /// Language (LCID) in the profile message and the sign-in policy.
    pub lcid: u32,
    /// Download address named in the reply to `CVR`.
    pub download_url: String,
    /// Information address named in the reply to `CVR`.
    pub info_url: String,
}

/// `[switchboard]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switchboard {
    /// Where to listen. `notification`: on the port of the notification role.
    pub bind: Bind,
    /// The address clients are sent to, `host` or `host:port`. Empty: the host of
    /// `notification.advertised`, or the address at which the client reached us.
    pub advertised: String,
    /// Several addresses of this role, `host:port` each, over which new conversations are spread
    /// in a stable way. Empty: the one above.
    pub servers: Vec<String>,
    /// Conversations a session may ask for in a minute before error 800.
    pub requests_per_minute_max: u32,
    /// The error for a call to somebody who does not allow the caller: 217 as for somebody who is
    /// not online, or 216.
    pub blocked_reply: u16,
    /// Calls of one account that may be refused within `call_window_secs` before error 713.
    pub refused_calls_max: u32,
    /// The window of the number above, seconds.
    pub call_window_secs: u64,
}

/// The lowest version of TLS that clients may use for Passport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsFloor {
    /// With forward secrecy only: Windows 7 with updates, and later.
    #[serde(rename = "tls1.2")]
    Tls12,
    /// With 3DES: Windows XP.
    #[serde(rename = "tls1.0")]
    Tls10,
    /// With 3DES: Windows 98 to XP with Internet Explorer 6 as it was installed.
    #[serde(rename = "ssl3")]
    Ssl3,
}

/// `[passport]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passport {
    /// Where to listen with TLS. Old clients use port 443 whatever they are told.
    pub https_bind: Bind,
    /// Where to listen without TLS. Passwords cross the network in clear.
    pub http_bind: Bind,
    /// Host name of the login service as told by the nexus, without port. Empty: the name or
    /// address at which the client reached the nexus.
    pub login_host: String,
    /// Web site named for registration, account, privacy and help pages; empty: the login host
    /// over plain HTTP.
    pub site_url: String,
    /// PEM file with the certificate chain. Empty, with `key_file`: a self-signed one in the data
    /// folder.
    pub certificate_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
    /// PEM file with the certificate chain for clients that send no server name. Empty, with
    /// `legacy_key_file`: that of `certificate_file`, or a SHA-1 one in the data folder.
    pub legacy_certificate_file: PathBuf,
    /// PEM file with its private key.
    pub legacy_key_file: PathBuf,
    /// The lowest version of TLS spoken.
    pub tls_floor: TlsFloor,
    /// Whether RC4 is offered, last of all ciphers.
    pub rc4: bool,
    /// How long a sign-in ticket can be presented, seconds.
    pub ticket_ttl_secs: u64,
    /// Outstanding tickets per account; the oldest is dropped.
    pub tickets_per_account_max: usize,
    /// Failed sign-ins of one account within `throttle_window_secs` before it has to wait.
    pub failures_per_account_max: u32,
    /// Failed sign-ins from one address within `throttle_window_secs` before it has to wait.
    pub failures_per_address_max: u32,
    /// Window of the two counters above, seconds.
    pub throttle_window_secs: u64,
    /// Passwords verified at the same time (19 MiB each); 0: one for each processor.
    pub password_workers: usize,
    /// Sign-ins waiting for a verification; more are told to come back (503).
    pub password_queue_max: usize,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Unix socket of the admin API, relative to the data folder. Empty: none.
    pub socket: PathBuf,
    /// Where to listen with TCP, which needs a token.
    pub bind: Bind,
    /// File whose only line is the token; nobody but its owner may read it.
    pub token_file: PathBuf,
}

/// What a wrong or missing challenge answer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ChallengePolicy {
    /// Error 540 and the connection.
    #[default]
    Enforce,
    /// A line in the log.
    Log,
}

/// `[challenge]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Challenge {
    /// What a wrong or missing answer costs.
    pub policy: ChallengePolicy,
    /// Seconds until the answer must be there.
    pub answer_secs: u64,
    /// Seconds until the next challenge.
    pub repeat_secs: u64,
    /// The client ids we know.
    pub clients: Vec<ChallengeClient>,
}

/// One `[[challenge.clients]]`. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeClient {
    /// Client id string.
    pub id: String,
    /// Its key.
    pub key: String,
}

/// `[urls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Urls {
    /// The web site that `{site}` stands for, without a slash at its end. Empty: `http://` and the
    /// address at which the client reached us.
    pub site: String,
    /// What each service of the `URL` command leads to.
    pub services: Vec<UrlService>,
}

/// One `[[urls.services]]`. In both addresses `{site}`, `{user}` (the account) and `{argument}`
/// (what the client sent with the service, or nothing) are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlService {
    /// Name of the service, in capitals.
    pub name: String,
    /// The page.
    pub page: String,
    /// Where the client posts its sign-in form first.
    pub login: String,
    /// Passport site number.
    pub site_id: u32,
}

/// `[alerts]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Seconds for which an alert waits for somebody who is not signed in, unless the sender says
    /// otherwise.
    pub expiry_secs: u64,
    /// Alerts that may wait for one account that is not online; further ones are refused.
    pub waiting_per_account_max: u32,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections in all, over all listeners.
    pub connections_max: usize,
    /// Connections from one address, over all listeners.
    pub connections_per_address_max: usize,
    /// Bytes of one command line with its line end.
    pub line_bytes_max: usize,
    /// Bytes of one payload on dispatch and notification, at most [`PAYLOAD_BYTES_MAX`].
    pub payload_bytes_max: usize,
    /// Bytes waiting to be sent to one peer above which nothing is added: its commands stay unread
    /// and its news wait in its inbox.
    pub output_queue_bytes_max: usize,
    /// Events waiting for one session; more end that session.
    pub inbox_events_max: usize,
    /// Conversations.
    pub rooms_max: usize,
    /// Conversations that one account has opened and is still in.
    pub rooms_per_user_max: usize,
    /// People in one conversation, those who have been called included.
    pub room_members_max: usize,
    /// Bytes waiting for one participant of a conversation; more end its part in it.
    pub room_queue_bytes_max: usize,
    /// Bytes waiting for all participants of all conversations; beyond it whoever has more than a
    /// small share waiting is out.
    pub room_queues_bytes_max: usize,
    /// People on a forward list.
    pub forward_list_max: u32,
    /// People on an allow and a block list together.
    pub allow_block_list_max: u32,
    /// Own-name changes in a minute before error 800.
    pub renames_per_minute_max: u32,
    /// Pages (`PGD`) of one account in a minute before error 800.
    pub pages_per_minute_max: u32,
}

/// `[timers]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timers {
    /// Seconds from accept until sign-in must be complete.
    pub login_secs: u64,
    /// Seconds announced in `QNG`.
    pub ping_secs: u64,
    /// Announced intervals without a byte before a client that pings is taken for gone.
    pub idle_intervals: u64,
    /// Seconds without a message after which a conversation ends.
    pub room_idle_secs: u64,
    /// Seconds a dispatch connection may linger after its referral.
    pub dispatch_linger_secs: u64,
    /// Seconds for a TLS handshake, and again for the HTTP request behind it.
    pub http_request_secs: u64,
    /// Seconds without progress in sending to a peer before it is taken for gone.
    pub write_stall_secs: u64,
    /// Idle seconds before TCP itself probes whether the peer is still there.
    pub tcp_keepalive_secs: u64,
    /// Seconds between two looks whether an online account has been removed or disabled by another
    /// process.
    pub account_check_secs: u64,
    /// Minutes announced to clients before a shutdown really begins; 0 begins at once. Whoever
    /// stops the process must wait for them and for `shutdown_grace_secs` before killing it.
    pub shutdown_notice_minutes: u64,
    /// Seconds that connections get to take their last lines at shutdown.
    pub shutdown_grace_secs: u64,
}

/// How much a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// Survives power loss.
    #[default]
    Full,
    /// Survives a crash of the process; power loss may cost the last changes.
    Normal,
    /// For tests.
    Off,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Database file; relative to the data folder.
    pub file: PathBuf,
    /// How much a commit waits for the disk.
    pub synchronous: Synchronous,
    /// Connections for reading.
    pub readers: u32,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,msnd::hub=trace`.
    pub level: String,
    /// Form of the lines.
    pub format: LogFormat,
    /// Accounts whose every line is logged, secrets masked.
    pub wire_trace: Vec<String>,
}

impl Config {
    /// The database file, with the data folder in front of a relative one.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.data.dir.join(&self.store.file)
    }

    /// The admin API's Unix socket, if there is to be one, with the data folder in front of a
    /// relative path.
    #[must_use]
    pub fn admin_socket(&self) -> Option<PathBuf> {
        let socket = &self.admin.socket;
        (!socket.as_os_str().is_empty()).then(|| self.data.dir.join(socket))
    }
}

impl fmt::Debug for ChallengeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeClient").field("id", &self.id).finish_non_exhaustive()
    }
}
