//! All integration tests, in one binary.

mod hub;
mod support;
mod transcripts;
