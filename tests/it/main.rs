//! All integration tests, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod alerts;
mod certificates;
mod cli;
mod conversations;
mod cost;
mod crash;
mod crowd;
mod doctor;
mod edge;
mod fuzz;
mod gateway;
mod hostile;
mod hub;
mod kept;
mod matrix;
mod moving;
mod passport;
mod process;
mod proxied;
mod rooms;
mod routes;
mod sessions;
mod store;
mod support;
mod tidy;
#[cfg(feature = "legacy-tls")]
mod tls;
mod transcripts;
mod web;
mod welcome;
