//! The nexus: tells clients where to sign in and where the web pages are. The form of its answer
//! is what all clients together can read, so every comma counts. Knows no account.

use crate::{config, http1::Response};
use std::net::{IpAddr, SocketAddr};

/// To be raised when the addresses below change: WinInet keeps its copy until then.
const CONFIG_VERSION: u32 = 3;

/// The names under which this service presents itself.
#[derive(Debug)]
pub(super) struct Site {
    login_host: Option<String>,
    site_url: Option<String>,
}

impl Site {
    /// Leaves out, with a warning, what would break the answer for everybody. Options that were
    /// checked hold nothing of the kind.
    pub(super) fn new(config: &config::Passport) -> Self {
        let login_host =
            Some(&*config.login_host).filter(|host| !host.is_empty()).and_then(|host| {
                let unusable = |why| tracing::warn!("passport.login_host is not used: {why}");
                config::login_host(host).map_err(unusable).ok().map(|()| host.to_owned())
            });
        let site_url = Some(&*config.site_url).filter(|url| !url.is_empty()).and_then(|url| {
            let unusable = |why| tracing::warn!("passport.site_url is not used: {why}");
            config::site_url(url).map_err(unusable).ok().map(str::to_owned)
        });
        Self { login_host, site_url }
    }

    /// The login host for a client which called us `asked` and reached us at `local`.
    pub(super) fn login_host(&self, asked: Option<&str>, local: SocketAddr) -> String {
        match (&self.login_host, asked) {
            (Some(host), _) => host.clone(),
            (None, Some(asked)) => asked.to_owned(),
            (None, None) => match local.ip().to_canonical() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            },
        }
    }

    /// Where the web pages are, without a slash at the end.
    pub(super) fn url(&self, login_host: &str) -> String {
        self.site_url.clone().unwrap_or_else(|| format!("http://{login_host}"))
    }
}

/// The answer for everybody: the exact header name, no scheme and no port in `DALogin`, a comma
/// behind it, no spaces.
pub(super) fn answer(site: &Site, login_host: &str) -> Response {
    let url = site.url(login_host);
    let urls = format!(
        "DARealm=Passport.Net,DALogin={login_host}/login2.srf,DAReg={url}/register,\
         Properties={url}/account,Privacy={url}/privacy,GeneralRedir={url}/redir,\
         Help={url}/help,ConfigVersion={CONFIG_VERSION}"
    );
    Response::new("200 OK").header("Cache-Control", "private").header("PassportURLs", &urls)
}

/// COMPAT(executables patched for another server, msnpjs, msnp11-sdk): one field, with a scheme,
/// under both spellings of the name.
pub(super) fn answer_with_scheme(login_host: &str) -> Response {
    let urls = format!("DALogin=https://{login_host}/login2.srf");
    Response::new("200 OK")
        .header("Cache-Control", "private")
        .header("PassportURLs", &urls)
        .header("Passporturls", &urls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::SITE_URL_BYTES_MAX, http1};

    fn site(login_host: &str, site_url: &str) -> Site {
        Site::new(&config::Passport {
            login_host: login_host.into(),
            site_url: site_url.into(),
            ..config::Passport::default()
        })
    }

    fn text(response: Response) -> String {
        String::from_utf8(response.finish().to_vec()).unwrap()
    }

    #[test]
    fn the_answer_is_the_documented_one() {
        let site = site("login.example.net", "http://www.example.net/");
        assert_eq!(
            text(answer(&site, "login.example.net")),
            "HTTP/1.1 200 OK\r\n\
             Content-Type: text/html\r\n\
             Cache-Control: private\r\n\
             PassportURLs: DARealm=Passport.Net,DALogin=login.example.net/login2.srf,\
             DAReg=http://www.example.net/register,Properties=http://www.example.net/account,\
             Privacy=http://www.example.net/privacy,GeneralRedir=http://www.example.net/redir,\
             Help=http://www.example.net/help,ConfigVersion=3\r\n\
             Content-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn the_other_answer_has_one_field_under_two_names() {
        let text = text(answer_with_scheme("login.example.net"));
        assert!(
            text.contains("\r\nPassportURLs: DALogin=https://login.example.net/login2.srf\r\n")
        );
        assert!(
            text.contains("\r\nPassporturls: DALogin=https://login.example.net/login2.srf\r\n")
        );
    }

    #[test]
    fn the_login_host_is_configured_or_asked_for_or_where_we_are() {
        let here = "192.0.2.7:443".parse().unwrap();
        let named = site("login.example.net", "");
        assert_eq!(named.login_host(Some("nexus.example.net"), here), "login.example.net");
        let unnamed = site("", "");
        assert_eq!(unnamed.login_host(Some("nexus.example.net"), here), "nexus.example.net");
        assert_eq!(unnamed.login_host(None, here), "192.0.2.7");
        let mapped = "[::ffff:192.0.2.7]:443".parse().unwrap();
        assert_eq!(unnamed.login_host(None, mapped), "192.0.2.7");
        assert_eq!(unnamed.url("a.test"), "http://a.test");
    }

    #[test]
    fn unusable_configuration_is_left_out() {
        for bad in ["a b", "a,b", "https://a.test", "a.test:443", "a'b", "a\r\nb"] {
            let local = "192.0.2.7:443".parse().unwrap();
            assert_eq!(site(bad, "").login_host(None, local), "192.0.2.7", "{bad}");
        }
        for bad in ["ftp://a.test", "http://a b", "http://a'b", "http://a,b", "http://a\r\nX: y"] {
            assert_eq!(site("", bad).url("a.test"), "http://a.test", "{bad}");
        }
        let long = format!("http://{}", "x".repeat(SITE_URL_BYTES_MAX));
        assert_eq!(site("", &long).url("a.test"), "http://a.test");
    }

    #[test]
    fn the_longest_answer_fits_one_read_of_2000_bytes() {
        assert_eq!(http1::HOST_BYTES_MAX, config::LOGIN_HOST_BYTES_MAX);
        let host = "x".repeat(http1::HOST_BYTES_MAX);
        let url = format!("http://{}", "y".repeat(SITE_URL_BYTES_MAX - 7));
        assert!(text(answer(&site("", ""), &host)).len() < 2000);
        let both = text(answer(&site("", &url), &host));
        assert!(both.contains(&url) && both.len() < 2000, "{}", both.len());
    }
}
