//! What is sent to people from outside their lists: alerts, news of mail, pages.

use super::State;
use crate::{
    hub::{Event, MailNews, PostedAlert},
    model::{AccountId, Page},
};
use std::sync::Arc;

impl State {
    pub(in crate::hub) fn post_alert(
        &mut self,
        recipients: &[AccountId],
        alert: Arc<PostedAlert>,
    ) -> usize {
        let event = Event::Alert(alert);
        let mut told = 0;
        for id in recipients {
            self.arrivals.alert(*id);
            if self.members.get(id).is_some_and(|member| member.takes_documents()) {
                self.tell(*id, event.clone());
                told += 1;
            }
        }
        self.settle();
        told
    }

    pub(in crate::hub) fn tell_mail(&mut self, id: AccountId, news: Arc<MailNews>) {
        self.arrivals.mail(id, news.mailbox);
        self.tell(id, Event::Mail(news));
        self.settle();
    }

    pub(in crate::hub) fn hears_alerts(&self, id: AccountId) -> bool {
        let member = self.members.get(&id);
        member.is_some_and(|member| member.takes_documents() && member.presence.is_some())
    }

    pub(in crate::hub) fn page(&mut self, from: AccountId, to: AccountId, page: Arc<Page>) -> bool {
        let takes_it = self.members.get(&to).is_some_and(|member| {
            member.takes_documents() && member.visible().is_some() && member.circle.allows(from)
        });
        if takes_it {
            self.tell(to, Event::Page(page));
            self.settle();
        }
        takes_it
    }
}
