//! `POST /api/v1/users/{address}/alerts` and `POST /api/v1/alerts`: an alert to one account or to
//! all. The answer comes when it is on disk.

use crate::{
    admin::{Admin, Problem, request::address},
    alert::Recipients,
    config::ALERT_EXPIRY_SECS_MAX,
    model::{Alert, alert::AlertParts},
};
use axum::{
    Json,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// What is not said is as in a general alert of this server. Without `Debug`: texts are in no log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Body {
    text: String,
    html: Option<String>,
    action_url: Option<String>,
    subscribe_url: Option<String>,
    icon: Option<String>,
    site_id: Option<u32>,
    site_url: Option<String>,
    lang: Option<u16>,
    priority: Option<u8>,
    expiry_secs: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Accepted {
    id: u64,
    recipients: usize,
}

type Answer = Result<(StatusCode, Json<Accepted>), Problem>;

pub(in crate::admin) async fn to_one(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Json<Body>, JsonRejection>,
) -> Answer {
    let address = address(path)?;
    send(&admin, Recipients::One(address), body?.0).await
}

pub(in crate::admin) async fn to_all(
    State(admin): State<Arc<Admin>>,
    body: Result<Json<Body>, JsonRejection>,
) -> Answer {
    send(&admin, Recipients::All, body?.0).await
}

async fn send(admin: &Admin, to: Recipients, body: Body) -> Answer {
    let (alert, expiry) = body.read(admin.lang)?;
    let address = match &to {
        Recipients::One(address) => Some(address.clone()),
        Recipients::All => None,
    };
    let accepted = admin.alerts.send_alert(to, alert, expiry).await;
    let accepted = accepted.map_err(|error| Problem::store(address.as_ref(), error))?;
    let (alert, recipients) = (accepted.id, accepted.recipients);
    match &address {
        Some(user) => tracing::info!(%alert, %user, "an alert is accepted"),
        None => tracing::info!(%alert, recipients, "an alert to all is accepted"),
    }
    Ok((StatusCode::ACCEPTED, Json(Accepted { id: alert.0, recipients })))
}

impl Body {
    fn read(self, lang: u16) -> Result<(Alert, Option<Duration>), Problem> {
        let Self { text, html, action_url, subscribe_url, icon, .. } = self;
        let general = AlertParts::general(&text, self.lang.unwrap_or(lang));
        let alert = Alert::new(AlertParts {
            site_id: self.site_id.unwrap_or(general.site_id),
            site_url: self.site_url,
            action_url: action_url.unwrap_or(general.action_url),
            subscribe_url: subscribe_url.unwrap_or(general.subscribe_url),
            icon,
            priority: self.priority.unwrap_or(general.priority),
            html,
            ..general
        })?;
        match self.expiry_secs {
            Some(secs) if !(1..=ALERT_EXPIRY_SECS_MAX).contains(&secs) => {
                let range = format!("expiry_secs: must be from 1 to {ALERT_EXPIRY_SECS_MAX}");
                Err(Problem::unfit_field("expiry_secs", range))
            }
            secs => Ok((alert, secs.map(Duration::from_secs))),
        }
    }
}
