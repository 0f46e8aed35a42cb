//! The half of somebody's lists that only they change, kept as plainly as possible: what a client
//! asks for, the line that must answer it, and what is left of it. Reverse lists and versions are
//! for whoever plays the client. Knows no socket and no rule of the server's.

use super::random::Random;
use msnd::model::{ListBits, Privacy, Prompt, Roster};
use std::collections::{BTreeMap, BTreeSet};

/// The lists that a client may change, with their bits.
pub(crate) const LISTS: [(&str, u8); 3] = [("FL", 1), ("AL", 2), ("BL", 4)];
const FORWARD: u8 = 1;
/// Properties that contacts are told of.
const SHARED: [&str; 4] = ["PHH", "PHW", "PHM", "MOB"];

/// Groups, contacts, modes, properties and name of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Book {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) blocks_others: bool,
    pub(crate) never_asks: bool,
    pub(crate) groups: BTreeMap<u8, String>,
    /// Everybody on one of [`LISTS`].
    pub(crate) contacts: BTreeMap<String, Entry>,
    pub(crate) properties: BTreeMap<String, String>,
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// Bits of [`LISTS`].
    pub(crate) lists: u8,
    pub(crate) groups: BTreeSet<u8>,
    /// The owner's name for them. `None` if it depends on who else did what first: whoever is on
    /// the reverse list has a name already.
    pub(crate) name: Option<String>,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    Add { list: &'static str, who: String, name: String, group: Option<u8> },
    Remove { list: &'static str, who: String, group: Option<u8> },
    AddGroup(String),
    RenameGroup(u8, String),
    RemoveGroup(u8),
    Rename(String),
    RenameContact(String, String),
    Privacy(bool),
    Prompt(bool),
    Property(&'static str, Option<String>),
}

/// What must come of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The words before and behind the list version, or the number of the refusal.
    pub(crate) answer: Result<(String, String), u16>,
    /// Whether the owner's version rises.
    pub(crate) changes: bool,
    /// Who came onto the forward list.
    pub(crate) watched: Option<String>,
    /// Who left it.
    pub(crate) unwatched: BTreeSet<String>,
    /// The property that those are told of who watch and may see the owner.
    pub(crate) told: Option<(&'static str, Option<String>)>,
}

impl Edit {
    /// The command.
    pub(crate) fn command(&self, owner: &str, trid: u32) -> String {
        let words = match self {
            Self::Add { list, who, name, group } => {
                format!("ADD {trid} {list} {who} {name}{}", word(*group))
            }
            Self::Remove { list, who, group } => format!("REM {trid} {list} {who}{}", word(*group)),
            Self::AddGroup(name) => format!("ADG {trid} {name} 0"),
            Self::RenameGroup(group, name) => format!("REG {trid} {group} {name} 0"),
            Self::RemoveGroup(group) => format!("RMG {trid} {group}"),
            Self::Rename(name) => format!("REA {trid} {owner} {name}"),
            Self::RenameContact(who, name) => format!("REA {trid} {who} {name}"),
            Self::Privacy(blocks) => format!("BLP {trid} {}", if *blocks { "BL" } else { "AL" }),
            Self::Prompt(never) => format!("GTC {trid} {}", if *never { "N" } else { "A" }),
            Self::Property(key, value) => format!("PRP {trid} {key}{}", word(value.as_ref())),
        };
        words + "\r\n"
    }
}

impl Book {
    /// A new account's: one group, nobody on any list.
    pub(crate) fn new(owner: &str, name: &str) -> Self {
        let groups = [(0, "~".to_owned())].into();
        Self { owner: owner.into(), name: name.into(), groups, ..Self::default() }
    }

    /// What the store has of `owner`.
    pub(crate) fn stored(owner: &str, name: &str, roster: &Roster) -> Self {
        let entry = |contact: &msnd::model::Contact| Entry {
            lists: contact.lists.without(ListBits::REVERSE).0,
            groups: contact.groups.iter().map(msnd::model::GroupId::get).collect(),
            name: Some(contact.name.to_string()),
        };
        let contacts = roster.contacts.iter();
        let contacts = contacts.map(|contact| (contact.address.to_string(), entry(contact)));
        let groups = roster.groups.iter().map(|group| (group.id.get(), group.name.to_string()));
        let properties = roster.properties.iter();
        Self {
            owner: owner.into(),
            name: name.into(),
            blocks_others: roster.privacy == Privacy::BlockOthers,
            never_asks: roster.prompt == Prompt::Never,
            groups: groups.collect(),
            contacts: contacts.filter(|(_, entry)| entry.lists != 0).collect(),
            properties: properties.map(|(key, value)| (key.to_string(), value.clone())).collect(),
        }
    }

    /// Whether `other` may be the same: a name that one of them does not know can be any.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.clone(), other.clone());
        for (who, entry) in &mut mine.contacts {
            if let Some(their) = theirs.contacts.get_mut(who)
                && (entry.name.is_none() || their.name.is_none())
            {
                (entry.name, their.name) = (None, None);
            }
        }
        mine == theirs
    }

    /// Whether `who` is on this list.
    pub(crate) fn has(&self, list: &str, who: &str) -> bool {
        self.contacts.get(who).is_some_and(|entry| entry.lists & bit(list) != 0)
    }

    /// Everybody on this list.
    pub(crate) fn on(&self, list: &str) -> BTreeSet<&str> {
        self.contacts.keys().map(String::as_str).filter(|who| self.has(list, who)).collect()
    }

    /// Makes the edit, or says what forbids it.
    pub(crate) fn apply(&mut self, edit: &Edit, trid: u32) -> Outcome {
        let before = self.on("FL").into_iter().map(String::from).collect::<BTreeSet<_>>();
        let mut told = None;
        let answer = self.answer(edit, trid, &mut told);
        let after = self.on("FL").into_iter().map(String::from).collect::<BTreeSet<_>>();
        let (changes, answer) = match answer {
            Ok((changes, head, tail)) => (changes, Ok((head, tail))),
            Err(code) => (false, Err(code)),
        };
        let watched = after.difference(&before).next().cloned();
        let unwatched = before.difference(&after).cloned().collect();
        Outcome { answer, changes, watched, unwatched, told }
    }

    fn answer(
        &mut self,
        edit: &Edit,
        trid: u32,
        told: &mut Option<(&'static str, Option<String>)>,
    ) -> Result<(bool, String, String), u16> {
        Ok(match edit {
            Edit::Add { list, who, name, group } => {
                self.add(list, who, name, *group)?;
                let group = (*list == "FL").then_some(group.unwrap_or(0));
                (true, format!("ADD {trid} {list}"), format!(" {who} {name}{}", word(group)))
            }
            Edit::Remove { list, who, group } => {
                self.remove(list, who, *group)?;
                (true, format!("REM {trid} {list}"), format!(" {who}{}", word(*group)))
            }
            Edit::AddGroup(name) => {
                let free = (0..30).find(|id| !self.groups.contains_key(id)).ok_or(223_u16)?;
                self.groups.insert(free, name.clone());
                (true, format!("ADG {trid}"), format!(" {name} {free} 0"))
            }
            Edit::RenameGroup(group, name) => {
                let old = self.groups.get_mut(group).ok_or(224_u16)?;
                let changes = std::mem::replace(old, name.clone()) != *name;
                (changes, format!("REG {trid}"), format!(" {group} {name} 0"))
            }
            Edit::RemoveGroup(0) => return Err(230),
            Edit::RemoveGroup(group) => {
                self.groups.remove(group).ok_or(224_u16)?;
                for entry in self.contacts.values_mut().filter(|entry| entry.lists & FORWARD != 0) {
                    entry.groups.remove(group);
                    if entry.groups.is_empty() {
                        entry.lists &= !FORWARD;
                    }
                }
                self.contacts.retain(|_, entry| entry.lists != 0);
                (true, format!("RMG {trid}"), format!(" {group}"))
            }
            Edit::Rename(name) => {
                let changes = std::mem::replace(&mut self.name, name.clone()) != *name;
                (changes, format!("REA {trid}"), format!(" {} {name}", self.owner))
            }
            Edit::RenameContact(who, name) => {
                let entry = self.contacts.get_mut(who).ok_or(216_u16)?;
                let changes = entry.name.replace(name.clone()).as_ref() != Some(name);
                (changes, format!("REA {trid}"), format!(" {who} {name}"))
            }
            Edit::Privacy(blocks) => {
                if std::mem::replace(&mut self.blocks_others, *blocks) == *blocks {
                    return Err(218);
                }
                (true, format!("BLP {trid}"), if *blocks { " BL" } else { " AL" }.into())
            }
            Edit::Prompt(never) => {
                if std::mem::replace(&mut self.never_asks, *never) == *never {
                    return Err(218);
                }
                (true, format!("GTC {trid}"), if *never { " N" } else { " A" }.into())
            }
            Edit::Property(key, value) => {
                let value = self.set_property(key, value.clone(), told);
                (true, format!("PRP {trid}"), format!(" {key}{}", word(value)))
            }
        })
    }

    fn add(&mut self, list: &str, who: &str, name: &str, group: Option<u8>) -> Result<(), u16> {
        if group.is_some_and(|group| !self.groups.contains_key(&group)) {
            return Err(224);
        }
        let mut entry = self.contacts.get(who).cloned().unwrap_or_default();
        let is_on = entry.lists & bit(list) != 0;
        match (list, group) {
            ("FL", Some(group)) if is_on && !entry.groups.contains(&group) => {
                entry.groups.insert(group);
            }
            _ if is_on => return Err(215),
            ("FL", group) => {
                entry.groups = [group.unwrap_or(0)].into();
                entry.name = Some(name.into());
            }
            _ if entry.lists & (bit("AL") | bit("BL")) != 0 => return Err(219),
            _ => {}
        }
        entry.lists |= bit(list);
        self.contacts.insert(who.into(), entry);
        Ok(())
    }

    fn remove(&mut self, list: &str, who: &str, group: Option<u8>) -> Result<(), u16> {
        if group.is_some_and(|group| !self.groups.contains_key(&group)) {
            return Err(224);
        }
        let entry = self.contacts.get_mut(who).filter(|entry| entry.lists & bit(list) != 0);
        let entry = entry.ok_or(216_u16)?;
        if list == "FL" {
            match group {
                Some(group) if !entry.groups.remove(&group) => return Err(225),
                Some(_) if !entry.groups.is_empty() => return Ok(()),
                _ => entry.groups.clear(),
            }
        }
        entry.lists &= !bit(list);
        self.contacts.retain(|_, entry| entry.lists != 0);
        Ok(())
    }

    /// The value in force: who has no mobile device cannot be paged.
    fn set_property(
        &mut self,
        key: &'static str,
        mut value: Option<String>,
        told: &mut Option<(&'static str, Option<String>)>,
    ) -> Option<String> {
        let is_on = |key: &str, book: &Self| book.properties.get(key).is_some_and(|on| on == "Y");
        if key == "MOB" && value.as_deref() == Some("Y") && !is_on("MBE", self) {
            value = Some("N".into());
        }
        match &value {
            Some(value) => self.properties.insert(key.into(), value.clone()),
            None => self.properties.remove(key),
        };
        if SHARED.contains(&key) {
            *told = Some((key, value.clone()));
        } else if key == "MBE" && !is_on("MBE", self) && is_on("MOB", self) {
            self.properties.insert("MOB".into(), "N".into());
            *told = Some(("MOB", Some("N".into())));
        }
        value
    }

    /// Something to do next, about one of `people`; most of it is allowed. `number` is different
    /// every time. Without `shares`, nothing that contacts are told of but names.
    pub(crate) fn propose(
        &self,
        random: &mut Random,
        people: &[&'static str],
        number: u32,
        shares: bool,
    ) -> Edit {
        let who = String::from(*random.pick(people));
        let group = (random.below(3) > 0).then(|| {
            let groups: Vec<u8> = self.groups.keys().copied().collect();
            *random.pick(&groups)
        });
        match random.below(24) {
            0..=8 => self.toggle("FL", who, number, group, random),
            9..=11 => self.toggle("AL", who, number, group, random),
            12..=14 => self.toggle("BL", who, number, group, random),
            15 if self.groups.len() < 6 => Edit::AddGroup(format!("Group{number}")),
            15 | 16 => Edit::RemoveGroup(u8::try_from(random.below(7)).unwrap()),
            17 => Edit::RenameGroup(group.unwrap_or(9), format!("Group{number}")),
            18 => Edit::Rename(format!("Name{number}")),
            19 => {
                // To rename oneself there is the line above.
                let known: Vec<_> =
                    self.contacts.keys().filter(|who| **who != self.owner).collect();
                match known.is_empty() {
                    true => Edit::Privacy(!self.blocks_others),
                    false => {
                        Edit::RenameContact((**random.pick(&known)).clone(), format!("N{number}"))
                    }
                }
            }
            20 => Edit::Privacy(!self.blocks_others ^ (random.below(8) == 0)),
            21 => Edit::Prompt(!self.never_asks ^ (random.below(8) == 0)),
            22 if shares => {
                let key = *random.pick(&["PHH", "PHW", "PHM"]);
                Edit::Property(key, (random.below(4) > 0).then(|| number.to_string()))
            }
            23 if shares => {
                let key = *random.pick(&["MOB", "MBE"]);
                Edit::Property(key, Some(random.pick(&["Y", "N"]).to_string()))
            }
            _ => Edit::Property("WWE", (random.below(4) > 0).then(|| number.to_string())),
        }
    }

    /// Puts somebody on a list or into a group, takes them off, or tries what is not allowed.
    fn toggle(
        &self,
        list: &'static str,
        who: String,
        number: u32,
        group: Option<u8>,
        random: &mut Random,
    ) -> Edit {
        let group = group.filter(|_| list == "FL");
        let name = format!("N{number}");
        let opposite = ["BL", "AL"][usize::from(list == "BL")];
        let entry = self.contacts.get(&who);
        let blindly = random.below(12) == 0;
        let is_filed = group.is_none_or(|group| entry.is_some_and(|e| e.groups.contains(&group)));
        if blindly {
            match random.below(2) {
                0 => Edit::Add { list, who, name, group },
                _ => Edit::Remove { list, who, group },
            }
        } else if list != "FL" && self.has(opposite, &who) {
            Edit::Remove { list: opposite, who, group: None }
        } else if self.has(list, &who) && is_filed {
            Edit::Remove { list, who, group }
        } else {
            Edit::Add { list, who, name, group }
        }
    }
}

fn bit(list: &str) -> u8 {
    LISTS.iter().find(|(code, _)| *code == list).map_or(0, |(_, bit)| *bit)
}

fn word(word: Option<impl std::fmt::Display>) -> String {
    word.map(|word| format!(" {word}")).unwrap_or_default()
}
