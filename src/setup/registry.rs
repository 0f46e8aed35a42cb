//! The registry file that makes a client forget the server it last signed in to. Written in the old
//! format, which Windows 98 reads and every later Windows too.

/// Its name.
pub(super) const FILE: &str = "remove-old-servers.reg";

/// Where clients of these versions keep the address of the last server, below the user's part of
/// the registry.
const KEYS: [&str; 2] = [
    // MSN Messenger up to 4.7 and Windows Messenger.
    r"HKEY_CURRENT_USER\Software\Microsoft\MessengerService",
    // MSN Messenger 5.0 to 6.2.
    r"HKEY_CURRENT_USER\Software\Microsoft\MSNMessenger",
];

/// The file.
pub(super) fn file() -> String {
    let mut text = "REGEDIT4\n\n".to_owned();
    for key in KEYS {
        text += &format!("[{key}]\n\"Server\"=-\n\n");
    }
    text
}
