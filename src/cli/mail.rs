//! `msnd mail`: tells that mail has come, was read or moved.

use super::{
    Failure,
    admin::{AdminArgs, of_user},
    backend::block_on,
    output,
};
use crate::model::Address;
use anyhow::anyhow;
use axum::http::Method;
use clap::{ArgGroup, Args};
use serde_json::json;

const EXAMPLES: &str = "\
Asks the running server, which counts what is unread and shows it to the owner; it keeps no mail.
The account must have a mailbox: `msnd user mailbox ADDRESS --on`. Who was online when it was given
one sees news of mail from the next sign-in on.

The folder ACTIVE is the inbox, trAsH the waste basket; all others count as one.

Examples:
  msnd mail alice@example.test --from Bob --from-address bob@example.org --subject 'Saturday?'
  msnd mail alice@example.test --from bob@example.org --subject 'Saturday?'
  msnd mail alice@example.test --read 2
  msnd mail alice@example.test --moved 1 --to trAsH";

/// Tell somebody that mail has come, was read or moved
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("news").required(true).args(["from", "read", "moved"]))
)]
pub(super) struct MailArgs {
    /// Whose mailbox
    user: Address,
    /// A message has come from somebody of this name, or this address
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// The sender's address, if --from is a name
    #[arg(long, value_name = "ADDRESS", requires = "from", conflicts_with_all = ["read", "moved"])]
    from_address: Option<Address>,
    /// Its subject
    #[arg(long, value_name = "TEXT", requires = "from", conflicts_with_all = ["read", "moved"])]
    subject: Option<String>,
    /// The name by which its web page is found, a word
    #[arg(long, value_name = "WORD", requires = "from", conflicts_with_all = ["read", "moved"])]
    reference: Option<String>,
    /// So many unread messages were read
    #[arg(long, value_name = "N")]
    read: Option<u32>,
    /// So many unread messages were moved
    #[arg(long, value_name = "N", requires = "to")]
    moved: Option<u32>,
    /// Folder to which they were moved
    #[arg(long, value_name = "FOLDER", requires = "moved", conflicts_with_all = ["from", "read"])]
    to: Option<String>,
    /// Folder where it lies, or they were; the inbox if not said
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &MailArgs) -> Result<(), Failure> {
    if let (Some(from), None) = (&args.from, &args.from_address)
        && Address::parse(from).is_err()
    {
        return Err(anyhow!("{from} is no address; add one with --from-address").into());
    }
    let server = args.admin.server()?;
    let (what, body) = match (&args.from, args.read.or(args.moved)) {
        (None, Some(count)) => (
            "mail/moves",
            json!({ "from_folder": args.folder, "to_folder": args.to, "count": count }),
        ),
        (from, _) => (
            "mail",
            json!({
                "from": from,
                "from_address": args.from_address.as_ref().map(Address::as_str),
                "subject": args.subject,
                "reference": args.reference,
                "folder": args.folder,
            }),
        ),
    };
    let answer = block_on(server.ask(Method::POST, &of_user(&args.user, what), Some(&body)))?;
    let (inbox, folders) = (&answer["inbox_unread"], &answer["folders_unread"]);
    output::print(&format!("{}: {inbox} unread in the inbox, {folders} elsewhere\n", args.user))
}
