//! Passport sign-in over HTTP and HTTPS: the nexus says where, the login host gives a ticket for a
//! password. Knows neither sockets nor TLS, only streams; tickets are spent elsewhere.

mod login;
mod nexus;

use crate::{
    account::{Accounts, AuthError},
    config,
    http1::{self, Ends, Request, Response, Service},
    hub::ticket::Tickets,
    metrics::Metrics,
};
use async_trait::async_trait;
use login::Credentials;
use nexus::Site;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

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

    /// Whether a request is for this service, where another shares the listener.
    #[must_use]
    pub fn is_for(request: &Request) -> bool {
        let path = request.path.as_str();
        matches!(path, "/rdr/pprdr.asp" | "/nexus-mock" | "/n") || path.ends_with(".srf")
    }

    /// Serves exactly one request of a connection and closes it, as [`http1::serve`] does.
    ///
    /// `peer` is whom failures are counted for, `local` the address at which the client reached us.
    pub async fn serve<T>(
        &self,
        io: T,
        peer: SocketAddr,
        local: SocketAddr,
        deadline: Duration,
        draining: &CancellationToken,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        http1::serve(io, self, Ends { peer, local }, deadline, draining).await;
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

#[async_trait]
impl Service for Passport {
    fn body_bytes_max(&self, _: &Request) -> Option<usize> {
        None
    }

    async fn answer(&self, request: Request, _: Zeroizing<Vec<u8>>, ends: Ends) -> Response {
        let host = self.site.login_host(request.host.as_deref(), ends.local);
        match request.path.as_str() {
            "/rdr/pprdr.asp" => nexus::answer(&self.site, &host),
            "/nexus-mock" | "/n" => nexus::answer_with_scheme(&host),
            path if path.ends_with(".srf") => {
                let authorization = request.header("authorization");
                let credentials = authorization.and_then(login::parse).unwrap_or_default();
                // Nothing of the password but its readings outlives the parsing.
                drop(request);
                self.login(credentials, ends.peer, &host).await
            }
            // Later clients try whether the host is there at all.
            _ => Response::new("200 OK"),
        }
    }
}
