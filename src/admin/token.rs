//! The token that opens the admin API over TCP: read from a file, compared, never shown.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq as _;

/// Shortest token, characters.
pub const TOKEN_CHARS_MIN: usize = 16;
/// Longest token, bytes of its file.
const TOKEN_BYTES_MAX: u64 = 4096;
/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;
const SCHEME: &[u8] = b"Bearer ";

/// A token. `Debug` hides it.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// Why a file holds no usable token. Never shows what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("{}: the admin token cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others could read it too.
    #[error(
        "{}: others may read the admin token; `chmod 600` it, and make a new token if somebody did",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Its text is none.
    #[error(
        "{}: a token is one line of {TOKEN_CHARS_MIN} or more printable characters without spaces; \
         make one with `head -c 24 /dev/urandom | base64`",
        path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the only line of a file that nobody but its owner may read.
    ///
    /// # Errors
    /// [`TokenError`] names the file.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |error| TokenError::Unreadable { path: path.into(), error };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.permissions().mode() & OTHERS != 0 {
            return Err(TokenError::Exposed { path: path.into() });
        }
        let mut text = zeroize::Zeroizing::new(String::new());
        file.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let token = text.trim_end();
        if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unfit { path: path.into() });
        }
        Ok(Self(token.into()))
    }

    /// The value of an `Authorization` header. A secret.
    #[must_use]
    pub fn authorization(&self) -> zeroize::Zeroizing<String> {
        format!("Bearer {}", self.0.expose_secret()).into()
    }

    /// Whether this is the header of somebody who has the token. Digests are compared, so that the
    /// time tells neither length nor content.
    pub(super) fn is_presented(&self, authorization: &[u8]) -> bool {
        let Some((scheme, presented)) = authorization.split_at_checked(SCHEME.len()) else {
            return false;
        };
        let own = Sha256::digest(self.0.expose_secret().as_bytes());
        scheme.eq_ignore_ascii_case(SCHEME) && bool::from(own.ct_eq(&Sha256::digest(presented)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn only_a_private_file_with_one_long_word_is_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |text: &str, mode| {
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Token::read(&path)
        };
        assert!(read("0123456789abcdef\n", 0o600).is_ok());
        assert!(matches!(read("0123456789abcdef", 0o640), Err(TokenError::Exposed { .. })));
        assert!(matches!(read("0123456789abcdef", 0o604), Err(TokenError::Exposed { .. })));
        for text in ["", "0123456789abcde", "0123456789 abcdef", "0123456789\nabcdef"] {
            let error = read(text, 0o600).unwrap_err();
            assert!(matches!(error, TokenError::Unfit { .. }), "{text}: {error}");
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Token::read(&path), Err(TokenError::Unreadable { .. })));
    }

    #[test]
    fn nothing_but_the_token_is_the_token() {
        let token = Token("0123456789abcdef".into());
        assert!(token.is_presented(b"Bearer 0123456789abcdef"));
        assert!(token.is_presented(b"bearer 0123456789abcdef"));
        for other in [
            "",
            "Bearer ",
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!token.is_presented(other.as_bytes()), "{other}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }
}
