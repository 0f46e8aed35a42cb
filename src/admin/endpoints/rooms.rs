//! `GET /api/v1/rooms`: the conversations there are, and who is in them. Nothing of what is said.

use crate::{
    admin::{Admin, Problem, request::Page},
    hub::RoomId,
    switchboard::rooms::{RoomInfo, Rooms},
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Serialize)]
pub(in crate::admin) struct List {
    count: usize,
    rooms: Vec<Entry>,
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Entry {
    id: u32,
    participants: Vec<String>,
    age_secs: u64,
    idle_secs: u64,
}

impl From<RoomInfo> for Entry {
    fn from(room: RoomInfo) -> Self {
        Self {
            id: room.id.0,
            participants: room.members.iter().map(ToString::to_string).collect(),
            age_secs: room.age.as_secs(),
            idle_secs: room.idle.as_secs(),
        }
    }
}

pub(in crate::admin) async fn handle(
    State(admin): State<Arc<Admin>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let all = admin.rooms.as_ref();
    let read = |after, limit| {
        // Beyond the highest number there is nothing.
        let after = RoomId(u32::try_from(after).unwrap_or(u32::MAX));
        all.map_or_else(Vec::new, |rooms| rooms.list(after, limit))
    };
    let (rooms, next) = page?.of(read, |last| last.id.0.into())?;
    let rooms = rooms.into_iter().map(Entry::from).collect();
    Ok(Json(List { count: all.map_or(0, Rooms::len), rooms, next }))
}
