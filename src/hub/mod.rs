//! Who is online, who watches whom, and where to deliver.

pub mod ticket;
