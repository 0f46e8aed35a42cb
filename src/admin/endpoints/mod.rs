//! One file for each thing that can be asked.

pub(super) mod alerts;
pub(super) mod announcements;
pub(super) mod health;
pub(super) mod mail;
pub(super) mod mailbox;
pub(super) mod metrics;
pub(super) mod online;
pub(super) mod openapi;
pub(super) mod rooms;
pub(super) mod sessions;
pub(super) mod status;
