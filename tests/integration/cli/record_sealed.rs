//! What a real spool shows to who reads the disk and has no key: nothing of what was said, and not what the session is called.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use immutape::store::conformance::objects::noise;

use super::record::{recorded, tape};
use super::world::World;

const NAME: &str = "the-session-of-mr-quartz";

/// The files beneath a folder that have these bytes somewhere.
fn with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(with(&path, bytes));
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|w| w == bytes) {
            found.push(path);
        }
    }
    found
}

#[test]
fn nothing_of_a_message_or_a_name_can_be_read_in_a_spool_live_or_left_behind() {
    let world = World::new();
    // Bytes that no compression changes: what is missing on the disk is missing because it is sealed.
    let mut line = noise(11, 8_192);
    line.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b'.');
    line.push(b'\n');
    let flags = ["--durability", "each", "--name", NAME, "--tag", "quartz-tag"];
    let mut child = recorded(&world, &flags, &["cat"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&line).unwrap();
    let mut back = vec![0; line.len()];
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_exact(&mut back).unwrap();
    assert!(back == line);
    let is_sealed = |when: &str| {
        for what in [&line[4_000..4_024], NAME.as_bytes(), b"quartz-tag"] {
            let found = with(&world.path(""), what);
            assert!(found.is_empty(), "{when}: {} is in {found:?}", String::from_utf8_lossy(what));
        }
    };
    let spool = || -> u64 {
        let files = fs::read_dir(world.path("ledger/spool")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    assert!(spool() > 2 * line.len() as u64, "both are on the disk: {} bytes", spool());
    is_sealed("while it is recorded");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(spool() > 2 * line.len() as u64);
    is_sealed("when the recorder was killed");
    world.run(["record", "--recover"]).exits(0);
    is_sealed("as a tape");
    // It was there all the time, for who has the keys; and this search finds what is not sealed.
    let tape = tape(&world);
    assert_eq!(tape["name"], NAME);
    let all = world.run(["cat", tape["tape"].as_str().unwrap()]).exits(0).stdout;
    assert!(all.windows(line.len()).any(|w| w == line));
    fs::write(world.path("ledger/plain"), &line).unwrap();
    assert_eq!(with(&world.path(""), &line[4_000..4_024]), [world.path("ledger/plain")]);
}
