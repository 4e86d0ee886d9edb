//! A ledger of one's own: saves two sessions, finds one of them by a tool it called, and checks the whole ledger.
//! `cargo run --example search_and_check`.

use std::sync::Arc;

use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{CheckOptions, Filter, Ledger, ListRequest, Places, SaveOptions, Who};
use immutape::provider::Surroundings;
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::time::{Clock as _, SystemClock};

const SESSIONS: [&str; 2] = [
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read_file\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let environment = Surroundings::of_process()?.environment(Arc::new(EmbeddedEngine::new(Arc::new(RealFiles))));
    let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", true).await?;
    let who = Who::os_user("ann");
    for session in SESSIONS {
        let mut importer = Importer::open(session.as_bytes(), ImportOptions::default())?;
        let mut saver = ledger.begin_save(&who, SaveOptions::default()).await?;
        while let Some(frame) = importer.next_frame()? {
            saver.frame(&frame)?;
        }
        println!("kept {}", saver.finish(importer.finish()?).await?.tape.to_text());
    }

    let now = SystemClock::new([0; 16]).read().wall;
    let request = ListRequest::new(Filter::parse("tool:read_file since:1h", now)?);
    let page = ledger.search(&who, request).await?;
    println!("{} tape found; the search is entry #{}", page.tapes.len(), page.entry);

    let (report, recorded) = ledger.verify(&who, CheckOptions::default()).await?;
    println!("{}; the check is entry #{}", report.verdict().word(), recorded?);
    ledger.close().await?;
    Ok(())
}
