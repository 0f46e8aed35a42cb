//! `msnd cert show`: what the certificates say, and an exit code for those who watch them.

use super::super::{Failure, output};
use crate::{
    config::Config,
    net::tls::{
        CA_NAME, CERTIFICATE_FILE, CERTIFICATES_FOLDER, LEGACY_CERTIFICATE_FILE, LEGACY_NAME,
        MODERN_NAME, PairFiles,
        inspect::{Certificate, Facts},
    },
};
use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// A certificate file and what is in it.
struct Shown {
    file: PathBuf,
    facts: Facts,
    days_left: i64,
}

/// Does it.
pub(in crate::cli) fn run(config: &Config, json: bool, warn_days: i64) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut shown = Vec::new();
    for file in files(config) {
        let certificate = Certificate::from_file(&file).map_err(anyhow::Error::new)?;
        let facts = certificate.facts().with_context(|| file.display().to_string())?;
        shown.push(Shown { days_left: facts.days_left(now), file, facts });
    }
    if shown.is_empty() {
        return Err(anyhow!(
            "there is no certificate in {} yet; `msnd cert init` makes some, and so does the first \
             start of the server",
            config.data.dir.display()
        )
        .into());
    }
    if json {
        let all: Vec<Value> = shown.iter().map(as_json).collect();
        output::print_json(&Value::Array(all))?;
    } else {
        let all: Vec<String> = shown.iter().map(as_text).collect();
        output::print(&all.join("\n"))?;
    }
    let ending: Vec<String> =
        shown.iter().filter(|one| one.days_left < warn_days).map(ending).collect();
    if ending.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{}; `msnd cert renew` makes new ones from an authority", ending.join(", ")).into())
}

/// All there are: configured ones, those of the authority, self-signed ones.
fn files(config: &Config) -> Vec<PathBuf> {
    let passport = &config.passport;
    let configured = [&passport.certificate_file, &passport.legacy_certificate_file];
    let configured = configured.into_iter().filter(|file| !file.as_os_str().is_empty()).cloned();
    let folder = config.data.dir.join(CERTIFICATES_FOLDER);
    let issued = [CA_NAME, LEGACY_NAME, MODERN_NAME];
    let issued = issued.map(|name| PairFiles::named(&folder, name).certificate);
    let self_signed = [CERTIFICATE_FILE, LEGACY_CERTIFICATE_FILE];
    let self_signed = self_signed.map(|file| config.data.dir.join(file));
    let there = issued.into_iter().chain(self_signed).filter(|file| file.exists());
    configured.chain(there).collect()
}

fn as_text(one: &Shown) -> String {
    let Shown { file, facts, days_left } = one;
    let mut text = format!("{}\n", file.display());
    let names = facts.names().all();
    for (label, value) in [
        ("subject", facts.subject.clone()),
        ("issuer", facts.issuer.clone()),
        ("names", if names.is_empty() { "none".into() } else { names.join(" ") }),
        ("signature", facts.signature.clone()),
        ("key", facts.key.clone()),
        ("SHA-1", facts.sha1.clone()),
        ("SHA-256", facts.sha256.clone()),
        ("valid from", output::utc(facts.from_secs)),
        ("valid until", format!("{} ({days_left} days left)", output::utc(facts.until_secs))),
    ] {
        text += &format!("  {label:<12}{value}\n");
    }
    text
}

fn as_json(one: &Shown) -> Value {
    let Shown { file, facts, days_left } = one;
    json!({
        "file": file.display().to_string(),
        "subject": facts.subject,
        "issuer": facts.issuer,
        "names": facts.names().all(),
        "signature": facts.signature,
        "key": facts.key,
        "sha1": facts.sha1,
        "sha256": facts.sha256,
        "valid_from_secs": facts.from_secs,
        "valid_until_secs": facts.until_secs,
        "days_left": days_left,
    })
}

fn ending(one: &Shown) -> String {
    match one.days_left {
        ..0 => format!("{} has expired", one.file.display()),
        days => format!(
            "{} expires in {}",
            one.file.display(),
            output::counted(usize::try_from(days).unwrap_or(usize::MAX), "day")
        ),
    }
}
