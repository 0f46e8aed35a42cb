//! Ends sessions and conversations of accounts that another process (`msnd user`) has removed or
//! disabled. One timer for the whole server, and one small query when it fires.

use crate::{
    hub::Hub,
    store::{Store, StoreError},
};
use std::{sync::Arc, time::Duration};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;

/// Looks every `interval` until `stop`.
pub(super) async fn watch(
    store: Arc<dyn Store>,
    hub: Hub,
    interval: Duration,
    stop: CancellationToken,
) {
    // A sign-in that read its account just before the change registers just after it: every
    // change is acted upon at two looks.
    let (mut known, mut looks_left) = (None, 0u8);
    loop {
        match store.standing_changes().await {
            Ok(number) => {
                if known.replace(number) != Some(number) {
                    looks_left = 2;
                }
                if looks_left > 0 {
                    looks_left -= 1;
                    if let Err(error) = enforce(&*store, &hub).await {
                        tracing::warn!("cannot look for removed accounts: {error:#}");
                        known = None;
                    }
                }
            }
            Err(error) => tracing::debug!("cannot look for changed accounts: {error:#}"),
        }
        select! {
            () = stop.cancelled() => return,
            () = sleep(interval) => {}
        }
    }
}

async fn enforce(store: &dyn Store, hub: &Hub) -> Result<(), StoreError> {
    let (online, conversing, watched) = (hub.online(), hub.conversing(), hub.watched());
    if online.is_empty() && conversing.is_empty() {
        return Ok(());
    }
    let standings = store.standings().await?;
    for id in online.into_iter().chain(conversing).chain(watched) {
        match standings.get(&id) {
            Some(true) => {}
            Some(false) => hub.expel(id),
            None => hub.forget(id),
        }
    }
    Ok(())
}
