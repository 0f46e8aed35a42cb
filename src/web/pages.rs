//! The pages behind the client's buttons and links. They say the same to everybody, and what they
//! are asked about is not looked at.

use super::{Visit, html};
use crate::http1::Response;

/// A page of text.
struct Page {
    path: &'static str,
    heading: &'static str,
    text: &'static [&'static str],
}

const NO_MAIL: &str = "There is no mail on this network.";
const ASK: &str = "Ask whoever runs this network; your account was made there, too.";
const IN_CLIENT: &str = "You can change your name, picture and phone numbers in Messenger itself: \
                         open Options in the Tools menu.";

#[rustfmt::skip]
const PAGES: &[Page] = &[
    Page { path: "/inbox", heading: "Inbox", text: &[NO_MAIL] },
    Page { path: "/folders", heading: "Folders", text: &[NO_MAIL] },
    Page { path: "/compose", heading: "Send mail", text: &[
        NO_MAIL, "To write to somebody, use the mail program of your computer."] },
    Page { path: "/message", heading: "Message", text: &[NO_MAIL] },
    Page { path: "/account", heading: "Your account", text: &[IN_CLIENT, ASK] },
    Page { path: "/profile", heading: "Profile", text: &[
        "There are no member profiles on this network.", IN_CLIENT] },
    Page { path: "/password", heading: "Change password", text: &[
        "A password cannot be changed here, where everybody on the way could read it.", ASK] },
    Page { path: "/mobile", heading: "Mobile", text: &[
        "This network sends nothing to mobile phones.", IN_CLIENT] },
    Page { path: "/chat", heading: "Chat rooms", text: &[
        "There are no chat rooms on this network. To talk to several people at once, invite them \
         into a conversation."] },
    Page { path: "/people", heading: "Address book", text: &[
        "There is no address book on this network. Your contacts are in Messenger itself."] },
    Page { path: "/search", heading: "Search", text: &[
        "There is no list of members here. To add somebody, you need to know the address they \
         sign in with."] },
    Page { path: "/phone", heading: "Phone calls", text: &[
        "Messenger cannot call telephones on this network."] },
    Page { path: "/register", heading: "Sign up", text: &["You cannot sign up here.", ASK] },
    Page { path: "/privacy", heading: "Privacy", text: &[
        "Your contact list, your name and your status are kept by whoever runs this network.",
        "Messenger does not encrypt: who can read the network between you and the server can read \
         conversations."] },
    Page { path: "/redir", heading: "Elsewhere", text: &["This link leads nowhere any more."] },
    Page { path: "/help", heading: "Help", text: &[
        "If Messenger does not sign in, look at date and time of your computer first, then at the \
         address and password you typed. Only the first 16 characters of a password count.", ASK] },
    Page { path: "/connection", heading: "Connection troubles", text: &[
        "Messenger needs port 1863 of the server, and port 443 to sign in. A firewall on your \
         computer must let it through.", ASK] },
    Page { path: "/avatars", heading: "Pictures", text: &[IN_CLIENT] },
    Page { path: "/feedback", heading: "Feedback", text: &[ASK] },
    Page { path: "/news", heading: "What is new", text: &[
        "Nothing to tell. This network is about what was new in 2003."] },
    Page { path: "/download", heading: "Download", text: &["There is nothing to download here.", ASK] },
    Page { path: "/tos", heading: "Terms of use", text: &[
        "Whoever runs this network decides what is welcome on it.", ASK] },
    Page { path: STATUS, heading: "Status", text: &["The service is up."] },
    Page { path: "/tab", heading: "Welcome", text: &["The pages of this network open here."] },
];
const STATUS: &str = "/status";

/// Whether there is a page.
pub(super) fn exists(path: &str) -> bool {
    local(path).is_some()
}

/// Our own path of a page, never the one that was asked for.
pub(super) fn local(path: &str) -> Option<&'static str> {
    find(path).map(|page| page.path)
}

/// The page of the request's path.
pub(super) fn answer(visit: &Visit<'_>) -> Response {
    find(&visit.request.path).map_or_else(html::nothing, |page| page.show(visit))
}

/// Whether the service is up; the page says it by being there.
pub(super) fn status(visit: &Visit<'_>) -> Response {
    find(STATUS).map_or_else(html::nothing, |page| page.show(visit))
}

/// The start page, and what clients open after sign-in.
pub(super) fn today(visit: &Visit<'_>) -> Response {
    let config = visit.config;
    html::page(&config.title, &config.title, &[&config.welcome])
}

fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}

impl Page {
    fn show(&self, visit: &Visit<'_>) -> Response {
        html::page(&visit.config.title, self.heading, self.text)
    }
}
