//! The binary as a process of its own: what it promises to whoever starts, watches and stops it.

mod accounts;
pub(crate) mod child;
mod contract;
mod conversation;
mod lifecycle;
mod roles;
mod secrets;
mod welcome;
