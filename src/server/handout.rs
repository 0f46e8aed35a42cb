//! Hands the files for users of Windows out over plain HTTP, below `/setup`: whoever cannot do TLS
//! yet must be able to fetch them. Reads the authority anew for each request, so that one made
//! while the server runs is there at once.

use crate::{
    config::Config,
    http1::{Ends, Request, Response, Service},
    net::tls::{CA_NAME, CERTIFICATES_FOLDER, PairFiles, TlsError, inspect::Certificate},
    setup::{self, Authority, Facts, INDEX, PATH, SERVICE_NAMES},
};
use async_trait::async_trait;
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The handout.
pub(super) struct Handout {
    data: PathBuf,
    /// Where clients reach us, if the options say so as an address.
    advertised: Option<Ipv4Addr>,
}

impl Handout {
    pub(super) fn new(config: &Config) -> Self {
        let advertised = [&config.dispatch.advertised, &config.notification.advertised];
        let address = |text: &&String| text.split(':').next()?.parse().ok();
        let advertised = advertised.iter().find_map(address);
        Self { data: config.data.dir.clone(), advertised }
    }

    /// Whether a request is for the handout.
    pub(super) fn is_for(request: &Request) -> bool {
        request.path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What this client is told: a hosts file takes an address, and that at which it reached us is
    /// right unless the options know better.
    fn facts(&self, request: &Request, ends: Ends) -> Option<Facts> {
        let ca = match authority(&self.data) {
            Ok(ca) => ca?,
            Err(error) => {
                tracing::warn!("the certificate authority cannot be handed out: {error}");
                return None;
            }
        };
        let called = request.host.as_deref();
        let reached = match ends.local.ip().to_canonical() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let named = called.and_then(|host| host.parse().ok());
        let address = self.advertised.or(named).or(reached)?;
        // Under a redirected name everybody is called the same.
        let is_own = |host: &&str| !SERVICE_NAMES.contains(host);
        let host = called.filter(is_own).map_or_else(|| address.to_string(), str::to_owned);
        Facts::new(address, &host, &[], ca)
            .inspect_err(|why| tracing::debug!("no handout: {why}"))
            .ok()
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
        let items = self.facts(&request, ends).map(|facts| setup::bundle(&facts));
        match items.into_iter().flatten().find(|item| item.name == name) {
            Some(item) => Response::of_type("200 OK", item.content_type).body(item.bytes),
            None => Response::new("404 Not Found")
                .body("<HTML><BODY>There is no such file here.</BODY></HTML>\r\n"),
        }
    }
}

/// The authority that `msnd cert init` made in a data folder, if it did.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn authority(data: &Path) -> Result<Option<Authority>, TlsError> {
    let file = PairFiles::named(&data.join(CERTIFICATES_FOLDER), CA_NAME).certificate;
    let certificate = match Certificate::from_file(&file) {
        Err(TlsError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        certificate => certificate?,
    };
    let facts = certificate.facts()?;
    let name = facts.subject.rsplit_once("CN=").map_or("", |(_, name)| name).to_owned();
    let der = certificate.to_der()?;
    Ok(Some(Authority { der, name, sha1: facts.sha1, sha256: facts.sha256 }))
}
