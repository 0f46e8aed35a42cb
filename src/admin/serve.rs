//! Accepts admin connections and serves one request on each, within limits: so many at a time, so
//! much of a head, so long for everything. Knows no endpoint.

use super::{Admin, Socket, Token, router};
use crate::{
    model::subnet::Subnet,
    net::proxy::{self, Told},
};
use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{future::poll_fn, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections of one listener at a time; more wait in the kernel.
pub const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;
/// How long accepting rests when the system has no descriptors or memory left.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);
/// How long the peer may take to close its end after the answer.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// How long a request may go on when the server goes down.
const DRAIN_WAIT: Duration = Duration::from_millis(500);
/// Bytes that are read and thrown away then, so that the close does not destroy the answer.
const LEFTOVER_BYTES_MAX: usize = 128 * 1024;

/// Serves the Unix socket until `draining`, then removes it.
pub async fn serve_unix(
    admin: Arc<Admin>,
    socket: Socket,
    tasks: TaskTracker,
    draining: CancellationToken,
) {
    serve(&socket.listener, admin, None, tasks, draining).await;
}

/// Serves a TCP listener until `draining`.
pub async fn serve_tcp(
    admin: Arc<Admin>,
    listener: TcpListener,
    token: Token,
    tasks: TaskTracker,
    draining: CancellationToken,
) {
    serve(&listener, admin, Some(token), tasks, draining).await;
}

/// Where a request comes from, if it came over TCP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What connections come from.
trait Listen {
    type Io: Greet;

    async fn next(&self) -> io::Result<(Self::Io, Option<Peer>)>;
}

/// A connection, and how to learn who is at its other end.
trait Greet: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Takes the PROXY header of a connection that comes through one of our `proxies`.
    fn greet(
        &mut self,
        peer: Option<Peer>,
        proxies: &[Subnet],
    ) -> impl Future<Output = io::Result<Option<Peer>>> + Send;
}

impl Greet for UnixStream {
    async fn greet(&mut self, peer: Option<Peer>, _: &[Subnet]) -> io::Result<Option<Peer>> {
        Ok(peer)
    }
}

impl Greet for TcpStream {
    async fn greet(&mut self, peer: Option<Peer>, proxies: &[Subnet]) -> io::Result<Option<Peer>> {
        let through = |Peer(peer): &Peer| {
            proxies.iter().any(|range| range.contains(peer.ip().to_canonical()))
        };
        if !peer.as_ref().is_some_and(through) {
            return Ok(peer);
        }
        match proxy::read(self).await? {
            Told::Client { source, .. } => Ok(Some(Peer(source))),
            Told::Proxy => Ok(peer),
        }
    }
}

impl Listen for UnixListener {
    type Io = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Option<Peer>)> {
        Ok((self.accept().await?.0, None))
    }
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Option<Peer>)> {
        let (stream, address) = self.accept().await?;
        Ok((stream, Some(Peer(address))))
    }
}

async fn serve<L: Listen>(
    listener: &L,
    admin: Arc<Admin>,
    token: Option<Token>,
    tasks: TaskTracker,
    draining: CancellationToken,
) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let router = router(admin.clone(), token);
    loop {
        let next = async {
            let seat = seats.clone().acquire_owned().await;
            (seat, listener.next().await)
        };
        let (seat, io) = select! {
            () = draining.cancelled() => return,
            next = next => next,
        };
        match io {
            Ok((mut io, peer)) => {
                let held = (seat, admin.metrics.connection("admin"));
                let (admin, router, draining) = (admin.clone(), router.clone(), draining.clone());
                tasks.spawn(async move {
                    // A header that is none, and one that is late, end the connection.
                    let greeting = timeout(admin.patience, io.greet(peer, &admin.proxies));
                    let greeted = select! {
                        greeted = greeting => greeted,
                        () = draining.cancelled() => return,
                    };
                    if let Ok(Ok(peer)) = greeted {
                        connection(io, peer, router, admin.patience, draining).await;
                    }
                    drop(held);
                });
            }
            Err(error) => {
                tracing::debug!("cannot accept an admin connection: {error}");
                select! {
                    () = draining.cancelled() => return,
                    () = sleep(EXHAUSTED_WAIT) => {}
                }
            }
        }
    }
}

/// One request, one answer, the end. `patience` is the time for the head, for the answer, and for
/// taking it.
async fn connection<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: T,
    peer: Option<Peer>,
    router: Router,
    patience: Duration,
    draining: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        Box::pin(service.call(request))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(io), service);
    let served = timeout(3 * patience, poll_fn(|cx| connection.poll_without_shutdown(cx)));
    let drained = async {
        draining.cancelled().await;
        sleep(DRAIN_WAIT).await;
    };
    let is_served = select! {
        served = served => served.is_ok(),
        () = drained => false,
    };
    if is_served {
        let mut io = connection.into_parts().io.into_inner();
        // Running out of time only means that the peer keeps its end open.
        select! {
            _ = timeout(CLOSE_WAIT, close(&mut io)) => {}
            () = draining.cancelled() => {}
        }
    }
}

/// Says that nothing more comes, then waits for the peer to say so too.
async fn close<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    if io.shutdown().await.is_err() {
        return;
    }
    let mut leftover = [0; 4096];
    let mut taken = 0;
    while taken < LEFTOVER_BYTES_MAX {
        match io.read(&mut leftover).await {
            Ok(0) | Err(_) => return,
            Ok(count) => taken += count,
        }
    }
}
