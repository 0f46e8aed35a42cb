//! Verbs that DS and NS share: the greeting and the version talk.

pub mod cvr;
pub mod ver;
