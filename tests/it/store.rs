//! What every store must do, whatever the database. A new database is one more line in
//! [`benches`]; what only SQLite's file can show is in `store/file.rs`.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not what tests share")]

mod accounts;
mod edits;
mod file;
mod groups;
mod lists_model;
mod news;
mod order;
mod schema_one;
mod settings;

use msnd::{
    config::Synchronous,
    model::{
        AccountId, Address, Applied, Change, Contact, Edit, GroupId, GroupSet, List, ListBits,
        Name, Refusal, Roster, roster::RosterLimits,
    },
    store::{
        EditError, NewAccount, NewContact, PasswordHash, Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;

/// Small, so that tests can fill a list.
pub(crate) const LIMITS: RosterLimits = RosterLimits { forward_max: 3, allow_block_max: 2 };

/// A store of its own for each database that there is.
pub(crate) async fn benches() -> Vec<Bench> {
    vec![sqlite().await]
}

async fn sqlite() -> Bench {
    eprintln!("on SQLite");
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(sqlite_options(folder.path())).await.unwrap();
    Bench { store: Arc::new(store), published: Arc::default(), _folder: folder }
}

pub(crate) fn sqlite_options(folder: &Path) -> SqliteOptions {
    SqliteOptions {
        path: folder.join("msnd.sqlite"),
        synchronous: Synchronous::Off,
        readers: 2,
        limits: LIMITS,
        create: true,
    }
}

/// A store and everything it published.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) published: Arc<Mutex<Vec<Applied>>>,
    _folder: TempDir,
}

impl Bench {
    /// Makes `alice`, `bob` and `carol`, all with default settings.
    pub(crate) async fn trio(&self) -> [AccountId; 3] {
        let made = ["alice", "bob", "carol"].map(new_account).into();
        self.store.create_accounts(made).await.unwrap();
        [self.id("alice").await, self.id("bob").await, self.id("carol").await]
    }

    pub(crate) async fn id(&self, who: &str) -> AccountId {
        self.store.account(&address(who)).await.unwrap().id
    }

    pub(crate) async fn roster(&self, of: AccountId) -> Roster {
        self.store.roster(of).await.unwrap()
    }

    /// `who` on the lists of `of`.
    pub(crate) async fn entry(&self, of: AccountId, who: AccountId) -> Option<Contact> {
        self.roster(of).await.contacts.into_iter().find(|contact| contact.id == who)
    }

    /// The lists on which `of` has `who`.
    pub(crate) async fn lists(&self, of: AccountId, who: AccountId) -> ListBits {
        self.entry(of, who).await.map_or(ListBits::NONE, |contact| contact.lists)
    }

    pub(crate) async fn edit(&self, owner: AccountId, edit: Edit) -> Result<Applied, EditError> {
        let published = Arc::clone(&self.published);
        let publish = move |applied: &Applied| published.lock().push(applied.clone());
        self.store.edit(owner, edit, Box::new(publish)).await
    }

    /// Makes an edit and sees that it was published, and stored under the version it reports.
    pub(crate) async fn done(&self, owner: AccountId, edit: Edit) -> Applied {
        let applied = self.edit(owner, edit).await.unwrap();
        assert_eq!(self.published.lock().last(), Some(&applied));
        assert_eq!(applied.owner, owner);
        assert_eq!(self.roster(owner).await.version, applied.version);
        applied
    }

    /// Makes an edit whose version must be one more than before.
    pub(crate) async fn change(&self, owner: AccountId, edit: Edit) -> Change {
        let before = self.roster(owner).await.version;
        let applied = self.done(owner, edit).await;
        assert_eq!(applied.version, before + 1);
        applied.change
    }

    /// Tries an edit and sees that its refusal changed and published nothing.
    pub(crate) async fn refused(&self, owner: AccountId, edit: Edit) -> Refusal {
        let before = (self.roster(owner).await, self.published.lock().len());
        let refusal = match self.edit(owner, edit.clone()).await {
            Err(EditError::Refused(refusal)) => refusal,
            other => panic!("{edit:?} was not refused: {other:?}"),
        };
        assert_eq!((self.roster(owner).await, self.published.lock().len()), before);
        refusal
    }
}

/// `who@example.test`
pub(crate) fn address(who: &str) -> Address {
    Address::parse(&format!("{who}@example.test")).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn group(id: u32) -> Option<GroupId> {
    Some(GroupId::new(id).unwrap())
}

/// `alice@example.test`, named `Alice's own name` for `alice`.
pub(crate) fn new_account(who: &str) -> NewAccount {
    NewAccount::new(address(who), own_name(who), PasswordHash("$argon2id$secret".into()))
}

pub(crate) fn own_name(who: &str) -> Name {
    name(&format!("{who}'s own name"))
}

pub(crate) fn new_contact(who: &str, lists: u8, groups: u32) -> NewContact {
    NewContact {
        address: address(who),
        name: name(who),
        lists: ListBits(lists),
        groups: GroupSet(groups),
    }
}

pub(crate) fn add(list: List, who: &str) -> Edit {
    add_as(list, who, who, None)
}

pub(crate) fn add_as(list: List, who: &str, named: &str, group: Option<GroupId>) -> Edit {
    Edit::Add { list, contact: address(who), name: name(named), group }
}

pub(crate) fn remove(list: List, who: &str) -> Edit {
    remove_from(list, who, None)
}

pub(crate) fn remove_from(list: List, who: &str, group: Option<GroupId>) -> Edit {
    Edit::Remove { list, contact: address(who), group }
}
