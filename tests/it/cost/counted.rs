//! A store that notes what it is asked, and a transport that counts what is written to it.

use crate::support::client::PATIENCE;
use async_trait::async_trait;
use msnd::{
    model::{AccountId, Address, Applied, Edit, Roster},
    store::{
        Account, EditError, NewAccount, PasswordHash, Publish, SchemaStatus, SignIn, Store,
        StoreError,
    },
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::HashMap,
    io::{self, IoSlice},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A store behind which another one does the work.
#[derive(Debug)]
pub(super) struct Counted {
    store: Arc<dyn Store>,
    calls: Mutex<Vec<&'static str>>,
    called: Condvar,
}

impl Counted {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, calls: Mutex::default(), called: Condvar::new() }
    }

    /// Begins to count anew.
    pub(super) fn forget(&self) {
        self.calls.lock().clear();
    }

    /// What was asked, by the names of the methods; the watch over accounts aside, which asks by
    /// the clock.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().clone()
    }

    /// Waits until something has been asked.
    pub(super) fn await_call(&self, name: &str) {
        let mut calls = self.calls.lock();
        while !calls.contains(&name) {
            let waited = self.called.wait_for(&mut calls, PATIENCE);
            assert!(!waited.timed_out(), "no {name}, only {calls:?}");
        }
    }

    fn note(&self, name: &'static str) -> &dyn Store {
        self.calls.lock().push(name);
        self.called.notify_all();
        &*self.store
    }
}

#[async_trait]
impl Store for Counted {
    async fn create_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.note("create_accounts").create_accounts(accounts).await
    }

    async fn replace_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.note("replace_accounts").replace_accounts(accounts).await
    }

    async fn export(&self, only: Option<&[Address]>) -> Result<Vec<(Account, Roster)>, StoreError> {
        self.note("export").export(only).await
    }

    async fn account(&self, address: &Address) -> Result<Account, StoreError> {
        self.note("account").account(address).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.note("accounts").accounts().await
    }

    async fn standing_changes(&self) -> Result<i64, StoreError> {
        self.store.standing_changes().await
    }

    async fn standings(&self) -> Result<HashMap<AccountId, bool>, StoreError> {
        self.store.standings().await
    }

    async fn set_password(&self, address: &Address, hash: PasswordHash) -> Result<(), StoreError> {
        self.note("set_password").set_password(address, hash).await
    }

    async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), StoreError> {
        self.note("set_enabled").set_enabled(address, enabled).await
    }

    async fn remove_account(&self, address: &Address) -> Result<(), StoreError> {
        self.note("remove_account").remove_account(address).await
    }

    async fn sign_in(&self, id: AccountId) -> Result<SignIn, StoreError> {
        self.note("sign_in").sign_in(id).await
    }

    async fn roster(&self, id: AccountId) -> Result<Roster, StoreError> {
        self.note("roster").roster(id).await
    }

    async fn edit(
        &self,
        owner: AccountId,
        edit: Edit,
        publish: Publish,
    ) -> Result<Applied, EditError> {
        self.note("edit").edit(owner, edit, publish).await
    }

    async fn schema(&self) -> Result<SchemaStatus, StoreError> {
        self.note("schema").schema().await
    }

    async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        self.note("backup").backup(target).await
    }

    async fn close(&self) {
        self.note("close").close().await;
    }
}

/// A transport that takes everything at once, like a socket with room, and counts how often.
pub(super) struct Wire {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl Wire {
    /// The transport, and how often something was written to it.
    pub(super) fn new(stream: DuplexStream) -> (Self, Arc<AtomicUsize>) {
        let writes = Arc::new(AtomicUsize::new(0));
        (Self { stream, writes: writes.clone() }, writes)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        Pin::new(&mut self.stream).poll_write(cx, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
