//! What a session is told from outside its lists: alerts, mail, pages; and what of it waited while
//! nobody was signed in.

use super::{SignedIn, handshake::unix_secs};
use crate::{
    hub::{MailEvent, MailNews, Memo, PostedAlert},
    model::{Alert, AlertId, Page},
    protocol::{
        Dialect, Event, mail,
        notification::{self, Recipient},
    },
    session::{Outbox, Reject},
};
use bytes::Bytes;

impl SignedIn {
    /// Everything that waited for the first `CHG`: what is unread, and alerts, oldest first.
    pub(super) async fn tell_waiting(&mut self, outbox: &mut Outbox) -> Result<(), Reject> {
        if let Some(mailbox) = self.mailbox {
            let inbox = self.mail_pages("INBOX", "");
            let folders = self.mail_pages("FOLDERS", "");
            let payload = mail::initial(mailbox, &inbox, &folders);
            outbox.send(&Event::Msg { payload: &payload });
        }
        if !self.has_alerts || self.dialect == Dialect::Msnp8 {
            return Ok(());
        }
        let under_way = self.context.deliveries.under_way(self.account);
        let now_secs = i64::try_from(unix_secs()).unwrap_or(i64::MAX);
        let waiting = match self.context.store.waiting_alerts(self.account, now_secs).await {
            Ok(waiting) => waiting,
            Err(error) => {
                // They stay where they are until the next sign-in.
                tracing::warn!(session.id = %self.member.session(), user = %self.address,
                    "waiting alerts cannot be read: {error:#}");
                return Ok(());
            }
        };
        // Who has been replaced meanwhile leaves them to the new session.
        self.end_if_parted(outbox)?;
        for id in waiting.illegal {
            tracing::warn!(alert = %id, user = %self.address,
                "a stored alert breaks the rules and is dropped");
            self.context.deliveries.settle(self.account, id);
        }
        for (id, alert) in waiting.alerts {
            if !under_way.contains(&id) {
                self.send_alert(id, &alert, None, outbox);
            }
        }
        Ok(())
    }

    /// An alert was stored a moment ago.
    pub(super) fn tell_alert(&mut self, posted: &PostedAlert, outbox: &mut Outbox) {
        if self.status.is_none() {
            self.has_alerts = true;
            return;
        }
        // The session that takes this one's place finds it in the store.
        if self.dialect == Dialect::Msnp9 && !self.inbox.is_closed() {
            self.send_alert(posted.id, &posted.alert, Some(&posted.memo), outbox);
        }
    }

    /// Numbers rise in commit order: what is not above the last one has been told already.
    fn send_alert(
        &mut self,
        id: AlertId,
        alert: &Alert,
        memo: Option<&Memo<1>>,
        outbox: &mut Outbox,
    ) {
        if self.told_alert.is_some_and(|told| id <= told) {
            return;
        }
        self.told_alert = Some(id);
        let site_url = self.site();
        let head = notification::alert_head(id, alert, &self.recipient(&site_url));
        let encode = || Bytes::from(notification::alert_body(id, alert));
        let body = match memo {
            Some(memo) => memo.get_or_encode(0, encode),
            None => encode(),
        };
        // It stays in the store until the client says something after it.
        outbox.send_with_receipt(&Event::Not { head: &head, body: &body }, id.0);
    }

    pub(super) fn tell_mail(&mut self, news: &MailNews, outbox: &mut Outbox) {
        // Whose profile said that there is no mailbox hears of none before the next sign-in.
        if self.mailbox.is_none() {
            return;
        }
        self.mailbox = Some(news.mailbox);
        if self.status.is_none() {
            return;
        }
        let payload = match &news.what {
            MailEvent::New(new) => {
                mail::new_mail(new, &self.mail_pages("MESSAGE", new.reference()))
            }
            MailEvent::Moved(moved) => mail::moved(moved),
        };
        outbox.send(&Event::Msg { payload: &payload });
    }

    pub(super) fn tell_page(&self, page: &Page, outbox: &mut Outbox) {
        let (site_url, mobile) = (self.site(), self.pages_or_site("MOBILE", ""));
        let lang = self.context.config.notification.lcid;
        let document = notification::page(page, lang, &mobile.page, &self.recipient(&site_url));
        outbox.send(&Event::Ipg { document: &document });
    }

    fn recipient<'a>(&'a self, site_url: &'a str) -> Recipient<'a> {
        Recipient { member_id: self.account.0, address: &self.address, site_url }
    }
}
