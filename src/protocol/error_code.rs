//! The numeric errors this server sends (reference README §4.2).

use std::fmt;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A numeric error. The connection stays open unless the sender closes it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", stringify!($code), "`: ", $text, ".")] $(#[$doc])* $name = $code,)*
        }

        impl ErrorCode {
            /// Every code with its meaning.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text),)*];

            /// [`Self::number`] as text.
            #[must_use]
            pub const fn digits(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($code),)*
                }
            }
        }
    };
}

error_codes! {
    InvalidParameter = 201, "invalid parameter";
    NoSuchUser = 205, "no such user";
    AlreadyLoggedIn = 207, "already logged in";
    MalformedHandle = 208, "malformed user name";
    NameNotAllowed = 209, "friendly name not allowed";
    ListFull = 210, "list full";
    AlreadyThere = 215, "already there";
    NotOnList = 216, "not on the list";
    NotReachable = 217, "not online or not accepting";
    AlreadyInMode = 218, "already in that mode";
    OnOppositeList = 219, "on the opposite list";
    TooManyGroups = 223, "too many groups";
    NoSuchGroup = 224, "no such group";
    NotInGroup = 225, "contact not in that group";
    GroupNameTooLong = 229, "group name too long";
    GroupZero = 230, "group 0 cannot be removed";
    SwitchboardFailed = 280, "no switchboard available";
    MalformedMessage = 282, "malformed message";
    InternalError = 500, "internal server error";
    CommandDisabled = 502, "command disabled";
    BadInvitation = 503, "bad parameters of an invitation";
    ChallengeFailed = 540, "challenge answer wrong";
    ServerUnavailable = 601, "server unavailable";
    DatabaseUnavailable = 603, "database unavailable";
    GoingDown = 604, "server going down";
    TooActive = 713, "user too active";
    NotExpected = 715, "not expected";
    TooFast = 800, "changing too fast";
    AuthenticationFailed = 911, "authentication failed";
    NotWhileOffline = 913, "not allowed while offline";
}

impl ErrorCode {
    /// The three digits.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}
