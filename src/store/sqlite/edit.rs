//! One change of one roster inside the writer's transaction: load, ask `model::roster`, save, and
//! say what it means to others. Decides no rule of its own beyond the order of the checks.

use super::{desk::Desk, read, sql};
use crate::{
    model::{
        AccountId, Applied, Change, Edit, GroupId, GroupSet, List, ListBits, Name, Privacy, Prompt,
        PropertyKey, Refusal,
        roster::{Entry, RosterLimits},
    },
    store::{EditError, StoreError},
};
use sqlx::SqliteConnection;

/// Makes one change, or refuses before it has written anything. What it wrote before it failed is
/// the caller's to roll back.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    limits: RosterLimits,
    owner: AccountId,
    edit: &Edit,
) -> Result<Applied, EditError> {
    let (contact, adds) = match edit {
        Edit::Add { contact, .. } => (Some(contact), true),
        Edit::Remove { contact, .. } | Edit::RenameContact { contact, .. } => {
            (Some(contact), false)
        }
        _ => (None, false),
    };
    let mut desk = Desk::open(conn, limits, owner, contact, adds).await?;
    let change = match edit {
        Edit::Add { list, name, group, .. } => desk.add(*list, name, *group).await,
        Edit::Remove { list, group, .. } => desk.remove(*list, *group).await,
        Edit::RenameContact { name, .. } => desk.rename_contact(name).await,
        own => desk.change_own(own).await,
    }?;
    let version = if change == Change::None { desk.me.version } else { desk.next_version() };
    Ok(Applied { owner, version, change })
}

impl Desk<'_> {
    async fn add(
        &mut self,
        list: List,
        name: &Name,
        group: Option<GroupId>,
    ) -> Result<Change, EditError> {
        let other = self.other.take().ok_or(Refusal::NoSuchUser)?;
        let before = other.mine.entry;
        let after = before.add(list, group, self.me.groups, self.me.counts, self.limits)?;
        if newly(before, after, ListBits::FORWARD) {
            self.watch(&other, after, name.as_str()).await?;
            let (contact, reverse_version) = (other.id, self.next_version_of(&other));
            let properties = other.visible_properties();
            return Ok(Change::Watched { contact, reverse_version, properties });
        }
        if before.lists == ListBits::NONE {
            self.enter(other.key, after, name.as_str()).await?;
        } else {
            self.save(&other, after).await?;
        }
        Ok(match list {
            List::Forward => Change::Private,
            _ => Change::Listed { list, contact: other.id },
        })
    }

    async fn remove(&mut self, list: List, group: Option<GroupId>) -> Result<Change, EditError> {
        let Some(other) = self.other.take() else {
            Entry::default().remove(list, group, self.me.groups)?;
            return Err(Refusal::NotOnList.into());
        };
        let before = other.mine.entry;
        let after = before.remove(list, group, self.me.groups)?;
        let contact = other.id;
        if newly(after, before, ListBits::FORWARD) {
            self.unwatch(&other, after).await?;
            let reverse_version = self.next_version_of(&other);
            return Ok(Change::Unwatched { contact, reverse_version });
        }
        self.save(&other, after).await?;
        Ok(match list {
            List::Forward => Change::Private,
            _ => Change::Unlisted { list, contact },
        })
    }

    async fn rename_contact(&mut self, name: &Name) -> Result<Change, EditError> {
        let other = self.other.take().ok_or(Refusal::NotOnList)?;
        if other.mine.name.ok_or(Refusal::NotOnList)? == name.as_str() {
            return Ok(Change::None);
        }
        sqlx::query(sql::RENAME_CONTACT)
            .bind(self.owner)
            .bind(other.key)
            .bind(name.as_str())
            .bind(self.next_version())
            .execute(&mut *self.conn)
            .await?;
        Ok(Change::Private)
    }

    /// What is about the owner alone, or about groups of contacts.
    async fn change_own(&mut self, edit: &Edit) -> Result<Change, EditError> {
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
            self.set_own(sql::SET_VERSION, i64::from(self.next_version())).await?;
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
            dropped.push((
                read::account_id(self.owner).map_err(StoreError::from)?,
                self.next_version(),
            ));
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

/// Whether `list` is in `after` but not in `before`.
fn newly(before: Entry, after: Entry, list: ListBits) -> bool {
    after.lists.has(list) && !before.lists.has(list)
}
