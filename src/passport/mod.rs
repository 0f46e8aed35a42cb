//! Passport sign-in over HTTP and HTTPS: the nexus says where, the login host gives a ticket for a
//! password. Knows neither sockets nor TLS, only streams; tickets are spent elsewhere.

mod http1;
mod login;
mod nexus;

use crate::{
    account::{Accounts, AuthError},
    config,
    hub::ticket::Tickets,
    metrics::Metrics,
};
use http1::{ReadError, Response};
use login::Credentials;
use nexus::Site;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    select,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How long the peer may take to close its end after the answer.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Bytes accepted from the peer after its request (a body nobody wants) before we hang up on it.
const LEFTOVER_BYTES_MAX: usize = 64 * 1024;

/// The whole service: nexus, login host, and an empty page for everything else.
#[derive(Debug)]
pub struct Passport {
    site: Site,
    accounts: Arc<Accounts>,
    tickets: Arc<Tickets>,
    metrics: Arc<Metrics>,
}

/// The role in metrics.
const NAME: &str = "passport";

impl Passport {
    /// Takes the names to present from `config`; what is unusable among them is left out with a
    /// warning.
    #[must_use]
    pub fn new(config: &config::Passport, accounts: Arc<Accounts>, tickets: Arc<Tickets>) -> Self {
        Self { site: Site::new(config), accounts, tickets, metrics: Arc::default() }
    }

    /// The same, counting sign-ins in `metrics`.
    #[must_use]
    pub fn measured(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Serves exactly one request of a connection and closes it: `io`'s write side is shut down
    /// behind the answer, then the peer gets 2 seconds for its end.
    ///
    /// `deadline` is the time for the request to arrive, and again for the answer to leave; who
    /// misses it gets nothing. `peer` is whom failures are counted for, `local` the address at
    /// which the client reached us. Dropping the future closes the connection at once.
    ///
    /// After `draining` nobody is waited for any more; a request that has arrived is still
    /// answered.
    pub async fn serve<T>(
        &self,
        mut io: T,
        peer: SocketAddr,
        local: SocketAddr,
        deadline: Duration,
        draining: &CancellationToken,
    ) where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let request = select! {
            // What has arrived is answered.
            biased;
            request = timeout(deadline, http1::read(&mut io)) => request,
            () = draining.cancelled() => return,
        };
        let answer = match request {
            Ok(Ok(head)) => self.answer(head, peer, local).await,
            Ok(Err(ReadError::TooLarge)) => {
                tracing::debug!(address = %peer, "passport request too large");
                bad_request()
            }
            Ok(Err(ReadError::Gone)) => return,
            Err(_) => {
                tracing::debug!(address = %peer, "passport request not complete in time");
                return;
            }
        };
        let answer = answer.finish();
        let sent = timeout(deadline, async {
            io.write_all(&answer).await?;
            io.flush().await
        });
        if matches!(sent.await, Ok(Ok(()))) {
            // Running out of time here only means that the peer keeps its end open.
            select! {
                _ = timeout(CLOSE_WAIT, close(&mut io)) => {}
                () = draining.cancelled() => {}
            }
        }
    }

    async fn answer(
        &self,
        mut head: Zeroizing<Vec<u8>>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Response {
        let Ok(request) = http1::parse(&mut head) else {
            tracing::debug!(address = %peer, "passport request malformed");
            return bad_request();
        };
        let host = self.site.login_host(request.host, local);
        match request.path.as_str() {
            "/rdr/pprdr.asp" => nexus::answer(&self.site, &host),
            "/nexus-mock" | "/n" => nexus::answer_with_scheme(&host),
            path if path.ends_with(".srf") => {
                let credentials = request.authorization.and_then(login::parse).unwrap_or_default();
                // Nothing of the password but its readings outlives the parsing.
                drop(head);
                self.login(credentials, peer, &host).await
            }
            // Later clients try whether the host is there at all.
            _ => Response::new("200 OK"),
        }
    }

    async fn login(&self, credentials: Credentials, peer: SocketAddr, host: &str) -> Response {
        let Credentials { address, candidates } = credentials;
        let user = address.as_ref().map_or("-", |address| address.as_str());
        match self.accounts.authenticate(address.as_ref(), candidates, peer.ip()).await {
            Ok(account) => {
                tracing::info!(user, address = %peer, "passport ticket issued");
                self.metrics.signed_in(NAME);
                let ticket =
                    self.tickets.issue(account.id, &account.address, account.credential_epoch);
                login::success(&Zeroizing::new(ticket))
            }
            Err(error) => {
                self.metrics.sign_in_refused(NAME, error.label());
                match error {
                    AuthError::Throttled | AuthError::Busy => {
                        tracing::warn!(user, address = %peer, reason = %error, "passport sign-in refused");
                    }
                    AuthError::Refused | AuthError::Disabled | AuthError::Unavailable => {
                        tracing::info!(user, address = %peer, reason = %error, "passport sign-in refused");
                    }
                }
                login::failure(error, &self.site.url(host))
            }
        }
    }
}

fn bad_request() -> Response {
    Response::new("400 Bad Request")
}

/// Says that nothing more comes, then waits for the peer to say so too: closing with unread bytes
/// would reset the connection and could take the answer away from the client.
async fn close<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    if io.shutdown().await.is_err() {
        return;
    }
    let mut leftover = Zeroizing::new([0; 512]);
    let mut taken = 0;
    while taken < LEFTOVER_BYTES_MAX {
        match io.read(&mut *leftover).await {
            Ok(0) | Err(_) => return,
            Ok(count) => taken += count,
        }
    }
}
