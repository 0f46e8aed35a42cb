//! A certificate authority of the operator's own and the two certificates it issues for the login
//! service: made, renewed, and put in place as a whole. Knows no option and no command.

mod error;
mod issue;

use super::{
    CA_NAME, CERTIFICATES_FOLDER, LEGACY_NAME, MODERN_NAME, PairFiles, inspect::Certificate,
    pair::now_secs,
};
pub use error::AuthorityError;
use issue::{Digest, Issuer};
use openssl::pkey::{PKey, Private};
use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// Days before the end of an authority from which on that is worth a warning: users need time.
const END_WARNING_DAYS: i64 = 180;
const DAY_SECS: i64 = 86_400;

/// What a certificate is good for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Host names; the first one becomes the common name, at which old clients look.
    pub hosts: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// What becomes of the authority's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaKey {
    /// Beside the certificates.
    InFolder,
    /// A file of its own, which must not exist.
    At(PathBuf),
    /// It is never written: this set cannot be renewed.
    Discard,
}

/// Makes an authority and both certificates in [`CERTIFICATES_FOLDER`] below `data`, which must
/// exist: the modern one signed with SHA-256, the legacy one with SHA-1, which Windows 98 to XP SP2
/// can verify. The authority may vouch for `names` and `permitted` domains, each with everything
/// below it, and for nothing else. `replace` puts the new set in the place of an old one. All files
/// appear at once or none does, and belong to whom `data` belongs to.
///
/// # Errors
/// [`AuthorityError`]; nothing has changed then, but for [`AuthorityError::AfterExchange`].
pub fn init(
    data: &Path,
    names: &Names,
    permitted: &[String],
    ca_key: &CaKey,
    replace: bool,
) -> Result<(), AuthorityError> {
    let folder = data.join(CERTIFICATES_FOLDER);
    if folder.exists() && !replace {
        return Err(AuthorityError::Exists(folder));
    }
    let domains = names.hosts.iter().chain(permitted).cloned().collect();
    let issuer = Issuer::new(domains, &names.addresses)?;
    let new = Draft::new(data)?;
    new.certificate(CA_NAME, &issuer.certificate)?;
    new.leaves(&issuer, names)?;
    match ca_key {
        CaKey::InFolder => new.key(CA_NAME, &issuer.key)?,
        CaKey::Discard => {}
        CaKey::At(file) => {
            // Not in the folder, so it comes first: no set is ever there without its key.
            let written = key_pem(&issuer.key).and_then(|pem| write_new(file, &pem, 0o600));
            if let Err(error) = written {
                let is_there = matches!(&error, AuthorityError::File { error, .. }
                    if error.kind() == io::ErrorKind::AlreadyExists);
                return Err(if is_there { AuthorityError::KeyExists(file.clone()) } else { error });
            }
            return new.put_in_place(&folder).inspect_err(|error| {
                if !matches!(error, AuthorityError::AfterExchange { .. }) {
                    // Of no use to anybody. If it cannot be removed, the error tells of worse.
                    let _ = fs::remove_file(file);
                }
            });
        }
    }
    new.put_in_place(&folder)
}

/// Makes new certificates and keys from the authority in `data`, for the names that the old ones
/// have and those of `added`. The authority stays, so users notice nothing. `ca_key` is where its
/// key is, if not in the folder. Returns the names.
///
/// # Errors
/// [`AuthorityError`]; nothing has changed then, but for [`AuthorityError::AfterExchange`].
pub fn renew(data: &Path, added: &Names, ca_key: Option<&Path>) -> Result<Names, AuthorityError> {
    let folder = data.join(CERTIFICATES_FOLDER);
    let PairFiles { certificate: ca_file, key: kept_key } = PairFiles::named(&folder, CA_NAME);
    if !ca_file.exists() {
        return Err(AuthorityError::Missing(folder));
    }
    let certificate = read_certificate(&ca_file)?;
    let key_file = ca_key.unwrap_or(&kept_key);
    if ca_key.is_none() && !kept_key.exists() {
        return Err(AuthorityError::NoKey(folder));
    }
    let key = read_key(key_file)?;
    let issuer = Issuer::existing(certificate.into_x509(), key)
        .ok_or_else(|| AuthorityError::ForeignKey { key: key_file.into(), ca: ca_file })?;

    let mut names = Names::default();
    for name in [MODERN_NAME, LEGACY_NAME] {
        let file = PairFiles::named(&folder, name).certificate;
        if file.exists() {
            names.add(&read_certificate(&file)?.facts()?.names());
        }
    }
    let known = names.all();
    names.add(added);
    let new = Draft::new(data)?;
    new.certificate(CA_NAME, &issuer.certificate)?;
    if kept_key.exists() {
        new.key(CA_NAME, &issuer.key)?;
    }
    new.leaves(&issuer, &names).map_err(|error| match error {
        AuthorityError::NotPermitted(_) => {
            let added: Vec<String> =
                names.all().into_iter().filter(|name| !known.contains(name)).collect();
            AuthorityError::NotPermitted(added.join(", "))
        }
        other => other,
    })?;
    new.put_in_place(&folder)?;
    Ok(names)
}

/// That the authority in `folder` ends, if that is near, for people, with the remedy.
pub(super) fn warning(folder: &Path) -> Option<String> {
    warning_at(folder, now_secs())
}

fn warning_at(folder: &Path, now_secs: i64) -> Option<String> {
    let file = PairFiles::named(folder, CA_NAME).certificate;
    let until_secs = Certificate::from_file(&file).ok()?.facts().ok()?.until_secs;
    let days = (until_secs - now_secs).div_euclid(DAY_SECS);
    (days < END_WARNING_DAYS).then(|| {
        format!(
            "{}: the authority ends in {days} days, and with it all it issued; make a new one with \
             `msnd cert init --force`, which every user has to install anew",
            file.display()
        )
    })
}

impl Names {
    /// Adds those that are not there yet, behind the others.
    pub fn add(&mut self, others: &Self) {
        for host in &others.hosts {
            if !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
                self.hosts.push(host.to_ascii_lowercase());
            }
        }
        for address in &others.addresses {
            if !self.addresses.contains(address) {
                self.addresses.push(*address);
            }
        }
    }

    /// All of them as text, host names first.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.hosts.iter().cloned().chain(self.addresses.iter().map(IpAddr::to_string)).collect()
    }
}

/// A set that is not in its place yet. Gone when dropped.
struct Draft {
    folder: TempDir,
    data: PathBuf,
}

impl Draft {
    fn new(data: &Path) -> Result<Self, AuthorityError> {
        let folder = private_folder(data, ".certificates-new-").map_err(at(data))?;
        Ok(Self { folder, data: data.into() })
    }

    fn leaves(&self, issuer: &Issuer, names: &Names) -> Result<(), AuthorityError> {
        for (name, digest) in [(LEGACY_NAME, Digest::Sha1), (MODERN_NAME, Digest::Sha256)] {
            let (leaf, key) = issuer.leaf(names, digest)?;
            if !issuer.vouches_for(&leaf)? {
                return Err(AuthorityError::NotPermitted(names.all().join(", ")));
            }
            self.certificate(name, &leaf)?;
            self.key(name, &key)?;
        }
        Ok(())
    }

    fn certificate(
        &self,
        name: &str,
        certificate: &openssl::x509::X509,
    ) -> Result<(), AuthorityError> {
        write_new(&self.files(name).certificate, &certificate.to_pem()?, 0o644)
    }

    fn key(&self, name: &str, key: &PKey<Private>) -> Result<(), AuthorityError> {
        write_new(&self.files(name).key, &key_pem(key)?, 0o600)
    }

    fn files(&self, name: &str) -> PairFiles {
        PairFiles::named(self.folder.path(), name)
    }

    /// Makes the draft the set. What else lies in the folder stays there.
    fn put_in_place(self, folder: &Path) -> Result<(), AuthorityError> {
        self.hand_over()?;
        let Self { folder: draft, data } = self;
        if !folder.exists() {
            fs::rename(draft.path(), folder).map_err(at(folder))?;
            return sync_folder(&data).map_err(|error| {
                // Back into what is gone with the draft.
                let _ = fs::rename(folder, draft.path());
                at(&data)(error)
            });
        }
        exchange(draft.path(), folder).map_err(at(folder))?;
        // The draft is the old set now, and gone when dropped.
        if let Err(error) = keep_others(draft.path(), folder).and_then(|()| sync_folder(&data)) {
            return Err(AuthorityError::AfterExchange { kept: draft.keep(), error });
        }
        Ok(())
    }

    /// Gives the files to whom the data folder belongs: somebody else, if this is root and the
    /// server is not.
    #[cfg(unix)]
    fn hand_over(&self) -> Result<(), AuthorityError> {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let draft = self.folder.path();
        let to = fs::metadata(&self.data).map_err(at(&self.data))?;
        if to.uid() == fs::metadata(draft).map_err(at(draft))?.uid() {
            return Ok(());
        }
        let give = || {
            for entry in fs::read_dir(draft)? {
                chown(entry?.path(), Some(to.uid()), Some(to.gid()))?;
            }
            chown(draft, Some(to.uid()), Some(to.gid()))
        };
        give().map_err(|error| AuthorityError::Owner { folder: self.data.clone(), error })
    }

    #[cfg(not(unix))]
    fn hand_over(&self) -> Result<(), AuthorityError> {
        Ok(())
    }
}

/// Moves what is no part of a set from the folder `old` to `new`.
fn keep_others(old: &Path, new: &Path) -> io::Result<()> {
    let ours = [CA_NAME, LEGACY_NAME, MODERN_NAME].map(|name| PairFiles::named(old, name));
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let path = entry.path();
        if !ours.iter().any(|pair| pair.certificate == path || pair.key == path) {
            fs::rename(&path, new.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Each of the two folders gets the name of the other, at one moment where the file system can.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            // Not on this file system, or a kernel of before 2014.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            done => return Ok(done?),
        }
    }
    let aside = one.with_extension("old");
    fs::rename(other, &aside)?;
    if let Err(error) = fs::rename(one, other) {
        fs::rename(&aside, other)?;
        return Err(error);
    }
    fs::rename(&aside, one)
}

fn key_pem(key: &PKey<Private>) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    Ok(Zeroizing::new(key.private_key_to_pem_pkcs8()?))
}

fn read_certificate(file: &Path) -> Result<Certificate, AuthorityError> {
    let pem = fs::read(file).map_err(at(file))?;
    Certificate::from_pem(&pem)
        .map_err(|_| AuthorityError::NotPem { file: file.into(), what: "certificate" })
}

fn read_key(file: &Path) -> Result<PKey<Private>, AuthorityError> {
    let pem = Zeroizing::new(fs::read(file).map_err(at(file))?);
    // Without a callback of ours OpenSSL would ask for a passphrase on the terminal.
    PKey::private_key_from_pem_callback(&pem, |_| Ok(0)).map_err(|_| AuthorityError::NotPem {
        file: file.into(),
        what: "private key without a passphrase",
    })
}

/// Writes a file that must not exist yet, down to the disk. `mode` holds from the first byte on.
fn write_new(file: &Path, content: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let attempt = || {
        let mut new = options.open(file)?;
        new.write_all(content)?;
        new.sync_all()
    };
    attempt().map_err(at(file))
}

/// A folder below `parent` that is its owner's alone, and gone when dropped.
fn private_folder(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> AuthorityError + use<> {
    let file = file.to_owned();
    |error| AuthorityError::File { file, error }
}

#[cfg(test)]
mod tests;
