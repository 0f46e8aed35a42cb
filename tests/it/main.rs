//! All integration tests, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod alerts;
mod cli;
mod conversations;
mod cost;
mod crash;
mod crowd;
mod edge;
mod fuzz;
mod hostile;
mod hub;
mod matrix;
mod moving;
mod passport;
mod process;
mod rooms;
mod sessions;
mod store;
mod support;
mod tidy;
mod transcripts;
mod welcome;
