//! The commands of the notification role: one file and one row each.

mod add;
mod adg;
mod blp;
mod chg;
mod chl;
mod fnd;
mod gtc;
mod ims;
mod out;
mod pag;
mod pgd;
mod png;
mod prp;
mod qry;
mod rea;
mod reg;
mod rem;
mod rmg;
mod sdc;
mod snd;
mod syn;
mod url;
mod usr;
mod xfr;

pub use png::Pong;

use super::{Notification, State};
use crate::{
    model::{Name, NameError, name::FRIENDLY_NAME_BYTES_MAX},
    protocol::{ArgError, Dialect, ErrorCode, escape},
    session::{
        Reason, Reject, Row, Stage, Stages,
        command::Run,
        commands::{cvr, ver},
    },
};

/// How often lists are read again because they changed while they were read.
const STALE_READS_MAX: usize = 16;
/// Payload of `QRY`; a longer one is refused unread.
const QRY_PAYLOAD_BYTES_MAX: usize = 8192;
/// Payload of `SDC`: what the sender writes to the invited person.
const SDC_PAYLOAD_BYTES_MAX: usize = 8192;
/// Payload of `PAG`.
const PAG_PAYLOAD_BYTES_MAX: usize = 8192;

/// Payload of `PGD`: a page in XML, perhaps with a telephone number.
const PGD_PAYLOAD_BYTES_MAX: usize = 8192;

/// A row whose handler gets the signed-in session and can therefore not run without one.
macro_rules! signed_in {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Only(Stage::SignedIn),
            $arity,
            Run::Later(|role: &mut Notification, call, outbox| {
                Box::pin(async move {
                    match &mut role.state {
                        State::SignedIn(session) => {
                            session.begin($verb);
                            $handler(session, call, outbox).await
                        }
                        State::Handshake(_) => Err(Reason::OutOfState.into()),
                    }
                })
            }),
            $purpose,
        )
    };
}

/// The same for a handler that waits for nothing.
macro_rules! signed_in_now {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Only(Stage::SignedIn),
            $arity,
            Run::Now(|role: &mut Notification, call, outbox| match &mut role.state {
                State::SignedIn(session) => {
                    session.begin($verb);
                    $handler(session, call, outbox)
                }
                State::Handshake(_) => Err(Reason::OutOfState.into()),
            }),
            $purpose,
        )
    };
}

/// A row whose handler gets the whole connection, in any stage.
macro_rules! connection {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Any,
            $arity,
            Run::Later(|role: &mut Notification, call, outbox| {
                Box::pin(async move { $handler(role, call, outbox).await })
            }),
            $purpose,
        )
    };
}

pub(super) const ROWS: &[Row<Notification>] = &[
    connection!("VER", (1, 64), greet, "choose a dialect"),
    connection!("CVR", (0, 16), tell_version, "tell the client's version"),
    connection!("CVQ", (0, 16), tell_version, "tell the client's version, update check form"),
    connection!("USR", (3, 3), usr::handle, "sign in with a Passport ticket"),
    connection!("OUT", (0, 8), out::handle, "sign out").without_trid(),
    signed_in_now!("PNG", (0, 0), png::handle, "show that the client is alive").without_trid(),
    signed_in!("SYN", (1, 1), syn::handle, "fetch the lists"),
    signed_in!("CHG", (1, 16), chg::handle, "change own status"),
    signed_in!("CHL", (0, 0), chl::handle, "ask for a challenge"),
    signed_in!("QRY", (2, 2), qry::handle, "answer a challenge").payload(QRY_PAYLOAD_BYTES_MAX),
    signed_in!("XFR", (1, 1), xfr::handle, "ask for a switchboard"),
    signed_in!("ADD", (3, 4), add::handle, "put somebody on a list or into a group"),
    signed_in!("REM", (2, 3), rem::handle, "take somebody off a list or out of a group"),
    signed_in!("ADG", (1, 2), adg::handle, "make a group"),
    signed_in!("REG", (2, 3), reg::handle, "rename a group"),
    signed_in!("RMG", (1, 1), rmg::handle, "remove a group"),
    signed_in!("REA", (2, 2), rea::handle, "rename oneself or a contact"),
    signed_in!("GTC", (1, 1), gtc::handle, "how to treat new people on the reverse list"),
    signed_in!("BLP", (1, 1), blp::handle, "how to treat people on neither allow nor block list"),
    signed_in!("PRP", (1, 2), prp::handle, "set or clear a property"),
    signed_in!("URL", (1, 2), url::handle, "ask for a web address"),
    signed_in!("SND", (4, 4), snd::handle, "invite a person by mail, older form"),
    signed_in!("SDC", (8, 8), sdc::handle, "invite a person by mail")
        .payload(SDC_PAYLOAD_BYTES_MAX),
    signed_in!("FND", (0, 16), fnd::handle, "search the directory (disabled)"),
    signed_in!("IMS", (1, 1), ims::handle, "conversations on or off"),
    signed_in!("PAG", (3, 3), pag::handle, "page a mobile device (MSNP8)")
        .payload(PAG_PAYLOAD_BYTES_MAX),
    signed_in!("PGD", (3, 3), pgd::handle, "page somebody's device (MSNP9)")
        .payload(PGD_PAYLOAD_BYTES_MAX)
        .only(Dialect::Msnp9),
];

async fn greet(
    role: &mut Notification,
    call: &crate::session::Call<'_>,
    outbox: &mut crate::session::Outbox,
) -> Result<(), Reject> {
    let form = role.context.config.notification.ver_reply;
    ver::handle(&mut role.greeting, form, call, outbox)
}

async fn tell_version(
    role: &mut Notification,
    call: &crate::session::Call<'_>,
    outbox: &mut crate::session::Outbox,
) -> Result<(), Reject> {
    if let State::Handshake(handshake) = &mut role.state {
        handshake.client_version = cvr::version(call).map(Box::from);
    }
    cvr::handle(role.greeting, &role.context.config.notification, call, outbox)
}

/// A friendly name as clients send it. Over the hard limit the connection ends; a name that
/// cannot be decoded or relayed is answered with `invalid`.
fn name(token: &[u8], invalid: ErrorCode) -> Result<Name, Reject> {
    if token.len() > FRIENDLY_NAME_BYTES_MAX {
        return Err(ArgError::NameTooLong.into());
    }
    let text = escape::decode(token).map_err(|_| invalid)?;
    Name::new(&text).map_err(|error| match error {
        NameError::TooLong => ArgError::NameTooLong.into(),
        NameError::Empty | NameError::Control => invalid.into(),
    })
}
