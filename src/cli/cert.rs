//! `msnd cert`: a private certificate authority for the login service, its certificates, and what
//! they say.

mod show;

use super::{ConfigArgs, Failure, backend::make_folder, output, own_names};
use crate::{
    config::{Config, login_host},
    net::tls::{
        CA_NAME, CERTIFICATES_FOLDER, PairFiles,
        authority::{self, CaKey, Names},
        inspect::{Certificate, Facts},
    },
    setup::{CERTIFIED_NAMES, SERVICE_NAMES},
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::{net::IpAddr, path::PathBuf};

const EXAMPLES: &str = "\
`init` makes, in the folder `certificates` of the data folder:
  ca.pem      what users install as a trusted root: `msnd client-setup` hands it to them
  ca.key      its key: best kept off this machine, see --ca-key
  legacy.pem  for clients that send no server name (Windows 98 to XP); signed with SHA-1
  modern.pem  for all others; signed with SHA-256
The authority may vouch for the names of the Passport and Messenger services, for the names in the
options (passport.login_host, *.advertised) and for those given here, and for nothing else.

Examples:
  msnd cert init
  msnd cert init --name chat.example.org --permit example.org --ca-key /media/stick/msnd-ca.key
  msnd cert renew --ca-key /media/stick/msnd-ca.key
  msnd cert show --warn-days 30";

/// Make, renew and show the certificates of the login service
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CertArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a certificate authority and the certificates for old and for modern clients
    Init {
        #[command(flatten)]
        names: NameArgs,
        /// Let the authority vouch for DOMAIN and all below it later; can be given more than once
        #[arg(long, value_name = "DOMAIN", value_parser = domain)]
        permit: Vec<String>,
        /// Write the authority's key to this new file, such as one on a removable disk
        #[arg(long, value_name = "FILE", conflicts_with = "discard_ca_key")]
        ca_key: Option<PathBuf>,
        /// Never write the authority's key: after two years a new authority is needed
        #[arg(long)]
        discard_ca_key: bool,
        /// Replace an authority that is there; every user has to install the new one
        #[arg(long)]
        force: bool,
    },
    /// Make new certificates from the same authority, for the names they have and further ones
    Renew {
        #[command(flatten)]
        names: NameArgs,
        /// Where the authority's key is, if not in the folder
        #[arg(long, value_name = "FILE")]
        ca_key: Option<PathBuf>,
    },
    /// Show names, fingerprints and dates of all certificates; fails if one has expired
    Show {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        /// Fail if one has fewer days left
        #[arg(long, value_name = "DAYS", default_value_t = 0)]
        warn_days: u16,
    },
}

#[derive(Debug, Args)]
struct NameArgs {
    /// A host name of this server; can be given more than once
    #[arg(long = "name", value_name = "NAME", value_parser = host)]
    names: Vec<String>,
    /// An address at which clients call this server; can be given more than once
    #[arg(long = "address", value_name = "IP")]
    addresses: Vec<IpAddr>,
}

/// Does it.
pub(super) fn run(args: &CertArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    match &args.action {
        Action::Init { names, permit, ca_key, discard_ca_key, force } => {
            let key = match ca_key {
                Some(file) => CaKey::At(file.clone()),
                None if *discard_ca_key => CaKey::Discard,
                None => CaKey::InFolder,
            };
            init(&config, names, permit, &key, *force)
        }
        Action::Renew { names, ca_key } => renew(&config, names, ca_key.as_ref()),
        Action::Show { json, warn_days } => show::run(&config, *json, i64::from(*warn_days)),
    }
}

fn init(
    config: &Config,
    given: &NameArgs,
    permit: &[String],
    key: &CaKey,
    force: bool,
) -> Result<(), Failure> {
    let mut names = own_names::of(config);
    // Old clients look at the first name only; without a host of our own the login host is what
    // the client called the nexus.
    if config.passport.login_host.is_empty() || names.hosts.is_empty() {
        names.hosts.insert(0, NEXUS.into());
    }
    names.add(&given.names());
    let services = SERVICE_NAMES.iter().take(CERTIFIED_NAMES).map(ToString::to_string);
    names.add(&Names { hosts: services.collect(), ..Names::default() });
    make_folder(&config.data.dir)?;
    authority::init(&config.data.dir, &names, permit, key, force).map_err(anyhow::Error::new)?;

    let folder = config.data.dir.join(CERTIFICATES_FOLDER);
    let ca = facts(config)?;
    let whereabouts = match key {
        CaKey::InFolder => format!(
            "Its key is {}. Whoever has it can pose as these names to all who trust the \
             authority:\nkeep it off this machine if you can, and name it to `msnd cert renew \
             --ca-key FILE`.\n",
            PairFiles::named(&folder, CA_NAME).key.display()
        ),
        CaKey::At(file) => {
            format!("Its key is {}; `msnd cert renew --ca-key` needs it.\n", file.display())
        }
        CaKey::Discard => "Its key is gone: after two years a new authority is needed.\n".into(),
    };
    output::print(&format!(
        "made {}: an authority and certificates for {}\n\
         SHA-1    {}\nSHA-256  {}\n{whereabouts}\
         A server that runs takes them within ten seconds, or at once on SIGHUP.\n\
         What users need is written by `msnd client-setup`.\n",
        folder.display(),
        output::counted(names.all().len(), "name"),
        ca.sha1,
        ca.sha256,
    ))
}

fn renew(config: &Config, given: &NameArgs, key: Option<&PathBuf>) -> Result<(), Failure> {
    let mut added = own_names::of(config);
    added.add(&given.names());
    let names = authority::renew(&config.data.dir, &added, key.map(PathBuf::as_path))
        .map_err(anyhow::Error::new)?;
    output::print(&format!(
        "renewed the certificates in {} for {}; the authority is the same\n\
         A server that runs takes them within ten seconds, or at once on SIGHUP.\n",
        config.data.dir.join(CERTIFICATES_FOLDER).display(),
        output::counted(names.all().len(), "name"),
    ))
}

/// What the authority's certificate says.
fn facts(config: &Config) -> Result<Facts, Failure> {
    let folder = config.data.dir.join(CERTIFICATES_FOLDER);
    let file = PairFiles::named(&folder, CA_NAME).certificate;
    let certificate = Certificate::from_file(&file).map_err(anyhow::Error::new)?;
    Ok(certificate.facts().context("the certificate that was made cannot be read")?)
}

/// The name that stands for the login host while no other is configured.
const NEXUS: &str = "nexus.passport.com";

impl NameArgs {
    fn names(&self) -> Names {
        let mut names = Names::default();
        for host in &self.names {
            names.add(&own_names::named(host));
        }
        names.add(&Names { addresses: self.addresses.clone(), ..Names::default() });
        names
    }
}

fn host(text: &str) -> Result<String, String> {
    login_host(text).map(|()| text.to_ascii_lowercase())
}

/// A domain that somebody can own.
fn domain(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err("that is an address; name addresses with --address".into());
    }
    if !text.trim_end_matches('.').contains('.') {
        return Err("a whole top-level domain is nobody's; write it like example.org".into());
    }
    host(text)
}
