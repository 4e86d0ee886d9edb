//! Records a session while it happens, follows it from beside, and seals it into a tape. `cargo run --example record_and_follow`.

use std::sync::Arc;

use immutape::capture::{LedgerAccess, RecordingOptions, TapeManager, TapeRecord};
use immutape::ledger::{CheckOptions, Ledger, Places, Who};
use immutape::provider::Surroundings;
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::tape::{Direction, EndState, Frame};

const SESSION: [(Direction, &str); 4] = [
    (Direction::ClientToServer, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"}}"#),
    (Direction::ServerToClient, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#),
    (Direction::ServerToClient, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#),
    (Direction::ClientToServer, r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let environment = Surroundings::of_process()?.environment(Arc::new(EmbeddedEngine::new(Arc::new(RealFiles))));
    let clock = environment.clock.clone();
    let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", true).await?;
    let access = LedgerAccess::open(ledger.clone());
    // What an earlier recorder left behind is sealed first; here there is nothing.
    let (manager, recovered) = TapeManager::start(access, Who::os_user("ann"), clock).await?;
    println!("{} recordings were left by others", recovered.len());

    let recording = manager.start_recording(RecordingOptions::named("payments")).await?;
    let mut follower = manager.follow_tape(&recording).await?;
    for (direction, message) in SESSION {
        manager.write_frame(&recording, Frame::message(0, direction, message.as_bytes().to_vec())).await?;
    }
    let finished = manager.stop_recording(&recording, EndState::Clean).await?;
    println!("sealed as {}", finished.receipt.tape.to_text());

    // The follower sees each frame once and in order, also what was sealed meanwhile.
    while let Some(record) = follower.follow().await? {
        match record {
            TapeRecord::Frame(record) => println!("#{} {}", record.frame.seq, record.frame.direction.word()),
            TapeRecord::Correlation(pair) => println!("   {} answers {}", pair.response_seq, pair.request_seq),
            _ => {}
        }
    }
    manager.close_reader(follower).await?;

    let (report, _) = ledger.verify(&Who::os_user("ann"), CheckOptions::default()).await?;
    println!("{}", report.verdict().word());
    ledger.close().await?;
    Ok(())
}
