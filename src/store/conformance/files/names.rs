//! Files as names: folders, renaming, removing, listing, locks.

use std::io::ErrorKind;

use super::super::clause::same;
use super::{Fresh, Verdict, fine, pattern, refused, refused_somehow};

pub(super) fn folders_are_made(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    for _ in 0..2 {
        place.make_folder("a/b/c")?;
    }
    place.make_folder("a/b/d")?;
    place.put("a/b/c/f", b"f")?;
    place.make_folder("a/b/c")?;
    place.holds("a/b/c/f", b"f")?;
    place.put("file", b"f")?;
    refused_somehow("a folder beneath a file", place.files.create_dir_all(&place.at("file/folder")))
}

pub(super) fn sync_dir_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    refused("sync_dir", place.files.sync_dir(&place.at("none")), ErrorKind::NotFound)?;
    place.make_folder("folder")?;
    place.sync("folder")
}

pub(super) fn rename_moves(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.make_folder("folder")?;
    place.put("f", b"moved")?;
    for (from, to) in [("f", "g"), ("g", "folder/h")] {
        fine("rename_noreplace", place.files.rename_noreplace(&place.at(from), &place.at(to)))?;
        place.holds(to, b"moved")?;
        place.is_there(from, false)?;
    }
    Ok(())
}

pub(super) fn rename_moves_folders(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.make_folder("old/deep")?;
    place.put("old/deep/f", b"within")?;
    fine("rename_noreplace", place.files.rename_noreplace(&place.at("old"), &place.at("new")))?;
    place.holds("new/deep/f", b"within")?;
    place.is_there("old", false)
}

pub(super) fn rename_never_replaces(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("a", b"a")?;
    place.put("b", b"b")?;
    place.make_folder("c")?;
    place.make_folder("d")?;
    for (from, to) in [("a", "b"), ("a", "c"), ("c", "d")] {
        let result = place.files.rename_noreplace(&place.at(from), &place.at(to));
        refused(&format!("rename of {from} to {to}"), result, ErrorKind::AlreadyExists)?;
    }
    place.holds("a", b"a")?;
    place.holds("b", b"b")?;
    place.is_there("c", true)
}

pub(super) fn rename_replaces(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("new", b"the new one")?;
    place.put("f", b"the old and longer one")?;
    fine("rename_replace", place.files.rename_replace(&place.at("new"), &place.at("f")))?;
    place.holds("f", b"the new one")?;
    place.is_there("new", false)?;
    fine("rename_replace to no file", place.files.rename_replace(&place.at("f"), &place.at("g")))?;
    place.holds("g", b"the new one")
}

pub(super) fn rename_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("f", b"stays")?;
    let (none, there, other) = (place.at("none"), place.at("f"), place.at("g"));
    refused("rename_noreplace", place.files.rename_noreplace(&none, &other), ErrorKind::NotFound)?;
    refused("rename_replace", place.files.rename_replace(&none, &there), ErrorKind::NotFound)?;
    let lost = place.at("none/g");
    refused("rename into no folder", place.files.rename_noreplace(&there, &lost), ErrorKind::NotFound)?;
    refused("rename into no folder", place.files.rename_replace(&there, &lost), ErrorKind::NotFound)?;
    place.holds("f", b"stays")
}

pub(super) fn rename_keeps_handles(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let file = place.put("f", b"before")?;
    fine("rename_noreplace", place.files.rename_noreplace(&place.at("f"), &place.at("g")))?;
    fine("write_at", file.write_at(6, b" and after"))?;
    place.holds("g", b"before and after")?;
    place.is_there("f", false)
}

pub(super) fn removed_is_gone(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    for name in ["a", "b"] {
        place.put(name, b"x")?;
    }
    fine("remove_file", place.files.remove_file(&place.at("a")))?;
    place.is_there("a", false)?;
    let names: Vec<_> = fine("list", place.files.list(&place.folder))?.into_iter().map(|e| e.name).collect();
    same("what is left", names, vec!["b".to_owned()])?;
    place.put("a", b"anew")?;
    place.holds("a", b"anew")
}

pub(super) fn remove_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    refused("remove_file", place.files.remove_file(&place.at("none")), ErrorKind::NotFound)?;
    place.make_folder("folder")?;
    refused_somehow("remove_file of a folder", place.files.remove_file(&place.at("folder")))?;
    place.is_there("folder", true)
}

pub(super) fn list_is_whole(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    same("an empty folder", fine("list", place.files.list(&place.folder))?, vec![])?;
    for (name, bytes) in [("b", 3), ("a", 700), ("c", 0), ("B", 1), ("a.tmp", 2)] {
        place.put(name, &pattern(bytes))?;
    }
    place.make_folder("bb/below")?;
    let all = fine("list", place.files.list(&place.folder))?;
    let seen: Vec<_> = all.iter().map(|e| (e.name.as_str(), e.is_dir, e.is_plain)).collect();
    let file = |name| (name, false, true);
    same("entries", seen, vec![file("B"), file("a"), file("a.tmp"), file("b"), ("bb", true, true), file("c")])?;
    let lengths: Vec<_> = all.iter().filter(|e| !e.is_dir).map(|e| e.bytes).collect();
    same("lengths", lengths, vec![1, 700, 2, 3, 0])
}

pub(super) fn list_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    refused("list", place.files.list(&place.at("none")), ErrorKind::NotFound)?;
    place.put("f", b"f")?;
    refused_somehow("list of a file", place.files.list(&place.at("f")))
}

pub(super) fn exists_is_right(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.make_folder("folder")?;
    place.put("folder/f", b"")?;
    for (name, wanted) in [("folder", true), ("folder/f", true), ("folder/g", false), ("none/f", false)] {
        place.is_there(name, wanted)?;
    }
    Ok(())
}

pub(super) fn lock_is_one(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let held = fine("try_lock", place.files.try_lock(&place.at("lock")))?;
    same("the first holds it", held.as_ref().is_some_and(|lock| lock.is_current()), true)?;
    for _ in 0..2 {
        same("a second holds it", fine("try_lock", place.files.try_lock(&place.at("lock")))?.is_some(), false)?;
    }
    same("another lock is free", fine("try_lock", place.files.try_lock(&place.at("other")))?.is_some(), true)?;
    same("the first still holds it", held.is_some_and(|lock| lock.is_current()), true)
}

pub(super) fn lock_ends(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    for _ in 0..3 {
        same("held", fine("try_lock", place.files.try_lock(&place.at("lock")))?.is_some(), true)?;
    }
    Ok(())
}

pub(super) fn lock_notices(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let Some(old) = fine("try_lock", place.files.try_lock(&place.at("lock")))? else {
        return Err("a free lock was not given".to_owned());
    };
    fine("remove_file", place.files.remove_file(&place.at("lock")))?;
    same("current without a file", old.is_current(), false)?;
    let new = fine("try_lock", place.files.try_lock(&place.at("lock")))?;
    same("the new file's lock is current", new.is_some_and(|lock| lock.is_current() && !old.is_current()), true)
}

pub(super) fn files_are_private(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("f", b"")?;
    same("shared_mode", fine("shared_mode", place.files.shared_mode(&place.at("f")))?, 0)?;
    refused("shared_mode", place.files.shared_mode(&place.at("none")), ErrorKind::NotFound)
}
