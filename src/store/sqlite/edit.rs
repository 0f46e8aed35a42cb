//! One change of one roster inside the writer's transaction: load, ask `model::roster`, save, and
//! say what it means to others. Decides no rule of its own beyond the order of the checks.

use super::{desk::Desk, read, sql};
use crate::{
    model::{
        AccountId, Address, Applied, Change, Edit, GroupId, GroupSet, List, ListBits, Name,
        Privacy, Prompt, PropertyKey, Refusal,
        roster::{Entry, RosterLimits},
    },
    store::{EditError, StoreError},
};
use sqlx::SqliteConnection;

/// Makes one change. What it wrote before it failed or was refused is the caller's to roll back.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    limits: RosterLimits,
    owner: AccountId,
    edit: &Edit,
) -> Result<Applied, EditError> {
    let mut desk = Desk::open(conn, limits, owner).await?;
    let change = match edit {
        Edit::Add { list, contact, name, group } => desk.add(*list, contact, name, *group).await,
        Edit::Remove { list, contact, group } => desk.remove(*list, contact, *group).await,
        Edit::AddGroup { name } => desk.add_group(name).await,
        Edit::RenameGroup { group, name } => desk.rename_group(*group, name).await,
        Edit::RemoveGroup { group } => desk.remove_group(*group).await,
        Edit::Rename { name } => desk.rename(name).await,
        Edit::RenameContact { contact, name } => desk.rename_contact(contact, name).await,
        Edit::SetPrivacy(privacy) => desk.set_privacy(*privacy).await,
        Edit::SetPrompt(prompt) => desk.set_prompt(*prompt).await,
        Edit::Touch => Ok(Change::Private),
        Edit::SetProperty { key, value } => desk.set_property(*key, value.as_deref()).await,
    }?;
    let version = if change == Change::None {
        desk.me.version
    } else {
        let next = desk.next_version();
        desk.set_own(sql::SET_VERSION, i64::from(next)).await?;
        next
    };
    Ok(Applied { owner, version, change })
}

impl Desk<'_> {
    async fn add(
        &mut self,
        list: List,
        contact: &Address,
        name: &Name,
        group: Option<GroupId>,
    ) -> Result<Change, EditError> {
        let person = self.person(contact).await?.ok_or(Refusal::NoSuchUser)?;
        let before = self.entry(self.owner, person.key).await?;
        let (groups, counts) = (self.groups().await?, self.counts().await?);
        let after = before.add(list, group, groups, counts, self.limits)?;
        let watched = newly(before, after, ListBits::FORWARD);
        if watched || before.lists == ListBits::NONE {
            self.enter(&person, after, name).await?;
        } else {
            self.save(self.owner, person.key, after).await?;
        }
        if !watched {
            return Ok(match list {
                List::Forward => Change::Private,
                _ => Change::Listed { list, contact: person.id },
            });
        }
        sqlx::query(sql::MARK_REVERSE)
            .bind(person.key)
            .bind(self.owner)
            .bind(self.me.name.as_str())
            .execute(&mut *self.conn)
            .await?;
        let reverse_version = self.bump(&person).await?;
        let properties = self.visible_properties(&person).await?;
        Ok(Change::Watched { contact: person.id, reverse_version, properties })
    }

    async fn remove(
        &mut self,
        list: List,
        contact: &Address,
        group: Option<GroupId>,
    ) -> Result<Change, EditError> {
        let groups = self.groups().await?;
        let Some(person) = self.person(contact).await? else {
            Entry::default().remove(list, group, groups)?;
            return Err(Refusal::NotOnList.into());
        };
        let before = self.entry(self.owner, person.key).await?;
        let after = before.remove(list, group, groups)?;
        self.save(self.owner, person.key, after).await?;
        if !newly(after, before, list.bit()) {
            return Ok(Change::Private);
        }
        if list != List::Forward {
            return Ok(Change::Unlisted { list, contact: person.id });
        }
        // The other's entry for the owner; in the owner's own case the one just saved.
        let theirs = self.entry(person.key, self.owner).await?;
        let theirs = Entry { lists: theirs.lists.without(ListBits::REVERSE), ..theirs };
        self.save(person.key, self.owner, theirs).await?;
        let reverse_version = self.bump(&person).await?;
        Ok(Change::Unwatched { contact: person.id, reverse_version })
    }

    async fn add_group(&mut self, name: &Name) -> Result<Change, EditError> {
        let group = self.groups().await?.lowest_free().ok_or(Refusal::TooManyGroups)?;
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
        if !self.groups().await?.has(group) {
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

    async fn rename_contact(
        &mut self,
        contact: &Address,
        name: &Name,
    ) -> Result<Change, EditError> {
        let person = self.person(contact).await?.ok_or(Refusal::NotOnList)?;
        let old: Option<(u8, u32, String)> = sqlx::query_as(sql::ENTRY)
            .bind(self.owner)
            .bind(person.key)
            .fetch_optional(&mut *self.conn)
            .await?;
        let (_, _, old) = old.ok_or(Refusal::NotOnList)?;
        if old == name.as_str() {
            return Ok(Change::None);
        }
        sqlx::query(sql::RENAME_CONTACT)
            .bind(self.owner)
            .bind(person.key)
            .bind(name.as_str())
            .execute(&mut *self.conn)
            .await?;
        Ok(Change::Private)
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
