//! Hands the welcome robot what it needs, if there is to be one. Knows nothing of what it does.

use super::{Parts, Running, StartError};
use crate::{
    hub::SessionId,
    model::Address,
    store::password::PasswordHasher,
    welcome::{self, Welcome},
};
use std::sync::Arc;

/// Makes the robot's account if it is missing, and signs it in.
pub(super) async fn start(
    parts: &Parts,
    running: &Running,
    hasher: &Arc<PasswordHasher>,
) -> Result<(), StartError> {
    let Some(switchboard) = parts.switchboard.clone() else { return Ok(()) };
    // Empty if there is to be none; anything else has been checked.
    let Ok(address) = Address::parse(&parts.config.welcome.address) else { return Ok(()) };
    let admission = running.admission.clone();
    let surroundings = welcome::Surroundings {
        store: running.store.clone(),
        hub: running.hub.clone(),
        switchboard,
        hasher: hasher.clone(),
        tasks: running.tasks.clone(),
        closing: running.closing.clone(),
        draining: running.draining.clone(),
        next_session: Box::new(move || SessionId(admission.next_id())),
    };
    Ok(Welcome::start(address, &parts.config.welcome, surroundings).await?)
}
