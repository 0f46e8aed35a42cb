//! `msnd client-setup`: writes what the users of Windows computers need into a folder.

use super::{ConfigArgs, Failure, output, own_names};
use crate::{
    config::{Config, login_host},
    server,
    setup::{self, Item},
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::{
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, ToSocketAddrs as _, UdpSocket},
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Users save the four files in one folder on their Windows computer, open index.htm for the page about
their Windows, and run setup.bat, which can take everything back (`setup.bat undo`).

Examples:
  msnd client-setup
  msnd client-setup --host chat.example.org --out /srv/www/msn";

/// A documentation address: looking up the way to it sends nothing.
const SOMEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// Write what the user of a Windows computer needs to sign in here
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ClientSetupArgs {
    /// Address or name of this server as clients reach it; without it the advertised one, or else
    /// that of this machine
    #[arg(long, value_name = "ADDRESS", value_parser = host)]
    host: Option<String>,
    /// Lead this name here too, if no name server does; can be given more than once
    #[arg(long = "name", value_name = "NAME", value_parser = host)]
    names: Vec<String>,
    /// Write into this folder; made if missing, files of the same names are replaced
    #[arg(long, value_name = "DIR", default_value = "msnd-client-setup")]
    out: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Does it.
pub(super) fn run(args: &ClientSetupArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    let ca = server::authority(&config.data.dir).map_err(anyhow::Error::new)?;
    let ca = ca.ok_or_else(|| {
        anyhow!(
            "there is no certificate authority for users to install in {}; make one with `msnd cert \
             init`",
            config.data.dir.display()
        )
    })?;
    let (host, guessed) = match &args.host {
        Some(host) => (host.clone(), None),
        None => guess(&config)?,
    };
    let address = resolve(&host)?;
    let sha1 = ca.sha1.clone();
    let facts = setup::Facts::new(address, &host, &args.names, ca)
        .map_err(|why| anyhow!("{why}; choose another with --host or --name"))?;
    let items = setup::bundle(&facts);
    write(&args.out, &items)?;
    let mut text =
        format!("wrote {} to {}\n", output::counted(items.len(), "file"), args.out.display());
    text += &match guessed {
        Some(why) => format!("Clients are led to {host} ({why}); choose another with --host.\n"),
        None if host == address.to_string() => format!("Clients are led to {host}.\n"),
        None => format!("Clients are led to {address}, which is {host} now.\n"),
    };
    if address.is_loopback() {
        text += "That is reached from this machine only.\n";
    }
    output::print(&format!("{text}Tell your users the fingerprint of the authority: {sha1}\n"))
}

/// Where clients most likely reach this server, and why we think so.
fn guess(config: &Config) -> Result<(String, Option<&'static str>), Failure> {
    let own = own_names::of(config);
    let address = own.addresses.into_iter().find(IpAddr::is_ipv4).map(|ip| ip.to_string());
    // The login host may be another machine's name for the same service.
    let host = own.hosts.into_iter().next();
    if let Some(advertised) = address.or(host) {
        return Ok((advertised, Some("as the options advertise it")));
    }
    let outward = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(SOMEWHERE)?;
        socket.local_addr()
    };
    match outward() {
        Ok(address) => Ok((address.ip().to_string(), Some("this machine's address"))),
        Err(_) => {
            Err(anyhow!("this machine has no address that others reach; give one with --host")
                .into())
        }
    }
}

/// The IPv4 address of a host: a hosts file takes nothing else.
fn resolve(host: &str) -> Result<Ipv4Addr, Failure> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let found = (host, 0).to_socket_addrs();
    let found =
        found.with_context(|| format!("cannot find the address of {host}; give it with --host"))?;
    let address = found.filter_map(|address| match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let mut address = address;
    Ok(address.next().ok_or_else(|| {
        anyhow!("{host} has no IPv4 address, and old clients know no other; give one with --host")
    })?)
}

/// Each file whole or not at all.
fn write(folder: &Path, items: &[Item]) -> Result<(), Failure> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for item in items {
        let file = folder.join(item.name);
        let attempt = || {
            let mut new = readable(folder)?;
            new.write_all(&item.bytes)?;
            new.persist(&file)?;
            std::io::Result::Ok(())
        };
        attempt().with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// A temporary file that a web server may read.
#[cfg(unix)]
fn readable(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn readable(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}

fn host(text: &str) -> Result<String, String> {
    login_host(text).map(|()| text.to_ascii_lowercase())
}
