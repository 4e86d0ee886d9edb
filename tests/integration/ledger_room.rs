//! The disk fills up under an open ledger and room is made again: the same handle goes on.

use immutape::Code;
use immutape::interchange::ImportOptions;
use immutape::ledger::{Ledger, SaveOptions};

use crate::support::crash::{Machine, World, in_runtime};
use crate::support::ledgers::{ann, save_bytes};
use crate::support::sim_files::Kind;

fn line(n: u64) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}\n").into_bytes()
}

async fn save(ledger: &Ledger, n: u64) -> immutape::Result<String> {
    let kept = save_bytes(ledger, &line(n), ImportOptions::default(), SaveOptions::default()).await?;
    Ok(kept.tape.to_hex())
}

async fn read(ledger: &Ledger, tape: &str) -> immutape::Result<()> {
    ledger.open_tape(&ann(), tape, None).await?.finish().await.map(|_| ())
}

#[test]
fn a_full_disk_is_looked_at_again_and_the_handle_goes_on() {
    let world = World::new(77);
    in_runtime(async {
        let ledger = Ledger::create(world.places(), world.env(), "room", true).await.unwrap();
        let tape = save(&ledger, 0).await.unwrap();
        // Not enough for the next segment.
        world.sim.set_room(Some(world.sim.used_bytes() + (1 << 20)));
        let wordy = ann().purpose(Some(vec![b'w'; 30_000]));
        let mut refused = None;
        for _ in 0..100 {
            refused = ledger.note_log_read(&wordy).await.err();
            if refused.is_some() {
                break;
            }
        }
        assert_eq!(refused.map(|e| e.code()), Some(Code::AuditUnavailable));
        assert!(world.sim.faults_made() > 0 && ledger.status().unwrap().nearly_full);

        // Looked for at most once a second, however many ask.
        let attempts = || world.sim.operations().iter().filter(|op| op.kind == Kind::Create && op.bytes == 0).count();
        let before = attempts();
        for _ in 0..20 {
            assert_eq!(read(&ledger, &tape).await.map_err(|e| e.code()), Err(Code::AuditUnavailable));
        }
        assert!(attempts() <= before + 1, "{} attempts", attempts() - before);
        assert_eq!(save(&ledger, 1).await.map_err(|e| e.code()), Err(Code::StoreFull));
        let size = ledger.size();
        let refusal = ledger.delete(&ann(), &tape).await;
        assert_eq!(refusal.err().map(|e| e.code()), Some(Code::DisposalRequired));
        assert_eq!(ledger.size(), size + 1, "a refusal is still recorded");

        world.sim.set_room(None);
        assert_eq!(read(&ledger, &tape).await.map_err(|e| e.code()), Err(Code::AuditUnavailable));
        world.clock.advance(1_000);
        read(&ledger, &tape).await.unwrap();
        save(&ledger, 2).await.unwrap();
        assert!(!ledger.status().unwrap().nearly_full);
        ledger.close().await.unwrap();
    });
}
