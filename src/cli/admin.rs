//! How commands ask the running server: over the socket that the options name, or over HTTP with a
//! token. Knows no endpoint.

use super::{ConfigArgs, Failure};
use crate::{admin::Token, config::Config, model::Address};
use anyhow::{Context as _, anyhow};
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, Uri, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// How long one question may take in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer we read, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Which server to ask.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Which server")]
pub(super) struct AdminArgs {
    /// Ask the server at this address (`http://127.0.0.1:1869`, or `unix:` and the path of a
    /// socket); without it, at the socket that the options name
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    url: Option<Place>,
    /// File with the token for http; without it, the one that admin.token_file names
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// `host:port`
    Http(String),
    Socket(PathBuf),
}

/// A server that can be asked.
pub(super) struct Server {
    place: Place,
    token: Option<Token>,
}

impl Place {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Socket(path.into()));
        }
        let form = "write it like http://127.0.0.1:1869";
        let uri: Uri = text.parse().map_err(|_| form.to_owned())?;
        if uri.scheme_str() == Some("https") {
            return Err(format!("the admin API has no TLS; {form}, through a tunnel"));
        }
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        match (uri.scheme_str(), uri.host(), is_bare) {
            (Some("http"), Some(host), true) => {
                Ok(Self::Http(format!("{host}:{}", uri.port_u16().unwrap_or(80))))
            }
            _ => Err(form.into()),
        }
    }
}

impl AdminArgs {
    /// The server these flags and the options name.
    pub(super) fn server(&self) -> Result<Server, Failure> {
        let config = self.config.load()?.config;
        let place = match &self.url {
            Some(place) => place.clone(),
            None => Place::Socket(configured(&config)?),
        };
        let token = match &place {
            Place::Socket(_) => None,
            Place::Http(_) => {
                let path = self.token_file.as_ref().unwrap_or(&config.admin.token_file);
                if path.as_os_str().is_empty() {
                    let remedy = "name the file with the server's token: --token-file FILE";
                    return Err(anyhow!("a server asked by --url wants a token; {remedy}").into());
                }
                Some(Token::read(path).map_err(Failure::AdminToken)?)
            }
        };
        Ok(Server { place, token })
    }
}

fn configured(config: &Config) -> Result<PathBuf, Failure> {
    Ok(config.admin_socket().context(
        "admin.socket is empty, so the server has no socket; name its address with --url, or give \
         it a socket",
    )?)
}

impl Server {
    /// Asks for a list that comes in pages, and gathers what is under `key`.
    pub(super) async fn list(&self, path: &str, key: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page = self.ask(Method::GET, &format!("{path}?after={after}"), None).await?;
            all.extend(page[key].as_array().into_iter().flatten().cloned());
            match page["next"].as_u64() {
                Some(next) if next > after => after = next,
                _ => return Ok(all),
            }
        }
    }

    /// Sends one request; a problem is a failure with its detail.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = Request::builder().method(method).uri(path);
        let host = match &self.place {
            Place::Http(host) => host,
            Place::Socket(_) => "localhost",
        };
        request = request.header(header::HOST, host);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.authorization().as_str());
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        let request = request.body(body).context("the request cannot be written")?;
        let answer = timeout(PATIENCE, self.send(request)).await;
        let (status, body) = answer.with_context(|| format!("no answer within {PATIENCE:?}"))??;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, answer) {
            (status, Some(answer)) if status.is_success() => Ok(answer),
            (StatusCode::UNAUTHORIZED, _) => Err(anyhow!(
                "the server wants another token; --token-file must name a copy of the file that \
                 its admin.token_file names"
            )
            .into()),
            (_, Some(problem)) if problem["detail"].is_string() => {
                Err(anyhow!("{}", problem["detail"].as_str().unwrap_or_default()).into())
            }
            (status, _) => {
                Err(anyhow!("the answer ({status}) is none of an msnd admin API").into())
            }
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, Vec<u8>), Failure> {
        match &self.place {
            Place::Http(host) => {
                let stream = TcpStream::connect(host).await;
                let stream = stream.with_context(|| format!("cannot reach http://{host}"))?;
                exchange(stream, request).await
            }
            Place::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => exchange(stream, request).await,
                Err(error) => Err(unreachable(path, error)),
            },
        }
    }
}

/// The path of something that belongs to `user`.
pub(super) fn of_user(user: &Address, what: &str) -> String {
    let mut path = "/api/v1/users/".to_owned();
    for byte in user.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            path.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path + "/" + what
}

async fn exchange<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    request: Request<Body>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.context("cannot speak HTTP")?;
    let exchange = async {
        let response = sender.send_request(request).await.context("no answer came")?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES_MAX).await;
        drop(sender);
        anyhow::Ok((status, body.context("the answer broke off")?.to_vec()))
    };
    // The connection moves the bytes; how it ends is told by the exchange.
    let (answer, _) = tokio::join!(exchange, connection);
    Ok(answer?)
}

/// What to do if nobody answers at a socket.
fn unreachable(path: &Path, error: io::Error) -> Failure {
    let socket = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow!(
            "no server answers at {socket}; start one with `msnd run`, or name its data folder \
             with --data-dir or MSND_DATA_DIR"
        )
        .into(),
        ErrorKind::PermissionDenied => anyhow!(
            "only the user that runs the server may open {socket}; run this command as that user, \
             or use --url with a token"
        )
        .into(),
        _ => anyhow::Error::new(error).context(format!("cannot open {socket}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_address_leaves_its_segment() {
        let user = Address::parse("a/../b?c#d@example.test").unwrap();
        let path = of_user(&user, "mail");
        assert_eq!(path, "/api/v1/users/a%2F..%2Fb%3Fc%23d@example.test/mail");
    }

    #[test]
    fn addresses_of_servers_are_plain() {
        for (text, place) in [
            ("http://127.0.0.1:1869", Some(Place::Http("127.0.0.1:1869".into()))),
            ("http://[::1]:1869/", Some(Place::Http("[::1]:1869".into()))),
            ("http://admin.example.test", Some(Place::Http("admin.example.test:80".into()))),
            ("unix:/run/msnd/admin.socket", Some(Place::Socket("/run/msnd/admin.socket".into()))),
            ("https://127.0.0.1:1869", None),
            ("http://127.0.0.1:1869/api", None),
            ("127.0.0.1:1869", None),
            ("", None),
        ] {
            assert_eq!(Place::parse(text).ok(), place, "{text}");
        }
    }
}
