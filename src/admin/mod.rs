//! What operators and their programs ask of a running server: who is online and who talks, end a
//! session, tell people something, health, metrics. HTTP with JSON on a Unix socket and, if wanted,
//! on TCP.
//!
//! An endpoint is one file in `endpoints/`, one row in [`ENDPOINTS`] and its place in
//! `openapi.json`. Knows no wire form of MSNP and no role.

mod endpoints;
mod problem;
mod request;
mod serve;
mod socket;
mod token;

pub use endpoints::announcements::MINUTES_MAX;
pub use problem::Problem;
pub use request::PAGE_MAX;
pub use serve::{CONNECTIONS_MAX, serve_tcp, serve_unix};
pub use socket::{Socket, SocketError};
pub use token::{TOKEN_CHARS_MIN, Token, TokenError};

use crate::{
    alert::Alerts,
    hub::Hub,
    metrics::Metrics,
    model::subnet::Subnet,
    net::{listener::Admission, refusals::Refusals, tls::TlsServer},
    store::Store,
    switchboard::rooms::Rooms,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use endpoints::{
    alerts, announcements, health, mail, mailbox, metrics, online, openapi, rooms, sessions, status,
};
use serve::Peer;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The document that describes all endpoints (OpenAPI 3.1, JSON).
pub const OPENAPI: &str = include_str!("openapi.json");
/// Bytes of a request's body. The longest alert fits, also with every character written as `\u…`.
pub const BODY_BYTES_MAX: usize = 48 * 1024;

/// What the endpoints work on.
#[derive(Debug)]
pub struct Admin {
    /// Who is online.
    pub hub: Hub,
    /// Accounts, for readiness.
    pub store: Arc<dyn Store>,
    /// What people can be told.
    pub alerts: Alerts,
    /// The language of alerts that name none (LCID).
    pub lang: u16,
    /// Conversations, if the switchboard role runs.
    pub rooms: Option<Rooms>,
    /// The certificates, if there are any.
    pub tls: Option<Arc<TlsServer>>,
    /// All numbers.
    pub metrics: Arc<Metrics>,
    /// Connections held.
    pub admission: Arc<Admission>,
    /// Proxies whose connections over TCP begin with a PROXY header.
    pub proxies: Arc<[Subnet]>,
    /// Cancelled when nobody is let in any more.
    pub closing: CancellationToken,
    /// When the server started.
    pub started: Instant,
    /// How long a request may take, from its head to its answer; and before that the head itself.
    pub patience: Duration,
}

/// Who may use an endpoint over TCP. On the Unix socket everybody may who can open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches it: health only.
    Open,
    /// Whoever has the token.
    Token,
}

/// One row of the route table.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it over TCP.
    pub access: Access,
    route: fn() -> MethodRouter<Arc<Admin>>,
}

impl Endpoint {
    const fn new(
        method: &'static str,
        path: &'static str,
        access: Access,
        route: fn() -> MethodRouter<Arc<Admin>>,
    ) -> Self {
        Self { method, path, access, route }
    }
}

/// Every endpoint, each once.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::new("GET", "/healthz", Access::Open, || get(health::alive)),
    Endpoint::new("GET", "/readyz", Access::Open, || get(health::ready)),
    Endpoint::new("GET", "/metrics", Access::Token, || get(metrics::handle)),
    Endpoint::new("GET", "/api/v1/openapi.json", Access::Token, || get(openapi::handle)),
    Endpoint::new("GET", "/api/v1/status", Access::Token, || get(status::handle)),
    Endpoint::new("GET", "/api/v1/sessions", Access::Token, || get(sessions::list)),
    Endpoint::new("GET", "/api/v1/users/online", Access::Token, || get(online::handle)),
    Endpoint::new("DELETE", "/api/v1/users/{address}/sessions", Access::Token, || {
        delete(sessions::end)
    }),
    Endpoint::new("POST", "/api/v1/users/{address}/alerts", Access::Token, || post(alerts::to_one)),
    Endpoint::new("POST", "/api/v1/alerts", Access::Token, || post(alerts::to_all)),
    Endpoint::new("POST", "/api/v1/users/{address}/mail", Access::Token, || post(mail::arrived)),
    Endpoint::new("POST", "/api/v1/users/{address}/mail/moves", Access::Token, || {
        post(mail::moved)
    }),
    Endpoint::new("PUT", "/api/v1/users/{address}/mailbox", Access::Token, || put(mailbox::give)),
    Endpoint::new("DELETE", "/api/v1/users/{address}/mailbox", Access::Token, || {
        delete(mailbox::take)
    }),
    Endpoint::new("GET", "/api/v1/rooms", Access::Token, || get(rooms::handle)),
    Endpoint::new("POST", "/api/v1/announcements", Access::Token, || post(announcements::handle)),
];

/// All endpoints. With a `token` those that are not open ask for it.
pub fn router(admin: Arc<Admin>, token: Option<Token>) -> Router {
    let patience = admin.patience;
    let guard = token.map(|token| {
        Arc::new(Guard { token, metrics: admin.metrics.clone(), refusals: Refusals::default() })
    });
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let mut route = (endpoint.route)();
        if let (Some(guard), Access::Token) = (&guard, endpoint.access) {
            route = route.route_layer(middleware::from_fn_with_state(guard.clone(), authorize));
        }
        router = router.route(endpoint.path, route);
    }
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the path exists, but not for this method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            timeout(patience, next.run(request)).await.unwrap_or_else(|_| {
                Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long")
                    .into_response()
            })
        }))
        .with_state(admin)
}

/// Stands before what wants a token.
struct Guard {
    token: Token,
    metrics: Arc<Metrics>,
    refusals: Refusals,
}

async fn authorize(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION);
    if presented.is_some_and(|value| guard.token.is_presented(value.as_bytes())) {
        return next.run(request).await;
    }
    guard.metrics.admin_refused();
    if let Some(left_out) = guard.refusals.count(Instant::now()) {
        let address =
            request.extensions().get().map(|Peer(address)| tracing::field::display(address));
        let reason = if presented.is_some() { "wrong_token" } else { "no_token" };
        tracing::warn!(address, reason, left_out, "admin request refused");
    }
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "send the token of admin.token_file as `Authorization: Bearer TOKEN`",
    );
    ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
}
