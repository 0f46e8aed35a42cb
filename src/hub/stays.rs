//! Who is in conversations, signed in or not: what ends all of an account's at once. Outlives the
//! session that the conversations came from, and nothing else. Knows no conversation.

use super::{Person, by_account::ByAccount};
use crate::model::{AccountId, Address};
use std::sync::{Arc, Weak};
use tokio_util::sync::CancellationToken;

/// Below so many entries nothing is swept.
const SWEPT_MIN: usize = 64;

/// One token for each account, as long as a conversation holds it. Entries of those that have ended
/// go when their number has doubled since the last sweep: there are at most twice as many as there
/// were accounts in conversations then, and a few.
#[derive(Debug, Default)]
pub(super) struct Stays {
    by_account: ByAccount<Stay>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Stay {
    address: Address,
    over: Weak<CancellationToken>,
}

impl Stays {
    /// What ends the account's conversations, those of its earlier sessions included.
    pub(super) fn token(&mut self, person: &Person) -> Arc<CancellationToken> {
        if let Some(over) = self.by_account.get(&person.id).and_then(|stay| stay.over.upgrade()) {
            return over;
        }
        self.sweep();
        let over = Arc::new(CancellationToken::new());
        let stay = Stay { address: person.address.clone(), over: Arc::downgrade(&over) };
        self.by_account.insert(person.id, stay);
        over
    }

    /// Ends all conversations of the account. Returns whether it was in any.
    pub(super) fn end(&mut self, id: AccountId) -> bool {
        let over = self.by_account.remove(&id).and_then(|stay| stay.over.upgrade());
        over.inspect(|over| over.cancel()).is_some()
    }

    /// Who is in conversations under this handle. Looks at everybody.
    pub(super) fn find(&self, address: &Address) -> Option<AccountId> {
        let mut living = self.by_account.iter().filter(|(_, stay)| stay.is_living());
        living.find(|(_, stay)| stay.address == *address).map(|(id, _)| *id)
    }

    /// Who is in conversations.
    pub(super) fn accounts(&self) -> Vec<AccountId> {
        let living = self.by_account.iter().filter(|(_, stay)| stay.is_living());
        living.map(|(id, _)| *id).collect()
    }

    fn sweep(&mut self) {
        if self.by_account.len() >= self.sweep_at.max(SWEPT_MIN) {
            self.by_account.retain(|_, stay| stay.is_living());
            self.sweep_at = 2 * self.by_account.len();
        }
    }
}

impl Stay {
    fn is_living(&self) -> bool {
        self.over.strong_count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    fn person(id: usize) -> Arc<Person> {
        let address = Address::parse(&format!("u{id}@example.test")).unwrap();
        Person::new(AccountId(id as u64), address, Name::new("U").unwrap())
    }

    #[test]
    fn entries_are_bounded_by_twice_the_accounts_in_conversations() {
        let mut stays = Stays::default();
        let kept: Vec<_> = (0..100).map(|id| stays.token(&person(id))).collect();
        for id in 100..10_000 {
            drop(stays.token(&person(id)));
            assert!(stays.by_account.len() <= 2 * kept.len() + 1);
        }
        assert_eq!(stays.accounts().len(), kept.len());
        assert!(stays.find(&person(7).address).is_some());
        assert!(stays.find(&person(700).address).is_none());
    }

    #[test]
    fn an_end_is_for_those_that_are_and_not_for_those_to_come() {
        let mut stays = Stays::default();
        let person = person(1);
        let (first, second) = (stays.token(&person), stays.token(&person));
        assert!(stays.end(person.id) && !stays.end(person.id));
        assert!(first.is_cancelled() && second.is_cancelled());
        assert!(!stays.token(&person).is_cancelled());
    }
}
