//! msnd: an MSN Messenger server for MSNP8 and MSNP9. One process with the roles dispatch,
//! notification, switchboard and Passport sign-in.
//!
//! The modules in reading order; who may import whom is in ARCHITECTURE.md and held by
//! `tests/it/tidy.rs`.

pub mod model;
pub mod protocol;

pub mod config;
pub mod metrics;
pub mod telemetry;

pub mod account;
pub mod alert;
pub mod ctt;
pub mod fixture;
pub mod hub;
pub mod setup;
pub mod store;

pub mod admin;
pub mod dispatch;
pub mod gateway;
pub mod http1;
pub mod net;
pub mod notification;
pub mod passport;
pub mod session;
pub mod switchboard;
pub mod web;
pub mod welcome;

pub mod cli;
pub mod doctor;
pub mod server;
