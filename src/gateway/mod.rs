//! The HTTP gateway: sessions of clients that reach us through HTTP requests only (reference
//! `http-services.md` §6). To the rest of the house such a session is one like any other, on a
//! transport in memory. Knows no role: whoever makes the gateway says how a session is run.

mod request;
mod session;
mod tunnel;

use crate::{
    config,
    http1::{Ends, Receipt, Request, Response, Service},
    model::subnet::{Subnet, network},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use request::Action;
use session::{Answer, Ask, Session};
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    str,
    sync::Arc,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zeroize::Zeroizing;

pub use request::Server;
pub use tunnel::Tunnel;

/// Where clients look for the gateway, in lower case.
const PATH: &str = "/gateway/gateway.dll";
/// Longest body of a request, bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes that may wait for a session to read them.
const INPUT_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;
/// Bytes of a session that may wait for requests to fetch them. One that has more to say waits, and
/// ends if nobody fetches anything for `timers.write_stall_secs`.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// Sessions from one address.
pub const SESSIONS_PER_ADDRESS_MAX: usize = 64;
/// Proxies named in one request that are looked at.
const FORWARDED_MAX: usize = 16;
/// Of each of the two numbers of an id there are so many.
const NUMBERS: u64 = 10_000_000_000;

/// A session's own loop.
pub type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs sessions.
pub trait Open: Send + Sync {
    /// The loop of a new session of a client at `ends.peer` (port 0) who reached us at
    /// `ends.local`. `None` if there is no such role or no room.
    fn open(&self, server: Server, tunnel: Tunnel, ends: Ends) -> Option<Stream>;

    /// `client` has [`SESSIONS_PER_ADDRESS_MAX`] sessions already and got no further one.
    fn refused(&self, client: SocketAddr);
}

/// All sessions behind the gateway. Clones share them.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    sessions: Mutex<Sessions>,
    open: Box<dyn Open>,
    /// As configured; empty: the address at which the client reached us.
    advertised: String,
    /// Whose `X-Forwarded-For` is believed.
    proxies: Vec<Subnet>,
    /// Without a request for so long, a client is gone.
    idle: Duration,
    tasks: TaskTracker,
    draining: CancellationToken,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<String, Arc<Session>>,
    by_network: HashMap<IpAddr, usize>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = self.sessions();
        f.debug_struct("Gateway").field("sessions", &sessions).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway without sessions. They run on `tasks`; after `draining` nobody is waited for.
    #[must_use]
    pub fn new(
        config: &config::Config,
        open: impl Open + 'static,
        tasks: TaskTracker,
        draining: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            sessions: Mutex::default(),
            open: Box::new(open),
            advertised: advertised(config).to_owned(),
            proxies: config.net.forwarded_for_from.clone(),
            idle: Duration::from_secs(config.gateway.idle_secs),
            tasks,
            draining,
        }))
    }

    /// Whether a request is for the gateway, where pages share the listener.
    #[must_use]
    pub fn is_for(request: &Request) -> bool {
        request.path == PATH
    }

    /// Sessions held now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.lock().by_id.len()
    }

    async fn respond(&self, request: &Request, body: &[u8], ends: Ends) -> Response {
        let asked = (request.method == "POST").then(|| request::parse(&request.query)).flatten();
        let (id, session, ask) = match asked {
            Some(Action::Open(server)) => {
                let client = self.client(request, ends);
                let Some((id, session)) = self.0.open(server, Ends { peer: client, ..ends }) else {
                    return refused();
                };
                (id, Some(session), Ask::Data(body))
            }
            Some(Action::Data(id)) => (id.to_owned(), self.0.find(id), Ask::Data(body)),
            Some(Action::Poll(id, wait)) => (id.to_owned(), self.0.find(id), Ask::Poll(wait)),
            None => return refused(),
        };
        let Some(session) = session else { return refused() };
        let answer = match session.serve(ask).await {
            Ok(answer) => answer,
            Err(reason) => {
                tracing::debug!(address = %ends.peer, ?reason, "gateway request refused");
                return refused();
            }
        };
        let gateway = match (&*self.0.advertised, ends.local.ip().to_canonical()) {
            ("", IpAddr::V6(ip)) => format!("[{ip}]"),
            ("", ip) => ip.to_string(),
            (advertised, _) => advertised.to_owned(),
        };
        let end = if answer.is_last() { "; Session=close" } else { "" };
        Response::of_type("200 OK", "application/x-msn-messenger")
            .header("Cache-Control", "no-store")
            // COMPAT(gaim, Kopete): they count on this order and on `; ` between the parts.
            .header("X-MSN-Messenger", &format!("SessionID={id}; GW-IP={gateway}{end}"))
            .body(answer.output())
            .keep_alive()
            .receipt(Delivery { id, answer })
    }

    /// The client's address. Port 0 tells it that nobody can connect to it.
    fn client(&self, request: &Request, ends: Ends) -> SocketAddr {
        let is_proxy = |ip: IpAddr| self.0.proxies.iter().any(|range| range.contains(ip));
        let mut client = ends.peer.ip();
        // Each proxy appends who asked it, so what ours say is at the end.
        let values = request.all("x-forwarded-for").rev();
        let named = values.flat_map(|value| value.rsplit(|byte| *byte == b','));
        for name in named.take(FORWARDED_MAX) {
            if !is_proxy(client) {
                break;
            }
            let name = str::from_utf8(name).map(str::trim).unwrap_or_default();
            let Ok(ip) = name.parse::<IpAddr>() else { break };
            client = ip.to_canonical();
        }
        SocketAddr::new(client, 0)
    }
}

impl Inner {
    fn open(self: &Arc<Self>, server: Server, ends: Ends) -> Option<(String, Arc<Session>)> {
        let network = network(ends.peer.ip());
        let id = new_id()?;
        let (tunnel, mouth) = tunnel::tunnel(INPUT_BYTES_MAX, OUTPUT_BYTES_MAX);
        let session = Session::new(mouth, self.idle);
        if !self.sessions.lock().add(&id, &session, network) {
            self.open.refused(ends.peer);
            return None;
        }
        let Some(stream) = self.open.open(server, tunnel, ends) else {
            self.sessions.lock().remove(&id, network);
            return None;
        };
        let (this, kept, kept_id) = (self.clone(), session.clone(), id.clone());
        self.tasks.spawn(async move {
            kept.keep(stream, &this.draining).await;
            this.sessions.lock().remove(&kept_id, network);
        });
        Some((id, session))
    }

    fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.lock().by_id.get(id).cloned()
    }
}

impl Sessions {
    /// Whether there was room for it.
    fn add(&mut self, id: &str, session: &Arc<Session>, network: IpAddr) -> bool {
        let count = self.by_network.entry(network).or_default();
        if *count >= SESSIONS_PER_ADDRESS_MAX {
            return false;
        }
        *count += 1;
        self.by_id.insert(id.to_owned(), session.clone());
        true
    }

    fn remove(&mut self, id: &str, network: IpAddr) {
        self.by_id.remove(id);
        if let Some(count) = self.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

#[async_trait]
impl Service for Gateway {
    fn body_bytes_max(&self, _: &Request) -> Option<usize> {
        Some(BODY_BYTES_MAX)
    }

    /// Commands of a client that hangs up are carried out, and answered when it asks again.
    fn is_for_nobody_else(&self, _: &Request) -> bool {
        true
    }

    async fn answer(&self, request: Request, body: Zeroizing<Vec<u8>>, ends: Ends) -> Response {
        self.respond(&request, &body, ends).await
    }
}

/// The host that clients are told, as far as options say so: what leads to the notification role
/// leads here too, unless they say otherwise.
fn advertised(config: &config::Config) -> &str {
    match &*config.gateway.advertised {
        "" => config.notification.advertised.split(':').next().unwrap_or_default(),
        own => own,
    }
}

/// What clients will not be able to do, for the operator.
#[must_use]
pub fn warning(config: &config::Config, in_container: bool) -> Option<&'static str> {
    (in_container && config.gateway.enabled && advertised(config).is_empty()).then_some(
        "running in a container without gateway.advertised or notification.advertised: clients of \
         the HTTP gateway will be sent to the container's own address; set \
         MSND_NOTIFICATION_ADVERTISED to the host's name or address",
    )
}

/// An answer on its way.
struct Delivery {
    id: String,
    answer: Answer,
}

impl Receipt for Delivery {
    fn written(&mut self) {
        self.answer.written();
    }

    /// A request of another session comes from another client behind the same proxy.
    fn is_proved_by(&self, next: &Request) -> bool {
        matches!(
            request::parse(&next.query),
            Some(Action::Data(id) | Action::Poll(id, _)) if id == self.id
        )
    }

    fn settled(self: Box<Self>, has_arrived: bool) {
        self.answer.settled(has_arrived);
    }
}

/// An id nobody can guess. COMPAT(gaim): it must be digits, a dot, digits.
fn new_id() -> Option<String> {
    let number = || getrandom::u64().ok().map(|number| number % NUMBERS);
    Some(format!("{:010}.{:010}", number()?, number()?))
}

/// COMPAT(aMSN): it polls no more after a 200 without the session header, so this is none.
fn refused() -> Response {
    Response::new("400 Bad Request").keep_alive()
}
