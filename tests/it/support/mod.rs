//! What the integration tests share: a real server on kernel-chosen ports, and a line client.

pub mod client;
pub mod server;

pub use client::Client;
pub use server::TestServer;
