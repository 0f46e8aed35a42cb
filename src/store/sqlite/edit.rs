//! Changes of rosters inside the writer's transaction: load, ask `model::roster`, save, and say
//! what they mean to others. Decides no rule of its own beyond the order of the checks.

use super::{
    affairs::{self, Draft},
    desk::Desk,
    read, sql,
};
use crate::{
    model::{
        AccountId, Applied, Change, Edit, GroupId, GroupSet, Name, Privacy, Prompt, PropertyKey,
        Refusal, roster::RosterLimits,
    },
    store::{EditError, StoreError},
};
use sqlx::SqliteConnection;

/// Makes changes in their order. Each is made, or refused before anything of it is written; if the
/// database fails, what was written is the caller's to roll back.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    limits: RosterLimits,
    edits: &[(AccountId, &Edit)],
) -> Result<Vec<Result<Applied, EditError>>, StoreError> {
    let mut outcomes = Vec::with_capacity(edits.len());
    while let rest @ [_, ..] = edits.get(outcomes.len()..).unwrap_or_default() {
        // Whatever is not about one contact may change the lists of many, and so comes alone.
        let of_contacts = rest.iter().take_while(|(_, edit)| affairs::contact(edit).is_some());
        let (next, _) = rest.split_at(of_contacts.count().max(1));
        outcomes.extend(apply_together(conn, limits, next).await?);
    }
    Ok(outcomes)
}

/// Makes changes that are all about a contact each, or a single one.
async fn apply_together(
    conn: &mut SqliteConnection,
    limits: RosterLimits,
    edits: &[(AccountId, &Edit)],
) -> Result<Vec<Result<Applied, EditError>>, StoreError> {
    let mut outcomes = Vec::with_capacity(edits.len());
    let mut draft = Draft::default();
    for ((owner, edit), affairs) in edits.iter().zip(affairs::read(conn, edits, limits).await?) {
        let Some(affairs) = affairs else {
            outcomes.push(Err(StoreError::NotFound.into()));
            continue;
        };
        let is_alone = affairs::contact(edit).is_none();
        let decided = if is_alone {
            let (me, next_version) = (&affairs.me, affairs.next_version());
            let mut desk = Desk { conn, owner: affairs.owner, me, next_version };
            match desk.change(edit).await {
                Err(EditError::Store(error @ StoreError::Unavailable(_))) => return Err(error),
                decided => decided,
            }
        } else {
            affairs.decide(edit, limits, &mut draft).map_err(EditError::from)
        };
        outcomes.push(decided.map(|change| {
            let is_raised = is_alone && change != Change::None;
            let version = if is_raised { affairs.next_version() } else { affairs.version(&draft) };
            Applied { owner: *owner, version, change }
        }));
    }
    draft.save(conn).await?;
    Ok(outcomes)
}

impl Desk<'_> {
    /// What is about the owner alone, or about groups of contacts.
    async fn change(&mut self, edit: &Edit) -> Result<Change, EditError> {
        let change = match edit {
            Edit::AddGroup { name } => self.add_group(name).await,
            Edit::RenameGroup { group, name } => self.rename_group(*group, name).await,
            Edit::RemoveGroup { group } => self.remove_group(*group).await,
            Edit::Rename { name } => self.rename(name).await,
            Edit::SetPrivacy(privacy) => self.set_privacy(*privacy).await,
            Edit::SetPrompt(prompt) => self.set_prompt(*prompt).await,
            Edit::SetProperty { key, value } => self.set_property(*key, value.as_deref()).await,
            Edit::Touch => Ok(Change::Private),
            Edit::Add { .. } | Edit::Remove { .. } | Edit::RenameContact { .. } => Ok(Change::None),
        }?;
        if change != Change::None {
            self.set_own(sql::SET_VERSION, i64::from(self.next_version)).await?;
        }
        Ok(change)
    }

    async fn add_group(&mut self, name: &Name) -> Result<Change, EditError> {
        let group = self.me.groups.lowest_free().ok_or(Refusal::TooManyGroups)?;
        sqlx::query(sql::ADD_GROUP)
            .bind(self.owner)
            .bind(group.get())
            .bind(name.as_str())
            .execute(&mut *self.conn)
            .await?;
        Ok(Change::GroupAdded { group })
    }

    async fn rename_group(&mut self, group: GroupId, name: &Name) -> Result<Change, EditError> {
        let old: Option<String> = sqlx::query_scalar(sql::GROUP_NAME)
            .bind(self.owner)
            .bind(group.get())
            .fetch_optional(&mut *self.conn)
            .await?;
        if old.ok_or(Refusal::NoSuchGroup)? == name.as_str() {
            return Ok(Change::None);
        }
        sqlx::query(sql::RENAME_GROUP)
            .bind(self.owner)
            .bind(group.get())
            .bind(name.as_str())
            .execute(&mut *self.conn)
            .await?;
        Ok(Change::Private)
    }

    async fn remove_group(&mut self, group: GroupId) -> Result<Change, EditError> {
        if group == GroupId::ZERO {
            return Err(Refusal::GroupZero.into());
        }
        if !self.me.groups.has(group) {
            return Err(Refusal::NoSuchGroup.into());
        }
        let only = GroupSet::default().with(group).0;
        let mut dropped = self.bumped(sql::BUMP_DROPPED, only).await?;
        let own_dropped: bool = sqlx::query_scalar(sql::IS_OWN_DROPPED)
            .bind(self.owner)
            .bind(only)
            .fetch_one(&mut *self.conn)
            .await?;
        if own_dropped {
            dropped
                .push((read::account_id(self.owner).map_err(StoreError::from)?, self.next_version));
        }
        dropped.sort_unstable();
        for step in [
            sql::DROPPED_FORGET_OWNER,
            sql::DROPPED_UNMARK_OWNER,
            sql::FORGET_DROPPED,
            sql::UNMARK_DROPPED,
            sql::LEAVE_GROUP,
        ] {
            self.set_own(step, i64::from(only)).await?;
        }
        self.set_own(sql::DROP_GROUP, i64::from(group.get())).await?;
        Ok(Change::GroupRemoved { dropped })
    }

    async fn rename(&mut self, name: &Name) -> Result<Change, EditError> {
        if self.me.name == name.as_str() {
            return Ok(Change::None);
        }
        self.set_own_text(sql::RENAME, name.as_str()).await?;
        Ok(Change::Renamed { name: name.clone() })
    }

    async fn set_privacy(&mut self, privacy: Privacy) -> Result<Change, EditError> {
        if self.me.privacy == privacy {
            return Err(Refusal::AlreadyInMode.into());
        }
        self.set_own_text(sql::SET_PRIVACY, privacy.code()).await?;
        Ok(Change::Privacy(privacy))
    }

    async fn set_prompt(&mut self, prompt: Prompt) -> Result<Change, EditError> {
        if self.me.prompt == prompt {
            return Err(Refusal::AlreadyInMode.into());
        }
        self.set_own_text(sql::SET_PROMPT, prompt.code()).await?;
        Ok(Change::Private)
    }

    /// A property that is set again to the same value is a change like any other: watchers are
    /// told once more, as the reference says.
    async fn set_property(
        &mut self,
        key: PropertyKey,
        value: Option<&str>,
    ) -> Result<Change, EditError> {
        let mut value = value.filter(|value| !value.is_empty());
        let on = |value: Option<&str>| value == Some("Y");
        if key == PropertyKey::MobileAllowed
            && on(value)
            && !on(self.property(PropertyKey::MobileEnabled).await?.as_deref())
        {
            value = Some("N");
        }
        self.put_property(key, value).await?;
        let mut told = Vec::new();
        if key.is_shared() {
            told = self.bump_watchers().await?;
        } else if key == PropertyKey::MobileEnabled
            && !on(value)
            && on(self.property(PropertyKey::MobileAllowed).await?.as_deref())
        {
            // Without a device nobody may page it.
            self.put_property(PropertyKey::MobileAllowed, Some("N")).await?;
            told = self.bump_watchers().await?;
        }
        Ok(Change::Property { key, value: value.map(str::to_owned), told })
    }
}
