//! msnd: an MSN Messenger server (MSNP8 and MSNP9) in one process. In reading order:

pub mod account;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod fixture;
pub mod hub;
pub mod model;
pub mod net;
pub mod notification;
pub mod passport;
pub mod protocol;
pub mod server;
pub mod session;
pub mod store;
