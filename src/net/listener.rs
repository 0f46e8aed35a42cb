//! Listening, and accepting within the limits: in all, from one address, and within what the
//! system gives us. Knows no role.

use super::{
    proxy::{self, Told},
    refusals::Refusals,
};
use crate::{
    metrics::Metrics,
    model::subnet::{Subnet, network},
};
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    select,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections the kernel may complete before we accept them; it allows at most its own
/// `net.core.somaxconn`. After a restart everybody comes back at once, and whoever finds the queue
/// full waits for a second or more.
const BACKLOG: u32 = 4096;
/// How long accepting rests when the system has no descriptors or memory left.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);
/// Time between TCP's own probes of a silent peer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Bytes that the system holds for a peer without having sent them. Its buffers are much larger,
/// and it says that there is room again only when a third of them is free: a slow peer would seem
/// to take nothing for minutes.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// Whether connections have what was set on the listening socket when they came, as Linux does it:
/// five calls less for each.
const IS_INHERITED: bool = cfg!(target_os = "linux");
/// How long a proxy may take to say whose connection it is.
const PROXY_HEADER_WAIT: Duration = Duration::from_secs(5);

/// Counts connections over all listeners and refuses those above the limits.
#[derive(Debug)]
pub struct Admission {
    counts: Mutex<Counts>,
    connections_max: usize,
    per_address_max: usize,
    keepalive: Duration,
    metrics: Arc<Metrics>,
    next_id: AtomicU64,
    refused_in_all: Refusals,
    refused_per_address: Refusals,
}

/// The limit that a connection is too many for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    InAll,
    PerAddress,
}

/// Why a connection is not served.
enum Refusal {
    Limit(Limit),
    /// It was gone before it could be set up.
    Lost(io::Error),
    /// A proxy did not say whose it is, or not in time.
    Nameless(io::Error),
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to hold one connection; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    /// `None` as long as a proxy has not said whose connection it is.
    address: Option<IpAddr>,
}

/// Proxies in front of us that begin every connection with a PROXY header.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// Their addresses. From anybody else no such header is taken.
    pub from: Arc<[Subnet]>,
    /// Where their headers are waited for, so that none holds up those behind it.
    pub tasks: TaskTracker,
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Accepted {
    /// The number of the connection, unique in this process.
    pub id: u64,
    /// The socket.
    pub stream: TcpStream,
    /// The client's address; IPv4-mapped ones are IPv4 here.
    pub peer: SocketAddr,
    /// The address at which the client reached us.
    pub local: SocketAddr,
    /// To be kept as long as the connection.
    pub permit: Permit,
}

impl Admission {
    /// Limits for all listeners together. `keepalive` is how long a connection may be silent
    /// before TCP probes the peer. Refusals are counted in `metrics`.
    #[must_use]
    pub fn new(
        connections_max: usize,
        per_address_max: usize,
        keepalive: Duration,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            connections_max,
            per_address_max,
            keepalive,
            metrics,
            next_id: AtomicU64::new(1),
            refused_in_all: Refusals::default(),
            refused_per_address: Refusals::default(),
        })
    }

    /// The number of the next connection, for a session that has none.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Connections held now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.lock().all
    }

    /// Admits a session of `peer` that has no connection of its own; with it comes a number that no
    /// connection has. `None` if it is too many.
    #[must_use]
    pub fn admit_session(self: &Arc<Self>, peer: SocketAddr) -> Option<(u64, Permit)> {
        match self.admit(peer.ip()) {
            Ok(permit) => Some((self.next_id(), permit)),
            Err(limit) => {
                self.tell(peer, Refusal::Limit(limit));
                None
            }
        }
    }

    fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Limit> {
        self.admit_nameless()?.named(peer)
    }

    fn admit_nameless(self: &Arc<Self>) -> Result<Permit, Limit> {
        let mut counts = self.counts.lock();
        if counts.all >= self.connections_max {
            return Err(Limit::InAll);
        }
        counts.all += 1;
        Ok(Permit { admission: self.clone(), address: None })
    }

    fn tell(&self, peer: SocketAddr, refusal: Refusal) {
        self.metrics.connection_refused(match refusal {
            Refusal::Limit(Limit::InAll) => "connections_max",
            Refusal::Limit(Limit::PerAddress) => "connections_per_address_max",
            Refusal::Lost(_) => "lost",
            Refusal::Nameless(_) => "proxy_header",
        });
        match refusal {
            Refusal::Limit(Limit::InAll) => {
                self.refused_in_all.tell(peer, "limits.connections_max reached");
            }
            Refusal::Limit(Limit::PerAddress) => {
                self.refused_per_address.tell(peer, "limits.connections_per_address_max reached");
            }
            Refusal::Lost(error) => {
                tracing::debug!(address = %peer, %error, "connection lost at once");
            }
            Refusal::Nameless(error) => {
                tracing::debug!(address = %peer, %error, "proxy named no client");
            }
        }
    }
}

impl Permit {
    /// Counts the connection for its client too.
    fn named(mut self, peer: IpAddr) -> Result<Self, Limit> {
        let address = network(peer);
        {
            let mut counts = self.admission.counts.lock();
            let from_address = counts.by_address.entry(address).or_default();
            if *from_address >= self.admission.per_address_max {
                return Err(Limit::PerAddress);
            }
            *from_address += 1;
        }
        self.address = Some(address);
        Ok(self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock();
        counts.all -= 1;
        if let Some(address) = self.address
            && let Some(from_address) = counts.by_address.get_mut(&address)
        {
            *from_address -= 1;
            if *from_address == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

/// Listens at `address`. Connections are probed after a silence of `keepalive`, from the first one
/// on: the system takes them before anybody accepts.
///
/// # Errors
/// What the system says, with the option if it is about one.
pub fn listen(address: SocketAddr, keepalive: Duration) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait until the last connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    if IS_INHERITED {
        tune(&SockRef::from(&socket), keepalive)?;
    }
    socket.listen(BACKLOG)
}

/// Sets what every connection has: no delay of small writes, probes, and little unsent.
fn tune(socket: &SockRef<'_>, keepalive: Duration) -> io::Result<()> {
    // Of its kind only what is about an address is understood further up.
    let refused = |option| move |error| io::Error::other(format!("{option} is refused: {error}"));
    socket.set_tcp_nodelay(true).map_err(refused("TCP_NODELAY"))?;
    let keepalive = TcpKeepalive::new().with_time(keepalive).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive).map_err(refused("TCP keep-alive"))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX).map_err(refused("TCP_NOTSENT_LOWAT"))?;
    Ok(())
}

/// Accepts until `drain` from what [`listen`] has made, handing every admitted connection to
/// `serve`. Never fails: when the system is exhausted it rests and goes on. What comes through one
/// of `proxies` is taken for what its header says, before any limit for one address is looked at.
pub async fn accept(
    listener: TcpListener,
    admission: Arc<Admission>,
    proxies: Proxies,
    drain: CancellationToken,
    serve: impl Fn(Accepted) + Clone + Send + 'static,
) {
    let mut is_exhausted = false;
    loop {
        let accepted = select! {
            () = drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_exhausted = false;
                let peer = canonical(peer);
                if proxies.from.iter().any(|range| range.contains(peer.ip())) {
                    let (admission, drain) = (admission.clone(), drain.clone());
                    let serve = serve.clone();
                    proxies.tasks.spawn(async move {
                        let admitted = select! {
                            () = drain.cancelled() => return,
                            admitted = admit_proxied(&admission, stream, peer) => admitted,
                        };
                        match admitted {
                            Ok(accepted) => serve(accepted),
                            Err(refusal) => admission.tell(peer, refusal),
                        }
                    });
                    continue;
                }
                match admit(&admission, stream, peer) {
                    Ok(accepted) => serve(accepted),
                    Err(refusal) => admission.tell(peer, refusal),
                }
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if !is_exhausted {
                    tracing::warn!(
                        "cannot accept connections at the moment: {error}; trying again every \
                         {EXHAUSTED_WAIT:?} (is the limit of open files too low?)"
                    );
                }
                is_exhausted = true;
                select! {
                    () = drain.cancelled() => return,
                    () = sleep(EXHAUSTED_WAIT) => {}
                }
            }
        }
    }
}

fn admit(
    admission: &Arc<Admission>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<Accepted, Refusal> {
    let permit = admission.admit(peer.ip()).map_err(Refusal::Limit)?;
    let local = set_up(admission, &stream).map_err(Refusal::Lost)?;
    Ok(Accepted { id: admission.next_id(), stream, peer, local, permit })
}

/// Waits for the header of a proxy at `peer` and admits its client. A header that is none, and one
/// that is late, end the connection: what follows could be read in no safe way.
async fn admit_proxied(
    admission: &Arc<Admission>,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<Accepted, Refusal> {
    let permit = admission.admit_nameless().map_err(Refusal::Limit)?;
    let local = set_up(admission, &stream).map_err(Refusal::Lost)?;
    let told = timeout(PROXY_HEADER_WAIT, proxy::read(&mut stream)).await;
    let told = told.unwrap_or_else(|late| Err(late.into())).map_err(Refusal::Nameless)?;
    let (peer, local) = match told {
        Told::Client { source, destination } => (canonical(source), canonical(destination)),
        Told::Proxy => (peer, local),
    };
    let permit = permit.named(peer.ip()).map_err(Refusal::Limit)?;
    Ok(Accepted { id: admission.next_id(), stream, peer, local, permit })
}

/// Returns the address at which the peer reached us.
fn set_up(admission: &Admission, stream: &TcpStream) -> io::Result<SocketAddr> {
    if !IS_INHERITED {
        tune(&SockRef::from(stream), admission.keepalive)?;
    }
    stream.local_addr().map(canonical)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_counted_and_given_back() {
        let admission = Admission::new(3, 2, Duration::from_secs(1), Arc::default());
        let (alice, bob) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = admission.admit(alice).unwrap();
        let _second = admission.admit(alice).unwrap();
        assert_eq!(admission.admit(alice).unwrap_err(), Limit::PerAddress);
        let _third = admission.admit(bob).unwrap();
        assert_eq!(admission.admit(bob).unwrap_err(), Limit::InAll);
        drop(first);
        let _fourth = admission.admit(alice).unwrap();
        assert_eq!(admission.connections(), 3);
    }

    #[tokio::test]
    async fn an_accepted_socket_has_every_option() {
        const SILENCE: Duration = Duration::from_secs(77);
        let admission = Admission::new(9, 9, SILENCE, Arc::default());
        let listener = listen(([127, 0, 0, 1], 0).into(), SILENCE).unwrap();
        let address = listener.local_addr().unwrap();
        let proxies = Proxies { from: Arc::default(), tasks: TaskTracker::new() };
        let (sender, mut accepted) = tokio::sync::mpsc::channel(1);
        let serve = move |one| sender.try_send(one).unwrap();
        let drain = CancellationToken::new();
        // Such a connection is complete before it is accepted.
        let _client = TcpStream::connect(address).await.unwrap();
        let accepting = accept(listener, admission, proxies, drain.clone(), serve);
        let look = async {
            let Accepted { stream, .. } = accepted.recv().await.unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
            #[cfg(target_os = "linux")]
            {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), SILENCE);
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
                assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
            }
            drain.cancel();
        };
        tokio::join!(accepting, look);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_option_that_is_refused_is_named() {
        // Linux takes up to 32767 seconds.
        let refused = listen(([127, 0, 0, 1], 0).into(), Duration::from_secs(32_768)).unwrap_err();
        assert!(refused.to_string().starts_with("TCP keep-alive is refused: "), "{refused}");
    }

    #[test]
    fn an_ipv6_site_counts_as_one() {
        let admission = Admission::new(9, 1, Duration::from_secs(1), Arc::default());
        let _first = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(admission.admit("2001:db8::2".parse().unwrap()).is_err());
        assert!(admission.admit("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
