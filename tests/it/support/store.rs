//! A store that notes what it is asked, and fails when told to.

use super::client::PATIENCE;
use async_trait::async_trait;
use msnd::{
    model::{AccountId, Address, AlertId, Applied, Edit, Mailbox, Roster, mail::MailChange},
    store::{
        Account, Audience, Callee, EditError, NewAccount, NewAlert, PasswordHash, Posted, Publish,
        PublishMail, SchemaStatus, SignIn, Store, StoreError, Waiting,
    },
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Barrier;

/// A store behind which another one does the work. The server's watch over accounts is neither
/// noted nor disturbed: it asks by the clock.
#[derive(Debug)]
pub(crate) struct Observed {
    store: Arc<dyn Store>,
    calls: Mutex<Vec<&'static str>>,
    called: Condvar,
    fails: AtomicBool,
    fails_from: Mutex<Option<&'static str>>,
    held_sign_in: Mutex<Option<Arc<Barrier>>>,
}

impl Observed {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            calls: Mutex::default(),
            called: Condvar::new(),
            fails: AtomicBool::new(false),
            fails_from: Mutex::default(),
            held_sign_in: Mutex::default(),
        }
    }

    /// Begins to count anew.
    pub(crate) fn forget(&self) {
        self.calls.lock().clear();
    }

    /// What was asked, by the names of the methods.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().clone()
    }

    /// Waits until something has been asked.
    pub(crate) fn await_call(&self, name: &str) {
        let mut calls = self.calls.lock();
        while !calls.contains(&name) {
            let waited = self.called.wait_for(&mut calls, PATIENCE);
            assert!(!waited.timed_out(), "no {name}, only {calls:?}");
        }
    }

    /// From now on everything fails, or nothing.
    pub(crate) fn set_failing(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// From the next call of this method on everything fails.
    pub(crate) fn fail_from(&self, name: &'static str) {
        *self.fails_from.lock() = Some(name);
    }

    /// Holds the answer to the next sign-in back: it has been read when the barrier is reached for
    /// the first time, and is given when it is reached for the second time.
    pub(crate) fn hold_sign_in(&self) -> Arc<Barrier> {
        let barrier = Arc::new(Barrier::new(2));
        *self.held_sign_in.lock() = Some(barrier.clone());
        barrier
    }

    fn note(&self, name: &'static str) -> Result<&dyn Store, StoreError> {
        self.calls.lock().push(name);
        self.called.notify_all();
        if self.fails_from.lock().take_if(|from| *from == name).is_some() {
            self.set_failing(true);
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable(anyhow::anyhow!("told to fail")));
        }
        Ok(&*self.store)
    }
}

#[async_trait]
impl Store for Observed {
    async fn create_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.note("create_accounts")?.create_accounts(accounts).await
    }

    async fn replace_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.note("replace_accounts")?.replace_accounts(accounts).await
    }

    async fn export(&self, only: Option<&[Address]>) -> Result<Vec<(Account, Roster)>, StoreError> {
        self.note("export")?.export(only).await
    }

    async fn account(&self, address: &Address) -> Result<Account, StoreError> {
        self.note("account")?.account(address).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.note("accounts")?.accounts().await
    }

    async fn standing_changes(&self) -> Result<i64, StoreError> {
        self.store.standing_changes().await
    }

    async fn standings(&self) -> Result<HashMap<AccountId, bool>, StoreError> {
        self.store.standings().await
    }

    async fn set_password(&self, address: &Address, hash: PasswordHash) -> Result<(), StoreError> {
        self.note("set_password")?.set_password(address, hash).await
    }

    async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), StoreError> {
        self.note("set_enabled")?.set_enabled(address, enabled).await
    }

    async fn remove_account(&self, address: &Address) -> Result<(), StoreError> {
        self.note("remove_account")?.remove_account(address).await
    }

    async fn add_alert(
        &self,
        alert: NewAlert,
        audience: Arc<dyn Audience>,
    ) -> Result<Posted, StoreError> {
        self.note("add_alert")?.add_alert(alert, audience).await
    }

    async fn waiting_alerts(&self, id: AccountId, now_secs: i64) -> Result<Waiting, StoreError> {
        self.note("waiting_alerts")?.waiting_alerts(id, now_secs).await
    }

    async fn settle_alerts(&self, settled: Vec<(AccountId, AlertId)>) -> Result<(), StoreError> {
        self.note("settle_alerts")?.settle_alerts(settled).await
    }

    async fn set_mailbox(&self, address: &Address, has_one: bool) -> Result<(), StoreError> {
        self.note("set_mailbox")?.set_mailbox(address, has_one).await
    }

    async fn change_mail(
        &self,
        address: &Address,
        change: MailChange,
        publish: PublishMail,
    ) -> Result<Mailbox, StoreError> {
        self.note("change_mail")?.change_mail(address, change, publish).await
    }

    async fn takes_pages(&self, address: &Address) -> Result<(AccountId, bool), StoreError> {
        self.note("takes_pages")?.takes_pages(address).await
    }

    async fn sign_in(&self, id: AccountId) -> Result<SignIn, StoreError> {
        let read = self.note("sign_in")?.sign_in(id).await;
        let held = self.held_sign_in.lock().take();
        if let Some(held) = held {
            held.wait().await;
            held.wait().await;
        }
        read
    }

    async fn callee(&self, callee: &Address, caller: AccountId) -> Result<Callee, StoreError> {
        self.note("callee")?.callee(callee, caller).await
    }

    async fn roster(&self, id: AccountId) -> Result<Roster, StoreError> {
        self.note("roster")?.roster(id).await
    }

    async fn edit(
        &self,
        owner: AccountId,
        edit: Edit,
        publish: Publish,
    ) -> Result<Applied, EditError> {
        self.note("edit")?.edit(owner, edit, publish).await
    }

    async fn schema(&self) -> Result<SchemaStatus, StoreError> {
        self.note("schema")?.schema().await
    }

    async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        self.note("backup")?.backup(target).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
