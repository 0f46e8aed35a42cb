//! All integration tests, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cli;
mod hostile;
mod hub;
mod passport;
mod process;
mod store;
mod support;
mod transcripts;
