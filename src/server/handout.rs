//! Hands the files for users of Windows out over plain HTTP, below `/setup`: whoever cannot do TLS
//! yet must be able to fetch them. Reads the authority anew for each request, so that one made
//! while the server runs is there at once.

mod place;

use crate::{
    config::Config,
    http1::{Ends, Request, Response, Service},
    net::tls::{CA_NAME, CERTIFICATES_FOLDER, PairFiles, TlsError, inspect::Certificate},
    setup::{self, Authority, CA_CERTIFICATE, Facts, INDEX, PATH, SERVICE_NAMES},
};
use async_trait::async_trait;
use place::Place;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

const NO_AUTHORITY: &str = "This server has no certificate authority of its own yet, so there is \
     nothing to install. If you run it: msnd cert init makes one, and this page is complete at once.";
const UNREADABLE: &str = "The certificate authority of this server cannot be read. If you run it: \
     its log says why.";
const NO_PLACE: &str = "This server does not know the address at which you reach it, and a wrong one \
     in your hosts file would lock you out. If you run it: set the option notification.advertised \
     to that address, or to a name that has it.";
const NO_NAME: &str = "This server was called by a name, or has certificates, of which old Windows \
     can make nothing. If you run it: its log says why, at level debug.";
const NO_FILE: &str = "There is no such file here.";

/// The handout.
pub(super) struct Handout {
    data: PathBuf,
    place: Place,
}

impl Handout {
    /// `in_container`: the addresses at which clients seem to reach us may be ours alone.
    pub(super) fn new(config: &Config, in_container: bool) -> Self {
        Self { data: config.data.dir.clone(), place: Place::new(config, in_container) }
    }

    /// Whether a request is for the handout.
    pub(super) fn is_for(request: &Request) -> bool {
        request.path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    async fn authority(&self) -> Result<Authority, &'static str> {
        let data = self.data.clone();
        match spawn_blocking(move || authority(&data)).await {
            Ok(Ok(found)) => found.ok_or(NO_AUTHORITY),
            Ok(Err(error)) => {
                tracing::warn!("the certificate authority cannot be handed out: {error}");
                Err(UNREADABLE)
            }
            Err(_) => Err(UNREADABLE),
        }
    }

    /// What this client is told.
    async fn facts(
        &self,
        request: &Request,
        ends: Ends,
        ca: Authority,
    ) -> Result<Facts, &'static str> {
        let called = request.host.as_deref();
        let address = self.place.seen_by(called, ends.local.ip()).await.ok_or(NO_PLACE)?;
        // Under a redirected name everybody is called the same.
        let is_own =
            |host: &&str| !SERVICE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(host));
        let host = called.filter(is_own).map_or_else(|| address.to_string(), str::to_owned);
        Facts::new(address, &host, &[], ca).map_err(|why| {
            tracing::debug!("no handout: {why}");
            NO_NAME
        })
    }

    /// The file of that name, or why there is none.
    async fn item(
        &self,
        name: &str,
        request: &Request,
        ends: Ends,
    ) -> Result<Response, &'static str> {
        let ca = self.authority().await?;
        let certificate = (name == CA_CERTIFICATE).then(|| setup::certificate(&ca));
        let item = match certificate {
            // Whatever else is unknown, it is the same for everybody.
            Some(item) => item,
            None => {
                let items = setup::bundle(&self.facts(request, ends, ca).await?);
                items.into_iter().find(|item| item.name == name).ok_or(NO_FILE)?
            }
        };
        Ok(Response::of_type("200 OK", item.content_type).body(item.bytes))
    }
}

#[async_trait]
impl Service for Handout {
    fn body_bytes_max(&self, _: &Request) -> Option<usize> {
        None
    }

    async fn answer(&self, request: Request, _: Zeroizing<Vec<u8>>, ends: Ends) -> Response {
        let Some(name) = request.path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/'))
        else {
            // The links on the index are relative to the folder.
            return Response::new("302 Found").header("Location", &format!("{PATH}/"));
        };
        let name = if name.is_empty() { INDEX } else { name };
        self.item(name, &request, ends).await.unwrap_or_else(|why| {
            // Internet Explorer shows a page of its own in place of one that is not found.
            let status = if name == INDEX { "200 OK" } else { "404 Not Found" };
            Response::new(status).body(format!("<HTML><BODY><P>{why}</P></BODY></HTML>\r\n"))
        })
    }
}

/// The authority that `msnd cert init` made in a data folder, if it did.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn authority(data: &Path) -> Result<Option<Authority>, TlsError> {
    let file = PairFiles::named(&data.join(CERTIFICATES_FOLDER), CA_NAME).certificate;
    let certificate = match Certificate::from_file(&file) {
        Err(TlsError::Read { error, .. }) if error.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        certificate => certificate?,
    };
    let facts = certificate.facts()?;
    let name = facts.subject.rsplit_once("CN=").map_or("", |(_, name)| name).to_owned();
    let der = certificate.to_der()?;
    Ok(Some(Authority { der, name, sha1: facts.sha1, sha256: facts.sha256 }))
}
