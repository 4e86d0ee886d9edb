//! The bound: the same bytes written to as many files and made durable as often, by nothing else.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one round took: everything written and synced.
pub struct Round {
    pub ms: Vec<f64>,
}

/// Every `every`, so many bytes are appended to each of `files` files, and each is synced, one after another.
pub fn rounds(folder: &Path, files: usize, bytes: usize, every: Duration, length: Duration) -> Round {
    let mut open: Vec<File> = (0..files).map(|n| File::create(folder.join(format!("raw-{n}"))).unwrap()).collect();
    let piece = vec![0xa5; bytes];
    let (until, mut ms) = (Instant::now() + length, Vec::new());
    while Instant::now() < until {
        let start = Instant::now();
        for file in &mut open {
            file.write_all(&piece).unwrap();
        }
        for file in &open {
            file.sync_data().unwrap();
        }
        ms.push(start.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(every.saturating_sub(start.elapsed()));
    }
    Round { ms }
}

/// Milliseconds of each append of so many bytes that is durable on return.
pub fn each(path: &Path, bytes: usize, count: usize) -> Vec<f64> {
    let (mut file, piece) = (File::create(path).unwrap(), vec![0xa5; bytes]);
    let one = |_| {
        let start = Instant::now();
        file.write_all(&piece).unwrap();
        file.sync_data().unwrap();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..count).map(one).collect()
}
