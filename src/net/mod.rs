//! Transport below the protocol: accepting connections and encrypting them.

pub mod listener;
pub mod proxy;
pub mod refusals;
pub mod tls;
pub mod wire;
