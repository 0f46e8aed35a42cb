//! What the integration tests share: a real server on kernel-chosen ports, a line client, and what
//! a client should know after its own edits.

pub(crate) mod book;
pub(crate) mod client;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod store;

pub(crate) use client::Client;
pub(crate) use server::TestServer;
