//! `record` between sides of which one says more than the other takes, or more at once than fits anywhere: every byte arrives and is
//! on the tape, and meanwhile little is held.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Child;
use std::time::{Duration, Instant};

use immutape::store::conformance::objects::noise;

use super::record::{recorded, tape};
use super::record_ends::{frugal, peak_kib};
use super::world::World;
use crate::support::{skipped, trials};

/// Bytes of one line of these tests, and so many of them that 32 MiB come together.
const LINE: usize = 64 << 10;
const LINES: usize = 512;

/// Bytes that do not compress and have no line end.
fn line_of(bytes: usize) -> Vec<u8> {
    let mut line = noise(3, bytes);
    line.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b'.');
    line
}

/// How far it has come once it goes no further: the same for a second, in looks that follow each other.
#[track_caller]
fn standing_still(far: impl Fn() -> usize) -> usize {
    let (start, mut last, mut since) = (Instant::now(), 0, Instant::now());
    loop {
        let now = far();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if now > 0 && since.elapsed() > Duration::from_secs(1) {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it never stood still, at {now}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The messages that `cat` gives of the only tape, from the first that begins so.
fn on_the_tape(world: &World, begin: &[u8]) -> Vec<u8> {
    let id = tape(world)["tape"].as_str().unwrap().to_owned();
    let mut all = world.run(["cat", &id]).exits(0).stdout;
    let start = all.windows(begin.len()).position(|w| w == begin).expect("the first of them is on the tape");
    all.split_off(start)
}

/// Between the program and who reads nothing are two pipes and a piece, and what the recorder has heard. Nothing of it grows with
/// what the program would like to say, and when somebody reads at last it is all there.
#[test]
fn a_program_that_nobody_reads_is_held_back_and_loses_nothing() {
    let world = World::new();
    let mut rest = line_of(LINE - 9);
    rest.push(b'\n');
    fs::write(world.path("rest"), &rest).unwrap();
    let script = "n=10000000; while [ $n -lt 10000512 ]; do printf $n; cat rest; n=$((n+1)); echo >>written; done";
    let mut child = recorded(&world, &[], &["sh", "-c", script]).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let written = || fs::metadata(world.path("written")).map_or(0, |lines| usize::try_from(lines.len()).unwrap());
    let held = standing_still(written);
    assert!(held * LINE <= 1 << 20, "{held} of {LINES} lines were taken, and nobody read one");
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    let mut got = Vec::new();
    out.read_to_end(&mut got).unwrap();
    assert_eq!((child.wait().unwrap().code(), written()), (Some(0), LINES));
    let expected: Vec<u8> =
        (0..LINES).flat_map(|n| [(10_000_000 + n).to_string().as_bytes(), &rest].concat()).collect();
    assert!(got == expected, "{} of {} bytes came", got.len(), expected.len());
    assert!(on_the_tape(&world, b"10000000").starts_with(&expected), "the tape has other bytes");
    // Each line, and the start and the end of the program.
    assert_eq!(tape(&world)["frames"].as_u64(), Some(LINES as u64 + 2));
    world.run(["verify"]).exits(0);
}

/// The end of a recorder, and the most memory that it had before.
fn ended(child: &mut Child) -> (Option<i32>, Option<u64>) {
    let mut peak = None;
    loop {
        peak = peak.max(peak_kib(child));
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lines of so many MiB, each of another number: one that compresses to almost nothing, and one of which an
/// eighth does not compress, or all of it in long runs.
fn long_lines(mib: u32) -> [Vec<u8>; 2] {
    let of = |block: &[u8]| {
        let blocks = (0..mib).flat_map(|n| [(10_000_000 + n).to_string().as_bytes(), block].concat());
        blocks.chain([b'\n']).collect::<Vec<u8>>()
    };
    let plain = vec![b'x'; (1 << 20) - 8];
    let noisy = line_of(if trials(1) > 1 { plain.len() } else { plain.len() / 8 });
    [of(&plain), of(&[&noisy, &plain[noisy.len()..]].concat())]
}

/// The client asks with one such line and is answered with another. Everybody has both to the byte; the most memory that the
/// recorder had.
fn long_lines_through(mib: u32) -> Option<u64> {
    let world = World::new();
    let [question, answer] = long_lines(mib);
    fs::write(world.path("answer"), &answer).unwrap();
    let mut child = frugal(&world, &[], &["sh", "-c", "cat >got; cat answer"]);
    let (mut stdin, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        out.read_to_end(&mut got).unwrap();
        got
    });
    let input = question.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let (code, peak) = ended(&mut child);
    writing.join().unwrap();
    assert_eq!(code, Some(0));
    assert!(reading.join().unwrap() == answer, "the client got other bytes");
    assert!(fs::read(world.path("got")).unwrap() == question, "the program got other bytes");
    let on_tape = on_the_tape(&world, &question[..64]);
    let (asked, answered) = on_tape.split_at(question.len());
    assert!(asked == question && answered.starts_with(&answer), "the tape has other bytes");
    world.run(["verify"]).exits(0);
    peak
}

/// A frame has 16 MiB at most. The recorder holds a few of them on their way to the disk (what came of the line, what waits for
/// the spool, what is being compressed and sealed), and as many of a line of two frames as of one of seven.
#[test]
fn a_hundred_megabytes_in_one_line_go_through_to_the_byte_in_bounded_memory() {
    const PEAK_KIB: u64 = 224 << 10;
    const MORE_KIB: u64 = 64 << 10;
    let (least, peak) = (long_lines_through(20), long_lines_through(100));
    println!("peak {peak:?} KiB, and {least:?} KiB for a line of two frames");
    let Some((least, peak)) = least.zip(peak) else { return skipped("peak memory is not known on this system") };
    assert!(least > 16 << 10 && peak < PEAK_KIB && peak < least + MORE_KIB, "{peak} KiB, {least} KiB for two frames");
}
