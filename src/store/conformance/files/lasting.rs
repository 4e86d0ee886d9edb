//! What a power cut leaves of what was made durable.

use super::super::clause::same;
use super::{ANY, Fresh, Place, Verdict, fine};

pub(super) fn contents_last(again: &Fresh<'_>) -> Verdict {
    {
        let place = again();
        place.put_durable("f", b"old contents")?;
        place.sync("")?;
    }
    {
        let place = again();
        let file = fine("open", place.files.open(&place.at("f"), true))?;
        fine("write_at", file.write_at(0, b"new"))?;
        fine("write_at", file.write_at(12, b", and more"))?;
        fine("sync_data", file.sync_data())?;
    }
    again().holds("f", b"new contents, and more")
}

pub(super) fn names_last(again: &Fresh<'_>) -> Verdict {
    let names = ["a", "b", "c"];
    {
        let place = again();
        names.iter().try_for_each(|name| place.put_durable(name, name.as_bytes()))?;
        place.sync("")?;
    }
    names.iter().try_for_each(|name| again().holds(name, name.as_bytes()))
}

pub(super) fn folders_last(again: &Fresh<'_>) -> Verdict {
    {
        let place = again();
        place.make_folder("a/b/c")?;
        ["a/b", "a", ""].into_iter().try_for_each(|above| place.sync(above))?;
    }
    again().is_there("a/b/c", true)
}

pub(super) fn moves_last(again: &Fresh<'_>) -> Verdict {
    {
        let place = again();
        place.put_durable("f", b"moved")?;
        place.sync("")?;
        place.make_folder("folder")?;
        place.sync("")?;
        fine("rename_noreplace", place.files.rename_noreplace(&place.at("f"), &place.at("folder/g")))?;
        place.sync("folder")?;
        place.sync("")?;
    }
    let place = again();
    place.holds("folder/g", b"moved")?;
    place.is_there("f", false)
}

/// An old file, durable, and a new one that was renamed over it.
fn replaced(place: &Place) -> Verdict {
    place.put_durable("f", b"old")?;
    place.sync("")?;
    place.put_durable("f.tmp", b"the newer")?;
    fine("rename_replace", place.files.rename_replace(&place.at("f.tmp"), &place.at("f")))
}

pub(super) fn replacing_lasts(again: &Fresh<'_>) -> Verdict {
    {
        let place = again();
        replaced(&place)?;
        place.sync("")?;
    }
    let place = again();
    place.holds("f", b"the newer")?;
    place.is_there("f.tmp", false)
}

pub(super) fn replacing_is_atomic(again: &Fresh<'_>) -> Verdict {
    replaced(&again())?;
    let place = again();
    let found = fine("read of the old or the new", place.files.read(&place.at("f"), ANY))?;
    same("it is one of them, whole", [b"old".as_slice(), b"the newer"].contains(&found.as_slice()), true)
}

pub(super) fn removing_lasts(again: &Fresh<'_>) -> Verdict {
    {
        let place = again();
        place.put_durable("f", b"gone soon")?;
        place.sync("")?;
    }
    {
        let place = again();
        place.holds("f", b"gone soon")?;
        fine("remove_file", place.files.remove_file(&place.at("f")))?;
        place.sync("")?;
    }
    again().is_there("f", false)
}
