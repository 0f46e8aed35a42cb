//! The Unix socket: only its owner may open it, one server has it, and it goes with its server.

use crate::config::SOCKET_PATH_BYTES_MAX;
use socket2::{Domain, SockAddr, Type};
use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::UnixListener as StdListener,
        },
    },
    path::{Path, PathBuf},
};
use tokio::net::UnixListener;

/// Connections the kernel may complete before we accept them.
const BACKLOG: i32 = 64;
/// Only its owner.
const MODE: u32 = 0o600;

/// A bound socket. Dropping it removes its file, unless another has taken the place.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    file: Place,
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Device and number of the file that is ours.
    identity: (u64, u64),
}

/// Why there is no socket. Names the option.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A server answers there.
    #[error(
        "admin: another server answers at {} already; stop it, or choose another path with \
         --set admin.socket=PATH",
        path.display()
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there, which is not ours to remove.
    #[error(
        "admin: {} exists and is no socket; remove it, or choose another path with \
         --set admin.socket=PATH",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// More than the system can take.
    #[error(
        "admin: the path {} has {} bytes, and a socket may have {SOCKET_PATH_BYTES_MAX}; set \
         admin.socket to a shorter absolute path, or to nothing for no socket",
        path.display(),
        path.as_os_str().len()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error(
        "admin: cannot listen on {}: {error}; make its folder writable for this user, choose another \
         path with --set admin.socket=PATH, or set admin.socket to nothing for no socket",
        path.display()
    )]
    Bind {
        /// The path.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

impl Socket {
    /// Listens at `path`. What a dead server left there is replaced. Needs a runtime.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let path = path.to_path_buf();
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(SocketError::TooLong { path });
        }
        clear(&path)?;
        match listen(&path) {
            Ok((listener, identity)) => Ok(Self { listener, file: Place { path, identity } }),
            Err(error) => Err(SocketError::Bind { path, error }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Makes room at `path`.
fn clear(path: &Path) -> Result<(), SocketError> {
    let path_buf = || path.to_path_buf();
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SocketError::Bind { path: path_buf(), error }),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::Foreign { path: path_buf() });
        }
        Ok(_) => {}
    }
    match connect(path) {
        // Nobody listens: its server did not live to remove it.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| SocketError::Bind { path: path_buf(), error })
        }
        // Somebody listens and is too busy to accept.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(SocketError::Taken { path: path_buf() })
        }
        Err(error) => Err(SocketError::Bind { path: path_buf(), error }),
        Ok(()) => Err(SocketError::Taken { path: path_buf() }),
    }
}

/// Waits for nobody: a server that accepts nothing would otherwise hold up this one's start.
fn connect(path: &Path) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Nobody can connect before the permissions are right: only then does it listen.
fn listen(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    let identity = identity(path)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = UnixListener::from_std(StdListener::from(OwnedFd::from(socket)))?;
    Ok((listener, identity))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.symlink_metadata().map(|found| (found.dev(), found.ino()))
}

impl Drop for Place {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Whoever comes next replaces what cannot be removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_servers_socket_is_replaced_and_a_live_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.socket");
        drop(StdListener::bind(&path).unwrap());
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(Socket::bind(&path), Err(SocketError::Taken { .. })));
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_server_that_accepts_nothing_is_alive_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.socket");
        let busy = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        busy.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        busy.listen(0).unwrap();
        let waiting: Vec<_> = std::iter::from_fn(|| {
            let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.connect(&SockAddr::unix(&path).unwrap()).is_ok().then_some(socket)
        })
        .collect();
        assert!(!waiting.is_empty());
        assert!(matches!(Socket::bind(&path), Err(SocketError::Taken { .. })));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn where_nothing_can_be_made_the_remedy_is_named() {
        let error = Socket::bind(Path::new("/nowhere/at/all/admin.socket")).unwrap_err();
        assert!(matches!(error, SocketError::Bind { .. }), "{error:?}");
        for remedy in ["--set admin.socket=PATH", "set admin.socket to nothing"] {
            assert!(error.to_string().contains(remedy), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.socket");
        fs::write(&path, "diary").unwrap();
        assert!(matches!(Socket::bind(&path), Err(SocketError::Foreign { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "diary");
        fs::remove_file(&path).unwrap();
        let socket = Socket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "diary").unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn the_longest_path_works_and_a_longer_one_names_the_option() {
        let folder = tempfile::tempdir().unwrap();
        let rest = SOCKET_PATH_BYTES_MAX - folder.path().as_os_str().len() - 1;
        assert!(Socket::bind(&folder.path().join("a".repeat(rest))).is_ok());
        let error = Socket::bind(&folder.path().join("a".repeat(rest + 1))).unwrap_err();
        assert!(error.to_string().contains("admin.socket"), "{error}");
    }
}
