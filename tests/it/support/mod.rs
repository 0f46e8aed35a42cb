//! What the integration tests share: a real server on kernel-chosen ports, a line client, and what
//! a client should know after its own edits.

pub(crate) mod book;
pub(crate) mod client;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod store;

pub(crate) use client::Client;
pub(crate) use server::TestServer;

/// Waits for what another thread or process does; a test that waits in vain fails.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let began = tokio::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < client::PATIENCE, "it never became so");
        std::thread::yield_now();
    }
}
