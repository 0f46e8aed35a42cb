//! Why a command or a connection ends, and what the peer sees of it (reference README §4).

use crate::protocol::{ArgError, ErrorCode, FrameError};

/// A command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Reject {
    /// An error line; the connection stays open.
    #[error("error {0}")]
    Code(ErrorCode),
    /// An error line, then the end.
    #[error("error {0}, then close: {1}")]
    Final(ErrorCode, Reason),
    /// The end without a word.
    #[error("close: {0}")]
    Close(Reason),
    /// Something of ours failed: error 603 for the database, 500 otherwise.
    #[error("internal failure: {0:#}")]
    Internal(ErrorCode, #[source] anyhow::Error),
}

/// Why a connection ended. One variant for each cause; the log shows the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Reason {
    #[error("signed out")]
    Out,
    #[error("connection closed by the client")]
    PeerClosed,
    #[error("connection lost: {0}")]
    PeerLost(std::io::ErrorKind),
    #[error("signed in elsewhere")]
    SignedInElsewhere,
    #[error("account disabled or removed while signed in")]
    Expelled,
    #[error("ended by an operator")]
    Kicked,
    #[error("server shutting down")]
    Shutdown,
    #[error("referred to another server")]
    Referred,
    #[error("update check answered")]
    UpdateChecked,
    #[error("no common dialect")]
    NoDialect,
    #[error("VER sent twice")]
    SecondVer,
    #[error("unknown or withdrawn command")]
    UnknownCommand,
    #[error("command not allowed in this state")]
    OutOfState,
    #[error("command not part of the dialect")]
    WrongDialect,
    #[error("wrong number of arguments")]
    Arity,
    #[error("{0}")]
    Argument(#[from] ArgError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("not signed in in time")]
    LoginDeadline,
    #[error("silent for too long")]
    Idle,
    #[error("nothing could be sent for too long")]
    WriteStalled,
    #[error("event queue full: the session fell behind")]
    InboxOverflow,
    #[error("challenge answer wrong")]
    ChallengeWrong,
    #[error("challenge not answered in time")]
    ChallengeMissed,
    #[error("ticket unknown, used, expired or issued to somebody else")]
    BadTicket,
    #[error("account disabled")]
    AccountDisabled,
    #[error("account removed")]
    AccountGone,
    #[error("security package or step not supported")]
    BadAuthentication,
    #[error("bad parameters of an invitation")]
    BadInvitation,
    #[error("no address to refer the client to")]
    NoReferral,
    #[error("cookie unknown, used, expired or issued to somebody else")]
    BadCookie,
    #[error("too many wrong cookies from this address")]
    TooManyCookies,
    #[error("the caller is no longer allowed")]
    CallerRefused,
    #[error("cookie of another conversation")]
    OtherRoom,
    #[error("in the conversation already")]
    AlreadyInRoom,
    #[error("too many conversations, or too many people in this one")]
    NoRoom,
    #[error("nobody said anything for too long")]
    RoomIdle,
    #[error("the session it was opened from is over")]
    SessionOver,
    #[error("message of unknown type")]
    MessageType,
    #[error("data between clients under a wrong type")]
    DisguisedData,
    #[error("internal failure")]
    Internal,
}

impl Reason {
    /// One word for the kind of the reason, for metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::PeerClosed => "peer_closed",
            Self::PeerLost(_) => "peer_lost",
            Self::SignedInElsewhere => "signed_in_elsewhere",
            Self::Expelled => "expelled",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
            Self::Referred => "referred",
            Self::UpdateChecked => "update_checked",
            Self::NoDialect => "no_dialect",
            Self::SecondVer => "second_ver",
            Self::UnknownCommand => "unknown_command",
            Self::OutOfState => "out_of_state",
            Self::WrongDialect => "wrong_dialect",
            Self::Arity => "arity",
            Self::Argument(_) => "argument",
            Self::Frame(_) => "frame",
            Self::LoginDeadline => "login_deadline",
            Self::Idle => "idle",
            Self::WriteStalled => "write_stalled",
            Self::InboxOverflow => "inbox_overflow",
            Self::ChallengeWrong => "challenge_wrong",
            Self::ChallengeMissed => "challenge_missed",
            Self::BadTicket => "bad_ticket",
            Self::AccountDisabled => "account_disabled",
            Self::AccountGone => "account_gone",
            Self::BadAuthentication => "bad_authentication",
            Self::BadInvitation => "bad_invitation",
            Self::NoReferral => "no_referral",
            Self::BadCookie => "bad_cookie",
            Self::TooManyCookies => "too_many_cookies",
            Self::CallerRefused => "caller_refused",
            Self::OtherRoom => "other_room",
            Self::AlreadyInRoom => "already_in_room",
            Self::NoRoom => "no_room",
            Self::RoomIdle => "room_idle",
            Self::SessionOver => "session_over",
            Self::MessageType => "message_type",
            Self::DisguisedData => "disguised_data",
            Self::Internal => "internal",
        }
    }
}

impl From<ArgError> for Reject {
    fn from(error: ArgError) -> Self {
        Self::Close(error.into())
    }
}

impl From<ErrorCode> for Reject {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<Reason> for Reject {
    fn from(reason: Reason) -> Self {
        Self::Close(reason)
    }
}

impl From<getrandom::Error> for Reject {
    fn from(error: getrandom::Error) -> Self {
        let error = anyhow::Error::new(error).context("the system gave no random numbers");
        Self::Internal(ErrorCode::InternalError, error)
    }
}
