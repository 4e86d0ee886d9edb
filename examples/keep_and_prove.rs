//! Keeps a session through the storage API, reads it back, and checks everything. `cargo run --example keep_and_prove`.

use immutape::provider::TapeRecorder;
use immutape::tape::{Direction, TapeKind};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let beneath = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    // A program of yours would leave the folders out: they have the defaults of the command line.
    let settings = json!({ "path": beneath("ledger"), "state_path": beneath("state"), "keys_path": beneath("keys") });
    let recorder = TapeRecorder::builder().with_storage("embedded", settings).build().await?;

    let mut recording = recorder.begin(TapeKind::Mcp).await?;
    recording.message(Direction::ClientToServer, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await?;
    recording.message(Direction::ServerToClient, br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await?;
    let id = recording.finish().await?;
    println!("kept as {}", id.to_text());

    let tape = recorder.storage().load(&id).await?;
    println!("{} frames come back; the read is in the log", tape.frames.len());
    let removed = recorder.storage().delete(&id).await;
    if let Err(refused) = removed {
        println!("and it cannot be removed: {refused}");
    }
    recorder.close().await?;
    Ok(())
}
