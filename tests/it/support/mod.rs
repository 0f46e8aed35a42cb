//! What the integration tests share: a real server on kernel-chosen ports, and a line client.

pub(crate) mod client;
pub(crate) mod server;

pub(crate) use client::Client;
pub(crate) use server::TestServer;
