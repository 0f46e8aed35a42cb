//! Certificates and a policy become what OpenSSL answers clients with. Knows no file.

use super::{Policy, TlsError, pair::Pair, rehearsal};
use openssl::{
    error::ErrorStack,
    provider::Provider,
    ssl::{
        NameType, SniError, SslAlert, SslContext, SslContextBuilder, SslMethod, SslMode,
        SslOptions, SslSessionCacheMode,
    },
};
use std::sync::OnceLock;

/// One context for clients without a server name, which changes to that of `modern` when a client
/// sends a name. Without `legacy` all get `modern`.
///
/// # Errors
/// OpenSSL refuses a certificate, or does not speak what `policy` promises.
pub(super) fn build(
    policy: Policy,
    modern: &Pair,
    legacy: Option<&Pair>,
) -> Result<SslContext, TlsError> {
    if policy.has_rc4() {
        load_legacy_provider()?;
    }
    let for_named = context(policy, modern)?.build();
    let context = match legacy {
        None => for_named,
        Some(legacy) => {
            let mut nameless = context(policy, legacy)?;
            nameless.set_servername_callback(move |ssl, alert| {
                if ssl.servername_raw(NameType::HOST_NAME).is_none() {
                    return Err(SniError::NOACK);
                }
                ssl.set_ssl_context(&for_named).map_err(|_| {
                    *alert = SslAlert::INTERNAL_ERROR;
                    SniError::ALERT_FATAL
                })
            });
            nameless.build()
        }
    };
    let is_rsa = legacy.unwrap_or(modern).is_rsa();
    for (version, cipher) in policy.promises() {
        if is_rsa {
            rehearsal::speaks(&context, version, cipher)?;
        } else if version == openssl::ssl::SslVersion::SSL3 {
            return Err(TlsError::NotRsa(legacy.unwrap_or(modern).origin.clone()));
        } else {
            rehearsal::knows(version, cipher)?;
        }
    }
    Ok(context)
}

fn context(policy: Policy, pair: &Pair) -> Result<SslContextBuilder, TlsError> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(policy.lowest()))?;
    // Before the certificate, which is measured by the level at the list's end.
    builder.set_cipher_list(policy.ciphers())?;
    let refused = |error| TlsError::Refused { origin: pair.origin.clone(), error };
    builder.set_certificate(pair.leaf()).map_err(refused)?;
    for issuer in pair.issuers() {
        builder.add_extra_chain_cert(issuer.clone())?;
    }
    builder.set_private_key(&pair.key).map_err(refused)?;
    builder.check_private_key()?;
    builder.set_mode(
        SslMode::AUTO_RETRY
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::RELEASE_BUFFERS,
    );
    // A client comes for one request: resuming a session would save it nothing and cost us a
    // cache, and keys that open recorded connections.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    // ALL are concessions to old clients, such as no empty fragments, at which Internet Explorer 6
    // stumbles. Left to itself that one would choose RC4 with MD5.
    builder.set_options(
        SslOptions::ALL
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_TICKET,
    );
    Ok(builder)
}

/// RC4 has moved to a part of OpenSSL that is not there unless asked for. It stays until the
/// process ends: connections may use it to the last, and unloading it at exit crashes.
fn load_legacy_provider() -> Result<(), ErrorStack> {
    static PROVIDERS: OnceLock<Result<[Provider; 2], ErrorStack>> = OnceLock::new();
    let load = || Ok([Provider::load(None, "legacy")?, Provider::load(None, "default")?]);
    PROVIDERS.get_or_init(load).as_ref().map(drop).map_err(Clone::clone)
}
