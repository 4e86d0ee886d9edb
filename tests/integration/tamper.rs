//! spike
use crate::support::ledgers::ann;
use crate::support::tamper::base::{AUTUMN_MS, base, content, environment};
use immutape::ledger::*;
use std::time::Instant;

#[test]
fn tamper_spike() {
    let t = Instant::now();
    let b = base();
    eprintln!(
        "base {:?} entries {} groups {} journal_end {} pack {} tail {:?} records {}",
        t.elapsed(),
        b.size,
        b.map.groups.len(),
        b.map.journal_end(),
        b.map.pack_bytes,
        b.map.pack_tail,
        b.map.records.len()
    );
    for (p, l) in &b.map.files {
        eprintln!("  {} {}", p.display(), l);
    }
    let d = tempfile::tempdir().unwrap();
    let rt = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for n in 0..5 {
        let to = d.path().join(format!("{n}"));
        let t = Instant::now();
        b.copy_to(&to);
        let copied = t.elapsed();
        let t = Instant::now();
        let out = std::process::Command::new("python3")
            .arg("audit-tools/python/tapeaudit.py")
            .arg("--state")
            .arg(to.join("state"))
            .arg(to.join("ledger"))
            .output()
            .unwrap();
        let py = t.elapsed();
        if n == 0 {
            eprintln!("{} {}", out.status, String::from_utf8_lossy(&out.stdout));
        }
        let t = Instant::now();
        let c = Checker::open(&Places::beneath(&to), &environment(9, AUTUMN_MS)).unwrap();
        let report = c.run(&CheckOptions::default());
        drop(c);
        let checked = t.elapsed();
        if n == 0 {
            eprintln!("{:?} {report:#?}", report.verdict());
        }
        let t = Instant::now();
        rt.block_on(async {
            let l = Ledger::open(Places::beneath(&to), environment(9, AUTUMN_MS)).await.unwrap();
            let opened = t.elapsed();
            let mut readers = Vec::new();
            for tape in &b.tapes {
                let r = l.open_tape(&ann(), &tape.id.to_hex(), None).await.unwrap();
                assert_eq!(content(r.collect(FrameSelection::All).unwrap().iter()), tape.content);
                readers.push(r);
            }
            let read = t.elapsed();
            l.close_with(readers).await.unwrap();
            eprintln!(
                "copy {copied:?} py {py:?} check {checked:?} open {opened:?} read {read:?} closed {:?}",
                t.elapsed()
            );
        });
        std::fs::remove_dir_all(&to).unwrap();
    }
}
