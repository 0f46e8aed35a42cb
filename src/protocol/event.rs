//! Every line the server sends, and its one encoder. Differences between dialects
//! live here and nowhere else.

use super::{Dialect, ErrorCode, TrId, escape, words::Words};
use crate::model::{
    Address, Contact, Group, GroupId, List, ListBits, Name, Presence, Privacy, Prompt, PropertyKey,
    name::GROUP_NAME_BYTES_MAX,
};

/// Every verb the server sends, with what it says; `NNN` stands for the numeric errors.
pub const SENT: [(&str, &str); 37] = [
    ("NNN", "error, see the reference"),
    ("VER", "the chosen dialect"),
    ("CVR", "recommended and least version"),
    ("CVQ", "recommended and least version, update check form"),
    ("USR", "sign-in policy, then success"),
    ("XFR", "go to this notification server; this switchboard"),
    ("RNG", "somebody wants me in a conversation"),
    ("MSG", "profile, news of mail, system message; with payload"),
    ("NOT", "an alert (MSNP9); with payload"),
    ("IPG", "a page (MSNP9); with payload"),
    ("SYN", "list version, and whether the lists follow"),
    ("GTC", "setting, in a list or as a reply"),
    ("BLP", "setting, in a list or as a reply"),
    ("PRP", "own property, in a list or as a reply"),
    ("LSG", "a group, in a list"),
    ("LST", "a contact, in a list"),
    ("BPR", "a contact's property, in a list or when it changes"),
    ("CHG", "own status as set"),
    ("ILN", "a contact's status at sign-in or when added"),
    ("NLN", "a contact's new status"),
    ("FLN", "a contact is no longer visible"),
    ("CHL", "challenge"),
    ("QRY", "answer to a challenge accepted"),
    ("QNG", "answer to a ping, seconds until the next (MSNP9)"),
    ("ADD", "added; with TrID 0: somebody added me"),
    ("REM", "removed; with TrID 0: somebody removed me"),
    ("ADG", "group made"),
    ("REG", "group renamed"),
    ("RMG", "group removed"),
    ("REA", "renamed"),
    ("URL", "a web address"),
    ("SND", "invitation taken"),
    ("SDC", "invitation taken"),
    ("IMS", "conversations on or off"),
    ("OUT", "goodbye"),
    ("OUT OTH", "signed in elsewhere"),
    ("OUT SSD", "server shutting down"),
];

/// The same of a switchboard.
pub const SENT_ON_SWITCHBOARD: [(&str, &str); 10] = [
    ("NNN", "error, see the reference"),
    ("USR", "the new conversation is there"),
    ("CAL", "the person has been rung"),
    ("IRO", "who is in the conversation already"),
    ("ANS", "in the conversation"),
    ("JOI", "somebody has come"),
    ("BYE", "somebody has left; with 1: nobody said anything for too long"),
    ("MSG", "what somebody says; with payload"),
    ("ACK", "delivered"),
    ("NAK", "not delivered"),
];

/// One line, borrowed from whoever sends it. `token` fields repeat the client's own word byte for
/// byte; names are encoded anew.
#[derive(Clone)]
#[expect(missing_docs, reason = "the fields are the words of the line shown above them")]
pub enum Event<'a> {
    /// `NNN n`
    Error { trid: TrId, code: ErrorCode },
    /// `VER n dialect… [CVR0]`
    Ver { trid: TrId, dialects: &'a [Dialect], update_check: bool },
    /// `VER n 0`
    VerNone { trid: TrId },
    /// `CVR n recommended recommended minimum download info`; `verb` is the client's.
    Cvr { trid: TrId, verb: &'a str, version: &'a str, download: &'a str, info: &'a str },
    /// `USR n TWN S policy`
    UsrPolicy { trid: TrId, policy: &'a str },
    /// `USR n OK email name 1 0`
    UsrOk { trid: TrId, address: &'a Address, name: &'a Name },
    /// `XFR n NS to 0 from`
    XfrNs { trid: TrId, to: &'a str, from: &'a str },
    /// `XFR n SB to CKI cookie`
    XfrSb { trid: TrId, to: &'a str, cookie: &'a str },
    /// `RNG session to CKI cookie email name`
    Rng { room: u32, to: &'a str, cookie: &'a str, address: &'a Address, name: &'a Name },
    /// `MSG Hotmail Hotmail length` and the payload.
    Msg { payload: &'a str },
    /// `NOT length` and the document, given in two parts.
    Not { head: &'a str, body: &'a [u8] },
    /// `IPG length` and the document.
    Ipg { document: &'a str },
    /// `SYN n ver`
    SynCurrent { trid: TrId, version: u32 },
    /// `SYN n ver contacts groups`
    Syn { trid: TrId, version: u32, contacts: usize, groups: usize },
    /// `GTC A` inside a `SYN` block.
    SynPrompt(Prompt),
    /// `BLP AL` inside a `SYN` block.
    SynPrivacy(Privacy),
    /// `PRP key value` inside a `SYN` block.
    SynProperty { key: PropertyKey, value: &'a str },
    /// `LSG id name 0`
    Lsg(&'a Group),
    /// `LST email name bits [groups]`
    Lst(&'a Contact),
    /// `BPR key value` inside a `SYN` block.
    SynContactProperty { key: PropertyKey, value: &'a str },
    /// `CHG n status [clientid [object]]`
    Chg { trid: TrId, status: &'a [u8], client_id: Option<&'a [u8]>, object: Option<&'a [u8]> },
    /// `ILN n status email name clientid [object]`, made from the shared `NLN` line.
    Iln { trid: TrId, nln: &'a [u8] },
    /// `NLN status email name clientid [object]`
    Nln { address: &'a Address, name: &'a Name, presence: &'a Presence },
    /// `FLN email`
    Fln { address: &'a Address },
    /// `QNG [seconds]`
    Qng { secs: u64 },
    /// `CHL n challenge`
    Chl { trid: TrId, challenge: &'a str },
    /// `QRY n`
    Qry { trid: TrId },
    /// `OUT`
    Out,
    /// `OUT OTH`
    OutOther,
    /// `OUT SSD`
    OutShutdown,
    /// `GTC n ver A`
    Gtc { trid: TrId, version: u32, prompt: Prompt },
    /// `BLP n ver AL`
    Blp { trid: TrId, version: u32, privacy: Privacy },
    /// `PRP n ver key [value]`
    Prp { trid: TrId, version: u32, key: PropertyKey, value: Option<&'a [u8]> },
    /// `BPR ver email key [value]`
    Bpr { version: u32, address: &'a Address, key: PropertyKey, value: Option<&'a str> },
    /// `ADD n list ver email name [group]`
    Add {
        trid: TrId,
        list: List,
        version: u32,
        address: &'a Address,
        name: &'a [u8],
        group: Option<GroupId>,
    },
    /// `ADD 0 RL ver email name`
    AddReverse { version: u32, address: &'a Address, name: &'a Name },
    /// `REM n list ver email [group]`
    Rem { trid: TrId, list: List, version: u32, address: &'a Address, group: Option<GroupId> },
    /// `REM 0 RL ver email`
    RemReverse { version: u32, address: &'a Address },
    /// `ADG n ver name id 0`
    Adg { trid: TrId, version: u32, name: &'a [u8], group: GroupId },
    /// `REG n ver id name 0`
    Reg { trid: TrId, version: u32, group: GroupId, name: &'a [u8] },
    /// `RMG n ver id`
    Rmg { trid: TrId, version: u32, group: GroupId },
    /// `URL n page login-page site-id`
    Url { trid: TrId, page: &'a str, login: &'a str, site_id: u32 },
    /// `SND n OK`, `SDC n OK`
    InvitationTaken { trid: TrId, verb: &'a str },
    /// `IMS n 0 ON|OFF`
    Ims { trid: TrId, on: bool },
    /// `REA n ver email name`
    Rea { trid: TrId, version: u32, address: &'a Address, name: &'a [u8] },
    /// `USR n OK email name` on a switchboard.
    UsrConversation { trid: TrId, address: &'a Address, name: &'a Name },
    /// `CAL n RINGING room`
    Cal { trid: TrId, room: u32 },
    /// `IRO n index total email name`
    Iro { trid: TrId, index: usize, total: usize, address: &'a Address, name: &'a Name },
    /// `ANS n OK`
    AnsOk { trid: TrId },
    /// `JOI email name`
    Joi { address: &'a Address, name: &'a Name },
    /// `BYE email [1]`
    Bye { address: &'a Address, idle: bool },
    /// `MSG email name length` and the payload.
    Said { address: &'a Address, name: &'a Name, payload: &'a [u8] },
    /// The same with the first three words as [`said_by`] has made them.
    SaidBy { head: &'a [u8], payload: &'a [u8] },
    /// `ACK n`
    Ack { trid: TrId },
    /// `NAK n`
    Nak { trid: TrId },
}

/// How each message of somebody begins: `MSG email name`.
#[must_use]
pub fn said_by(address: &Address, name: &Name) -> Box<[u8]> {
    let mut head = Vec::new();
    Words::new(&mut head).first("MSG").word(address).name(name);
    head.into()
}

impl Event<'_> {
    /// Appends the line, with CRLF and payload, as `dialect` wants it.
    pub fn encode(&self, dialect: Dialect, out: &mut Vec<u8>) {
        let mut line = Words::new(out);
        match self {
            Self::Error { trid, code } => line.first(code).word(trid).end(),
            Self::Ver { trid, dialects, update_check } => {
                line.first("VER").word(trid);
                dialects.iter().for_each(|dialect| line.word(dialect).skip());
                if *update_check {
                    line.word(super::dialect::UPDATE_CHECK);
                }
                line.end();
            }
            Self::VerNone { trid } => line.first("VER").word(trid).word(0).end(),
            Self::Cvr { trid, verb, version, download, info } => {
                line.first(verb).word(trid).word(version).word(version).word(version);
                line.word(download).word(info).end();
            }
            Self::UsrPolicy { trid, policy } => {
                line.first("USR").word(trid).word("TWN S").word(policy).end();
            }
            Self::UsrOk { trid, address, name } => {
                line.first("USR").word(trid).word("OK").word(address).name(name).word("1 0").end();
            }
            Self::XfrNs { trid, to, from } => {
                line.first("XFR").word(trid).word("NS").word(to).word(0).word(from).end();
            }
            Self::XfrSb { trid, to, cookie } => {
                line.first("XFR").word(trid).word("SB").word(to).word("CKI").word(cookie).end();
            }
            Self::Rng { room, to, cookie, address, name } => {
                line.first("RNG").word(room).word(to).word("CKI").word(cookie);
                line.word(address).name(name).end();
            }
            Self::Msg { payload } => {
                line.first("MSG Hotmail Hotmail").word(payload.len()).end();
                out.extend_from_slice(payload.as_bytes());
            }
            // MSNP8 clients would read the documents as commands.
            Self::Not { .. } | Self::Ipg { .. } if dialect == Dialect::Msnp8 => {}
            Self::Not { head, body } => {
                line.first("NOT").word(head.len() + body.len()).end();
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(body);
            }
            Self::Ipg { document } => {
                line.first("IPG").word(document.len()).end();
                out.extend_from_slice(document.as_bytes());
            }
            Self::SynCurrent { trid, version } => line.first("SYN").word(trid).word(version).end(),
            Self::Syn { trid, version, contacts, groups } => {
                line.first("SYN").word(trid).word(version).word(contacts).word(groups).end();
            }
            Self::SynPrompt(prompt) => line.first("GTC").word(prompt.code()).end(),
            Self::SynPrivacy(privacy) => line.first("BLP").word(privacy.code()).end(),
            // MSNP8 knows no web watch.
            Self::SynProperty { key: PropertyKey::WebWatch, .. } if dialect == Dialect::Msnp8 => {}
            Self::SynProperty { key, value } => line.first("PRP").word(key).value(value).end(),
            Self::Lsg(group) => {
                let name = escape::encode(group.name.as_str(), GROUP_NAME_BYTES_MAX);
                line.first("LSG").word(group.id).token(name.as_bytes()).word(0).end();
            }
            Self::Lst(contact) => {
                line.first("LST").word(&contact.address).name(&contact.name);
                line.word(contact.lists.0);
                if contact.lists.has(ListBits::FORWARD) {
                    for (index, group) in contact.groups.iter().enumerate() {
                        line.listed(index, group);
                    }
                }
                line.end();
            }
            Self::SynContactProperty { key, value } => {
                line.first("BPR").word(key).value(value).end();
            }
            Self::Chg { trid, status, client_id, object } => {
                line.first("CHG").word(trid).token(status);
                match (dialect, client_id) {
                    // COMPAT(Twisted, bitlbee): they count four words.
                    (Dialect::Msnp8, client_id) => line.token(client_id.unwrap_or(b"0")).skip(),
                    (Dialect::Msnp9, Some(client_id)) => line.token(client_id).skip(),
                    (Dialect::Msnp9, None) => {}
                }
                if let (Dialect::Msnp9, Some(object)) = (dialect, object) {
                    line.token(object);
                }
                line.end();
            }
            Self::Iln { trid, nln } => {
                line.first("ILN").word(trid);
                // From the space behind the verb to the line end.
                out.extend_from_slice(nln.get(3..).unwrap_or_default());
            }
            Self::Nln { address, name, presence } => {
                line.first("NLN").word(presence.status).word(address).name(name);
                line.word(presence.client_id);
                if let (Dialect::Msnp9, Some(object)) = (dialect, &presence.object) {
                    line.token(object);
                }
                line.end();
            }
            Self::Fln { address } => line.first("FLN").word(address).end(),
            Self::Qng { secs } => {
                line.first("QNG");
                if dialect == Dialect::Msnp9 {
                    line.word(secs);
                }
                line.end();
            }
            Self::Chl { trid, challenge } => line.first("CHL").word(trid).word(challenge).end(),
            Self::Qry { trid } => line.first("QRY").word(trid).end(),
            Self::Out => line.first("OUT").end(),
            Self::OutOther => line.first("OUT OTH").end(),
            Self::OutShutdown => line.first("OUT SSD").end(),
            Self::Gtc { trid, version, prompt } => {
                line.first("GTC").word(trid).word(version).word(prompt.code()).end();
            }
            Self::Blp { trid, version, privacy } => {
                line.first("BLP").word(trid).word(version).word(privacy.code()).end();
            }
            Self::Prp { trid, version, key, value } => {
                line.first("PRP").word(trid).word(version).word(key);
                if let Some(value) = value {
                    line.token(value);
                }
                line.end();
            }
            Self::Bpr { version, address, key, value } => {
                line.first("BPR").word(version).word(address).word(key);
                if let Some(value) = value {
                    line.value(value);
                }
                line.end();
            }
            Self::Add { trid, list, version, address, name, group } => {
                line.first("ADD").word(trid).word(list.code()).word(version).word(address);
                line.token(name).optional(group.as_ref()).end();
            }
            Self::AddReverse { version, address, name } => {
                line.first("ADD 0 RL").word(version).word(address).name(name).end();
            }
            Self::Rem { trid, list, version, address, group } => {
                line.first("REM").word(trid).word(list.code()).word(version).word(address);
                line.optional(group.as_ref()).end();
            }
            Self::RemReverse { version, address } => {
                line.first("REM 0 RL").word(version).word(address).end();
            }
            Self::Adg { trid, version, name, group } => {
                line.first("ADG").word(trid).word(version).token(name).word(group).word(0).end();
            }
            Self::Reg { trid, version, group, name } => {
                line.first("REG").word(trid).word(version).word(group).token(name).word(0).end();
            }
            Self::Rmg { trid, version, group } => {
                line.first("RMG").word(trid).word(version).word(group).end();
            }
            Self::Url { trid, page, login, site_id } => {
                line.first("URL").word(trid).word(page).word(login).word(site_id).end();
            }
            Self::InvitationTaken { trid, verb } => line.first(verb).word(trid).word("OK").end(),
            Self::Ims { trid, on } => {
                line.first("IMS").word(trid).word(0).word(if *on { "ON" } else { "OFF" }).end();
            }
            Self::Rea { trid, version, address, name } => {
                line.first("REA").word(trid).word(version).word(address).token(name).end();
            }
            Self::UsrConversation { trid, address, name } => {
                line.first("USR").word(trid).word("OK").word(address).name(name).end();
            }
            Self::Cal { trid, room } => {
                line.first("CAL").word(trid).word("RINGING").word(room).end();
            }
            Self::Iro { trid, index, total, address, name } => {
                line.first("IRO").word(trid).word(index).word(total);
                line.word(address).name(name).end();
            }
            Self::AnsOk { trid } => line.first("ANS").word(trid).word("OK").end(),
            Self::Joi { address, name } => line.first("JOI").word(address).name(name).end(),
            Self::Bye { address, idle } => {
                line.first("BYE").word(address).optional(idle.then_some(1)).end();
            }
            Self::Said { address, name, payload } => {
                line.first("MSG").word(address).name(name).word(payload.len()).end();
                out.extend_from_slice(payload);
            }
            Self::SaidBy { head, payload } => {
                line.first(*head).word(payload.len()).end();
                out.extend_from_slice(payload);
            }
            Self::Ack { trid } => line.first("ACK").word(trid).end(),
            Self::Nak { trid } => line.first("NAK").word(trid).end(),
        }
    }
}

#[cfg(test)]
mod tests;
