//! Files as rows of bytes: opening, reading, writing.

use std::io::ErrorKind;
use std::thread;

use super::super::clause::same;
use super::{ANY, Fresh, Verdict, fine, pattern, refused, refused_somehow};

pub(super) fn open_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    for write in [false, true] {
        refused("open", place.files.open(&place.at("none"), write).map(drop), ErrorKind::NotFound)?;
        place.is_there("none", false)?;
    }
    Ok(())
}

pub(super) fn open_no_folder(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.make_folder("folder")?;
    for write in [false, true] {
        refused_somehow("open of a folder", place.files.open(&place.at("folder"), write).map(drop))?;
    }
    Ok(())
}

pub(super) fn open_to_read(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("f", b"as it was")?;
    let file = fine("open", place.files.open(&place.at("f"), false))?;
    refused_somehow("write", file.write_at(0, b"changed"))?;
    place.holds("f", b"as it was")?;
    let file = fine("open to write", place.files.open(&place.at("f"), true))?;
    fine("write", file.write_at(0, b"so"))?;
    place.holds("f", b"so it was")
}

pub(super) fn handles_agree(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let made = place.put("f", b"one")?;
    let opened = fine("open", place.files.open(&place.at("f"), false))?;
    fine("write", made.write_at(3, b" two"))?;
    let mut seen = [0; 7];
    same("bytes read", fine("read_at", opened.read_at(0, &mut seen))?, 7)?;
    same("what another handle wrote", &seen, b"one two")
}

pub(super) fn create_only_new(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("f", b"first")?;
    place.make_folder("folder")?;
    for name in ["f", "folder"] {
        refused("create_new", place.files.create_new(&place.at(name)).map(drop), ErrorKind::AlreadyExists)?;
    }
    place.holds("f", b"first")?;
    fine("create_new", place.files.create_new(&place.at("empty")))?;
    place.holds("empty", b"")
}

pub(super) fn create_needs_folder(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    refused("create_new", place.files.create_new(&place.at("none/f")).map(drop), ErrorKind::NotFound)?;
    place.is_there("none", false)
}

pub(super) fn read_has_a_limit(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    place.put("f", &pattern(5_000))?;
    for limit in [0, 1, 4_999] {
        refused("read", place.files.read(&place.at("f"), limit).map(drop), ErrorKind::FileTooLarge)?;
    }
    for limit in [5_000, 5_001, u64::MAX] {
        let read = fine("read", place.files.read(&place.at("f"), limit))?;
        same("what was read is whole", read == pattern(5_000), true)?;
    }
    Ok(())
}

pub(super) fn read_not_found(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    refused("read", place.files.read(&place.at("none"), ANY), ErrorKind::NotFound)?;
    refused("read beneath nothing", place.files.read(&place.at("none/f"), ANY), ErrorKind::NotFound)
}

pub(super) fn read_at_fills(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let (file, bytes) = (place.put("f", &pattern(20_000))?, pattern(20_000));
    for (offset, asked) in [(0, 20_000), (0, 0), (3, 9_000), (4_095, 2), (19_990, 10), (19_990, 50), (20_000, 4)] {
        let wanted: Vec<u8> = bytes.iter().skip(offset).take(asked).copied().collect();
        let mut buffer = vec![0; asked];
        let got = fine("read_at", file.read_at(offset as u64, &mut buffer))?;
        same(&format!("bytes read at {offset} of {asked}"), got, wanted.len())?;
        same("they are the file's", buffer.starts_with(&wanted), true)?;
        same("the rest of the buffer is left alone", buffer.iter().skip(got).all(|b| *b == 0), true)?;
    }
    same("far behind the end", fine("read_at", file.read_at(1 << 40, &mut [0; 4]))?, 0)
}

pub(super) fn write_at_is_exact(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let (file, mut wanted) = (place.put("f", &pattern(10_000))?, pattern(10_000));
    for (offset, bytes) in [(5_usize, 1_usize), (4_090, 12), (9_990, 10), (0, 3), (9_998, 5), (700, 0)] {
        fine("write_at", file.write_at(offset as u64, &vec![0xee; bytes]))?;
        wanted.resize(wanted.len().max(offset.saturating_add(bytes)), 0);
        wanted.iter_mut().skip(offset).take(bytes).for_each(|byte| *byte = 0xee);
        place.holds("f", &wanted)?;
    }
    Ok(())
}

pub(super) fn gap_is_zero(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let file = place.put("f", b"ab")?;
    fine("write_at", file.write_at(9_000, b"z"))?;
    place.holds("f", &[b"ab".as_slice(), &[0; 8_998], b"z"].concat())
}

pub(super) fn len_is_right(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let file = place.put("f", b"")?;
    for (offset, bytes, wanted) in [(0, 0, 0), (0, 700, 700), (10, 20, 700), (690, 20, 710), (5_000, 1, 5_001)] {
        fine("write_at", file.write_at(offset, &vec![1; bytes]))?;
        same("len", fine("len", file.len())?, wanted)?;
    }
    let opened = fine("open", place.files.open(&place.at("f"), false))?;
    same("len by another handle", fine("len", opened.len())?, 5_001)
}

pub(super) fn sync_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let file = place.put("f", b"bytes")?;
    for _ in 0..3 {
        fine("sync_data", file.sync_data())?;
        place.holds("f", b"bytes")?;
        place.sync("")?;
        place.holds("f", b"bytes")?;
    }
    Ok(())
}

pub(super) fn punch_is_exact(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let (file, mut wanted) = (place.put("f", &pattern(16_384))?, pattern(16_384));
    for (offset, bytes) in [(4_096_usize, 4_096_usize), (1, 5), (8_200, 100), (16_000, 10_000)] {
        match file.punch(offset as u64, bytes as u64) {
            Err(e) if e.kind() == ErrorKind::Unsupported => {}
            done => {
                fine("punch", done)?;
                wanted.iter_mut().skip(offset).take(bytes).for_each(|byte| *byte = 0);
            }
        }
        place.holds("f", &wanted)?;
    }
    Ok(())
}

pub(super) fn readers_while_writing(fresh: &Fresh<'_>) -> Verdict {
    let place = fresh();
    let file = place.put("f", &pattern(600))?;
    let reader = || -> Verdict {
        let file = fine("open while writing", place.files.open(&place.at("f"), false))?;
        let mut buffer = vec![0; 600];
        for _ in 0..100 {
            same("read while writing", fine("read_at while writing", file.read_at(0, &mut buffer))?, 600)?;
            same("what stood before", buffer == pattern(600), true)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(reader)).collect();
        for n in 0..200_u64 {
            fine("write while reading", file.write_at(n.saturating_mul(3).saturating_add(600), b"new"))?;
        }
        readers.into_iter().try_for_each(|r| r.join().unwrap_or_else(|_| Err("a reader panicked".to_owned())))
    })
}
