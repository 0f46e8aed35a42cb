//! Transport below the protocol: accepting, reading, writing, encrypting.

pub mod tls;
