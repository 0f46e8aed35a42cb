//! Random edits of several accounts against the plainest possible reading of the rules: same
//! outcomes, same versions, same rosters, whatever the order, one at a time or many in one commit.

use super::{Bench, LIMITS, address, benches, name, new_account, own_name};
use msnd::{
    model::{
        AccountId, Address, Change, Edit, Group, GroupId, GroupSet, List, ListBits, Name, Privacy,
        Prompt, Properties, PropertyKey, Refusal, Roster, roster::first_groups,
    },
    store::{EditError, NewAccount},
};
use proptest::{prelude::*, test_runner::Config};
use tokio::task::JoinSet;

/// The last one has no account.
const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "ghost"];
const ACCOUNTS: usize = 4;
/// Names of people and groups: with what lines escape, with what JSON and SQL do, with what looks
/// like no text, and in several scripts.
const NAMES: [&str; 8] =
    ["A", "B", "a  b ", "100%", "%20", r#"\"' \ $1"#, "007", "é \u{5317}\u{4eac} \u{1f642}"];

/// Who is where, as sets of plain facts. Reverse lists are not kept: they are asked for.
struct Model(Vec<Person>);

struct Person {
    id: AccountId,
    name: Name,
    version: u32,
    privacy: Privacy,
    prompt: Prompt,
    groups: Vec<(u8, Name)>,
    properties: Properties,
    /// Whom this person has on any list, in the order in which they came, and under which name.
    known: Vec<(usize, Name)>,
    /// Whom it watches, and one pair for each group they are in.
    filed: Vec<(usize, u8)>,
    allowed: Vec<usize>,
    blocked: Vec<usize>,
}

impl Model {
    fn watches(&self, owner: usize, whom: usize) -> bool {
        self.0[owner].filed.iter().any(|(who, _)| *who == whom)
    }

    fn allows(&self, owner: usize, whom: usize) -> bool {
        let person = &self.0[owner];
        !person.blocked.contains(&whom)
            && (person.privacy == Privacy::AllowOthers || person.allowed.contains(&whom))
    }

    fn shared(&self, owner: usize, watcher: usize) -> Option<Properties> {
        let mut shared = self.0[owner].properties.clone();
        shared.retain(|key, _| key.is_shared());
        self.allows(owner, watcher).then_some(shared)
    }

    fn bits(&self, owner: usize, whom: usize) -> ListBits {
        let person = &self.0[owner];
        [
            (self.watches(owner, whom), ListBits::FORWARD),
            (person.allowed.contains(&whom), ListBits::ALLOW),
            (person.blocked.contains(&whom), ListBits::BLOCK),
            (self.watches(whom, owner), ListBits::REVERSE),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .fold(ListBits::NONE, |all, (_, bit)| all.with(bit))
    }

    /// Enters who is new and forgets who is on no list any more.
    fn settle(&mut self, owner: usize, whom: usize, named: Name) {
        let gone = self.bits(owner, whom) == ListBits::NONE;
        let known = &mut self.0[owner].known;
        match known.iter().position(|(who, _)| *who == whom) {
            Some(at) if gone => drop(known.remove(at)),
            None if !gone => known.push((whom, named)),
            _ => {}
        }
    }

    /// Raises the version of `who` unless `owner` is the same, whose version has risen by then.
    fn bump(&mut self, owner: usize, who: usize) -> (AccountId, u32) {
        if who != owner {
            self.0[who].version += 1;
        }
        (self.0[who].id, self.0[who].version)
    }

    fn apply(&mut self, owner: usize, edit: &Edit) -> Result<Change, Refusal> {
        let before = self.0[owner].version;
        self.0[owner].version += 1;
        let change = self.decide(owner, edit);
        if matches!(change, Err(_) | Ok(Change::None)) {
            self.0[owner].version = before;
        }
        change
    }

    fn decide(&mut self, owner: usize, edit: &Edit) -> Result<Change, Refusal> {
        let who = |contact: &Address| (0..ACCOUNTS).find(|who| address(PEOPLE[*who]) == *contact);
        let has_group =
            |me: &Person, group: &GroupId| me.groups.iter().any(|(id, _)| *id == group.get());
        match edit {
            Edit::Add { list, contact, name, group } => {
                let whom = who(contact).ok_or(Refusal::NoSuchUser)?;
                self.add(owner, *list, whom, name, *group)
            }
            Edit::Remove { list, contact, group } => {
                if group.is_some_and(|group| !has_group(&self.0[owner], &group)) {
                    return Err(Refusal::NoSuchGroup);
                }
                let whom = who(contact).ok_or(Refusal::NotOnList)?;
                self.remove(owner, *list, whom, *group)
            }
            Edit::AddGroup { name } => {
                let me = &mut self.0[owner];
                let free = (0..30).find(|id| me.groups.iter().all(|(taken, _)| taken != id));
                let id = free.ok_or(Refusal::TooManyGroups)?;
                me.groups.push((id, name.clone()));
                me.groups.sort_by_key(|(id, _)| *id);
                Ok(Change::GroupAdded { group: GroupId::new(id.into()).unwrap() })
            }
            Edit::RenameGroup { group, name } => {
                let mut groups = self.0[owner].groups.iter_mut();
                let (_, old) =
                    groups.find(|(id, _)| *id == group.get()).ok_or(Refusal::NoSuchGroup)?;
                let same = std::mem::replace(old, name.clone()) == *name;
                Ok(if same { Change::None } else { Change::Private })
            }
            Edit::RemoveGroup { group } if group.get() == 0 => Err(Refusal::GroupZero),
            Edit::RemoveGroup { group } if !has_group(&self.0[owner], group) => {
                Err(Refusal::NoSuchGroup)
            }
            Edit::RemoveGroup { group } => {
                let watched: Vec<usize> =
                    (0..ACCOUNTS).filter(|whom| self.watches(owner, *whom)).collect();
                self.0[owner].groups.retain(|(id, _)| *id != group.get());
                self.0[owner].filed.retain(|(_, id)| *id != group.get());
                let mut dropped = Vec::new();
                for whom in watched {
                    if !self.watches(owner, whom) {
                        self.unmirror(owner, whom);
                        dropped.push(self.bump(owner, whom));
                    }
                }
                Ok(Change::GroupRemoved { dropped })
            }
            Edit::Rename { name } => {
                let same = std::mem::replace(&mut self.0[owner].name, name.clone()) == *name;
                Ok(if same { Change::None } else { Change::Renamed { name: name.clone() } })
            }
            Edit::RenameContact { contact, name } => {
                let whom = who(contact).ok_or(Refusal::NotOnList)?;
                let mut known = self.0[owner].known.iter_mut();
                let (_, old) = known.find(|(who, _)| *who == whom).ok_or(Refusal::NotOnList)?;
                let same = std::mem::replace(old, name.clone()) == *name;
                Ok(if same { Change::None } else { Change::Private })
            }
            Edit::SetPrivacy(mode) if self.0[owner].privacy == *mode => Err(Refusal::AlreadyInMode),
            Edit::SetPrivacy(mode) => {
                self.0[owner].privacy = *mode;
                Ok(Change::Privacy(*mode))
            }
            Edit::SetPrompt(mode) if self.0[owner].prompt == *mode => Err(Refusal::AlreadyInMode),
            Edit::SetPrompt(mode) => {
                self.0[owner].prompt = *mode;
                Ok(Change::Private)
            }
            Edit::Touch => Ok(Change::Private),
            Edit::SetProperty { key, value } => {
                let (allowed, enabled) = (PropertyKey::MobileAllowed, PropertyKey::MobileEnabled);
                let properties = &mut self.0[owner].properties;
                let is_on = |properties: &Properties, key| {
                    properties.get(&key).is_some_and(|value| value == "Y")
                };
                let mut value = value.clone();
                match &value {
                    Some(value) => drop(properties.insert(*key, value.clone())),
                    None => drop(properties.remove(key)),
                }
                // Nobody may page somebody who has no device.
                let is_forbidden = is_on(properties, allowed) && !is_on(properties, enabled);
                if is_forbidden {
                    properties.insert(allowed, "N".to_owned());
                }
                if is_forbidden && *key == allowed {
                    value = Some("N".to_owned());
                }
                let told = (0..ACCOUNTS)
                    .filter(|who| self.watches(*who, owner) && self.allows(owner, *who))
                    .filter(|_| key.is_shared() || is_forbidden)
                    .collect::<Vec<_>>();
                let told = told.into_iter().map(|who| self.bump(owner, who)).collect();
                Ok(Change::Property { key: *key, value, told })
            }
        }
    }

    fn add(
        &mut self,
        owner: usize,
        list: List,
        whom: usize,
        named: &Name,
        group: Option<GroupId>,
    ) -> Result<Change, Refusal> {
        let id = self.0[whom].id;
        let watched = self.watches(owner, whom);
        let people_watched = (0..ACCOUNTS).filter(|who| self.watches(owner, *who)).count();
        let me = &mut self.0[owner];
        if let Some(group) = group
            && me.groups.iter().all(|(id, _)| *id != group.get())
        {
            return Err(Refusal::NoSuchGroup);
        }
        if list == List::Forward {
            let place = (whom, group.map_or(0, GroupId::get));
            if watched && (group.is_none() || me.filed.contains(&place)) {
                return Err(Refusal::AlreadyThere);
            }
            if !watched && people_watched >= LIMITS.forward_max as usize {
                return Err(Refusal::ListFull);
            }
            me.filed.push(place);
            if watched {
                return Ok(Change::Private);
            }
            match me.known.iter_mut().find(|(who, _)| *who == whom) {
                Some((_, old)) => *old = named.clone(),
                None => me.known.push((whom, named.clone())),
            }
            let nickname = me.name.clone();
            self.settle(whom, owner, nickname);
            let (contact, reverse_version) = self.bump(owner, whom);
            let properties = self.shared(whom, owner);
            return Ok(Change::Watched { contact, reverse_version, properties });
        }
        let full = me.allowed.len() + me.blocked.len() >= LIMITS.allow_block_max as usize;
        let (mine, other) = match list {
            List::Allow => (&mut me.allowed, &me.blocked),
            _ => (&mut me.blocked, &me.allowed),
        };
        match () {
            () if mine.contains(&whom) => return Err(Refusal::AlreadyThere),
            () if other.contains(&whom) => return Err(Refusal::OnOppositeList),
            () if full => return Err(Refusal::ListFull),
            () => mine.push(whom),
        }
        self.settle(owner, whom, named.clone());
        Ok(Change::Listed { list, contact: id })
    }

    fn remove(
        &mut self,
        owner: usize,
        list: List,
        whom: usize,
        group: Option<GroupId>,
    ) -> Result<Change, Refusal> {
        let (contact, watched) = (self.0[whom].id, self.watches(owner, whom));
        let me = &mut self.0[owner];
        if list == List::Forward {
            if !watched {
                return Err(Refusal::NotOnList);
            }
            match group {
                Some(group) if !me.filed.contains(&(whom, group.get())) => {
                    return Err(Refusal::NotInGroup);
                }
                Some(group) => me.filed.retain(|place| *place != (whom, group.get())),
                None => me.filed.retain(|(who, _)| *who != whom),
            }
            if self.watches(owner, whom) {
                return Ok(Change::Private);
            }
            self.unmirror(owner, whom);
            let (contact, reverse_version) = self.bump(owner, whom);
            return Ok(Change::Unwatched { contact, reverse_version });
        }
        let mine = if list == List::Allow { &mut me.allowed } else { &mut me.blocked };
        if !mine.contains(&whom) {
            return Err(Refusal::NotOnList);
        }
        mine.retain(|who| *who != whom);
        self.settle(owner, whom, name("-"));
        Ok(Change::Unlisted { list, contact })
    }

    fn unmirror(&mut self, owner: usize, whom: usize) {
        self.settle(owner, whom, name("-"));
        self.settle(whom, owner, name("-"));
    }

    fn roster(&self, owner: usize) -> Roster {
        let me = &self.0[owner];
        let contact = |(whom, named): &(usize, Name)| msnd::model::Contact {
            id: self.0[*whom].id,
            address: address(PEOPLE[*whom]),
            name: named.clone(),
            lists: self.bits(owner, *whom),
            groups: GroupSet(
                me.filed.iter().filter(|(who, _)| who == whom).map(|(_, id)| 1 << id).sum(),
            ),
            properties: if self.watches(owner, *whom) {
                self.shared(*whom, owner).unwrap_or_default()
            } else {
                Properties::new()
            },
        };
        let group = |(id, name): &(u8, Name)| Group {
            id: GroupId::new((*id).into()).unwrap(),
            name: name.clone(),
        };
        Roster {
            version: me.version,
            prompt: me.prompt,
            privacy: me.privacy,
            properties: me.properties.clone(),
            groups: me.groups.iter().map(group).collect(),
            contacts: me.known.iter().map(contact).collect(),
        }
    }
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let list =
        || prop_oneof![3 => Just(List::Forward), 1 => Just(List::Allow), 1 => Just(List::Block)];
    let person = || (0..PEOPLE.len()).prop_map(|who| address(PEOPLE[who]));
    let label = || (0..NAMES.len()).prop_map(|which| name(NAMES[which]));
    let group = || (0..4_u32).prop_map(|id| GroupId::new(id).unwrap());
    let filed = || prop::option::of(group());
    prop_oneof![
        8 => (list(), person(), label(), filed()).prop_map(|(list, contact, name, group)| {
            Edit::Add { list, contact, name, group }
        }),
        4 => (list(), person(), filed()).prop_map(|(list, contact, group)| {
            Edit::Remove { list, contact, group }
        }),
        2 => label().prop_map(|name| Edit::AddGroup { name }),
        1 => (group(), label()).prop_map(|(group, name)| Edit::RenameGroup { group, name }),
        2 => group().prop_map(|group| Edit::RemoveGroup { group }),
        1 => label().prop_map(|name| Edit::Rename { name }),
        1 => (person(), label()).prop_map(|(contact, name)| Edit::RenameContact { contact, name }),
        1 => prop_oneof![Just(Privacy::AllowOthers), Just(Privacy::BlockOthers)]
            .prop_map(Edit::SetPrivacy),
        1 => prop_oneof![Just(Prompt::Ask), Just(Prompt::Never)].prop_map(Edit::SetPrompt),
        1 => Just(Edit::Touch),
        4 => any_property().prop_map(|(key, value)| Edit::SetProperty { key, value }),
    ]
}

fn any_property() -> impl Strategy<Value = (PropertyKey, Option<String>)> {
    let switch = prop_oneof![Just(PropertyKey::MobileAllowed), Just(PropertyKey::MobileEnabled)];
    let some = |texts: &'static [&str]| {
        prop::option::of((0..texts.len()).prop_map(|which| texts[which].to_owned()))
    };
    prop_oneof![
        1 => (Just(PropertyKey::HomePhone), some(&["1", "+46 (8) 55%", "\"å\""])),
        1 => (Just(PropertyKey::WebWatch), some(&["0", "2"])),
        2 => (switch, some(&["Y", "Y", "N"])),
    ]
}

/// Some groups to be filed into from the start; otherwise random edits would seldom do that.
fn groups_at_first() -> Vec<Group> {
    let more = [1, 2].map(|id| Group { id: GroupId::new(id).unwrap(), name: name("more") });
    first_groups().into_iter().chain(more).collect()
}

/// A device that may be paged, to be taken away.
fn properties_at_first() -> Properties {
    let keys = [PropertyKey::MobileEnabled, PropertyKey::MobileAllowed];
    keys.map(|key| (key, "Y".to_owned())).into()
}

async fn compare(
    bench: &Bench,
    edits: &[(usize, Edit)],
    together: usize,
) -> Result<(), TestCaseError> {
    let made = PEOPLE[..ACCOUNTS].iter().map(|who| new_account(who));
    let made = made.map(|account| NewAccount {
        groups: groups_at_first(),
        properties: properties_at_first(),
        ..account
    });
    let made = made.collect();
    bench.store.create_accounts(made).await.unwrap();
    let mut model = Model(Vec::new());
    for who in &PEOPLE[..ACCOUNTS] {
        model.0.push(Person {
            id: bench.id(who).await,
            name: own_name(who),
            version: 1,
            privacy: Privacy::AllowOthers,
            prompt: Prompt::Ask,
            groups: groups_at_first()
                .into_iter()
                .map(|group| (group.id.get(), group.name))
                .collect(),
            properties: properties_at_first(),
            known: vec![],
            filed: vec![],
            allowed: vec![],
            blocked: vec![],
        });
    }
    for edits in edits.chunks(together) {
        // All are in the writer's queue before it takes the first one.
        let mut under_way = JoinSet::new();
        for (step, (owner, edit)) in edits.iter().enumerate() {
            let (store, id, edit) = (bench.store.clone(), model.0[*owner].id, edit.clone());
            under_way.spawn(async move { (step, store.edit(id, edit, Box::new(|_| ())).await) });
        }
        let mut outcomes = under_way.join_all().await;
        outcomes.sort_by_key(|(step, _)| *step);
        for ((step, outcome), (owner, edit)) in outcomes.into_iter().zip(edits) {
            let expected = model.apply(*owner, edit);
            let made = match outcome {
                Ok(applied) => {
                    prop_assert_eq!(applied.version, model.0[*owner].version, "step {}", step);
                    Ok(applied.change)
                }
                Err(EditError::Refused(refusal)) => Err(refusal),
                Err(error) => panic!("step {step}: {error:?}"),
            };
            prop_assert_eq!(made, expected, "step {}: {} {:?}", step, PEOPLE[*owner], edit);
        }
    }
    for (owner, person) in model.0.iter().enumerate() {
        prop_assert_eq!(bench.roster(person.id).await, model.roster(owner), "{}", PEOPLE[owner]);
        let circle = bench.store.sign_in(person.id).await.unwrap().circle;
        for other in 0..ACCOUNTS {
            let id = model.0[other].id;
            prop_assert_eq!(circle.forward.contains(&id), model.watches(owner, other));
            prop_assert_eq!(circle.allows(id), model.allows(owner, other));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_edits_end_as_the_plain_rules_say(
        edits in prop::collection::vec((0..ACCOUNTS, any_edit()), 1..80),
        together in prop_oneof![Just(1), 2..40_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for bench in benches().await {
                compare(&bench, &edits, together).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
