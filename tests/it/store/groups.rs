//! `ADG`, `REG`, `RMG` and filing contacts into groups.

use super::{add, add_as, benches, group, name, new_account, remove_from};
use msnd::model::{
    Change, Edit, GroupId, GroupSet, List, ListBits, Refusal, roster::FIRST_GROUP_NAME,
};

fn add_group(text: &str) -> Edit {
    Edit::AddGroup { name: name(text) }
}

fn remove_group(id: u32) -> Edit {
    Edit::RemoveGroup { group: GroupId::new(id).unwrap() }
}

fn rename_group(id: u32, to: &str) -> Edit {
    Edit::RenameGroup { group: GroupId::new(id).unwrap(), name: name(to) }
}

#[tokio::test]
async fn groups_take_the_lowest_free_number() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        let added = |id| Change::GroupAdded { group: GroupId::new(id).unwrap() };
        assert_eq!(bench.change(alice, add_group("A")).await, added(1));
        assert_eq!(bench.change(alice, add_group("B")).await, added(2));
        let removed = bench.change(alice, remove_group(1)).await;
        assert_eq!(removed, Change::GroupRemoved { dropped: vec![] });
        assert_eq!(bench.change(alice, add_group("B")).await, added(1), "names may repeat");
        let groups = bench.roster(alice).await.groups;
        let groups: Vec<_> = groups.iter().map(|g| (g.id.get(), g.name.as_str())).collect();
        assert_eq!(groups, [(0, FIRST_GROUP_NAME), (1, "B"), (2, "B")]);
    }
}

#[tokio::test]
async fn there_are_at_most_thirty_groups() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        for _ in 1..30 {
            bench.edit(alice, add_group("G")).await.unwrap();
        }
        assert_eq!(bench.refused(alice, add_group("G")).await, Refusal::TooManyGroups);
        assert_eq!(bench.roster(alice).await.groups.len(), 30);
    }
}

#[tokio::test]
async fn any_group_can_be_renamed_and_all_but_the_first_removed() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        assert_eq!(bench.change(alice, rename_group(0, "Others")).await, Change::Private);
        assert_eq!(bench.roster(alice).await.groups[0].name, name("Others"));
        let same = bench.done(alice, rename_group(0, "Others")).await;
        assert_eq!((same.change, same.version), (Change::None, 2));
        assert_eq!(bench.refused(alice, rename_group(9, "X")).await, Refusal::NoSuchGroup);
        assert_eq!(bench.refused(alice, remove_group(9)).await, Refusal::NoSuchGroup);
        assert_eq!(bench.refused(alice, remove_group(0)).await, Refusal::GroupZero);
    }
}

#[tokio::test]
async fn a_contact_leaves_the_list_with_its_last_group() {
    for bench in benches().await {
        let [alice, bob, _] = bench.trio().await;
        bench.change(alice, add_group("Friends")).await;
        bench.change(alice, add(List::Forward, "bob")).await;
        let before = bench.roster(bob).await;
        let filed = bench.change(alice, add_as(List::Forward, "bob", "b", group(1))).await;
        assert_eq!(filed, Change::Private);
        assert_eq!(bench.entry(alice, bob).await.unwrap().groups, GroupSet(0b11));
        let left = bench.change(alice, remove_from(List::Forward, "bob", group(0))).await;
        assert_eq!(left, Change::Private);
        assert_eq!(bench.entry(alice, bob).await.unwrap().groups, GroupSet(0b10));
        assert_eq!(bench.roster(bob).await, before, "filing is the owner's alone");
        let gone = bench.change(alice, remove_from(List::Forward, "bob", group(1))).await;
        assert_eq!(gone, Change::Unwatched { contact: bob, reverse_version: 3 });
        assert_eq!(bench.entry(bob, alice).await, None);
    }
}

#[tokio::test]
async fn a_removed_group_takes_those_along_who_are_in_no_other() {
    for bench in benches().await {
        let [alice, bob, carol] = bench.trio().await;
        bench.store.create_accounts(vec![new_account("dave")]).await.unwrap();
        let dave = bench.id("dave").await;
        bench.change(alice, add_group("Friends")).await;
        bench.change(alice, add_as(List::Forward, "bob", "b", group(1))).await;
        bench.change(alice, add_as(List::Forward, "carol", "c", group(1))).await;
        bench.change(alice, add_as(List::Forward, "dave", "d", group(1))).await;
        bench.change(alice, add_as(List::Forward, "carol", "c", group(0))).await;
        bench.change(alice, add(List::Allow, "dave")).await;
        bench.change(bob, add(List::Forward, "alice")).await;

        let removed = bench.change(alice, remove_group(1)).await;
        assert_eq!(removed, Change::GroupRemoved { dropped: vec![(bob, 4), (dave, 3)] });
        assert_eq!(bench.lists(alice, bob).await, ListBits::REVERSE);
        assert_eq!(bench.lists(bob, alice).await, ListBits::FORWARD);
        assert_eq!(bench.lists(alice, dave).await, ListBits::ALLOW);
        assert_eq!(bench.entry(dave, alice).await, None);
        let carols = bench.entry(alice, carol).await.unwrap();
        assert_eq!((carols.lists, carols.groups), (ListBits::FORWARD, GroupSet::ZERO));
        assert_eq!(bench.lists(carol, alice).await, ListBits::REVERSE);
        for (who, version) in [(bob, 4), (carol, 2), (dave, 3)] {
            assert_eq!(bench.roster(who).await.version, version);
        }
        assert_eq!(bench.roster(alice).await.groups.len(), 1);
    }
}

#[tokio::test]
async fn a_removed_group_may_hold_its_owner() {
    for bench in benches().await {
        let [alice, ..] = bench.trio().await;
        bench.change(alice, add_group("Me")).await;
        bench.change(alice, add_as(List::Forward, "alice", "me", group(1))).await;
        let removed = bench.change(alice, remove_group(1)).await;
        assert_eq!(removed, Change::GroupRemoved { dropped: vec![(alice, 4)] });
        assert_eq!(bench.entry(alice, alice).await, None);
    }
}
