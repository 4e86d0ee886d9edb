//! A ledger in a temporary folder, for tests of this room.

pub(super) use stage::Stage;

#[cfg(test)]
mod stage {
    use std::sync::Arc;

    use tempfile::TempDir;

    use crate::capture::access::LedgerAccess;
    use crate::capture::options::{Durability, RecordingOptions};
    use crate::capture::writer::StreamingTapeWriter;
    use crate::keyring::OsRandom;
    use crate::ledger::{Environment, FrameSelection, Ledger, Places, Who};
    use crate::store::files::RealFiles;
    use crate::store::memory::MemoryEngine;
    use crate::tape::{EndState, Frame};
    use crate::time::{Clock, SystemClock};

    pub(in crate::capture) struct Stage {
        _folder: TempDir,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
    }

    impl Stage {
        pub(in crate::capture) async fn new() -> Self {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new([0; 16]));
            let (engine, files) = (Arc::new(MemoryEngine::new()), Arc::new(RealFiles));
            let environment = Environment::new(engine, files, clock.clone(), Arc::new(OsRandom));
            let folder = tempfile::tempdir().unwrap();
            let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", false).await.unwrap();
            Self { _folder: folder, ledger, clock }
        }

        pub(in crate::capture) fn access(&self) -> LedgerAccess {
            LedgerAccess::open(self.ledger.clone())
        }

        pub(in crate::capture) fn who(&self) -> Who {
            Who::os_user("ann")
        }

        pub(in crate::capture) fn clock(&self) -> Arc<dyn Clock> {
            self.clock.clone()
        }

        pub(in crate::capture) async fn writer(&self, durability: Durability) -> Arc<StreamingTapeWriter> {
            let mut options = RecordingOptions::named("session");
            options.durability = durability;
            let writer = StreamingTapeWriter::create(self.access(), self.who(), options, self.clock()).await;
            Arc::new(writer.unwrap())
        }

        /// Ends a recording; its frames.
        pub(in crate::capture) async fn frames(&self, writer: Arc<StreamingTapeWriter>) -> Vec<Frame> {
            let writer = Arc::try_unwrap(writer).unwrap();
            let finished = writer.finalize(EndState::Clean).await.unwrap();
            let tape = finished.receipt.tape.to_text();
            let reader = self.ledger.open_tape(&self.who(), &tape, None).await.unwrap();
            let frames = reader.collect(FrameSelection::All).unwrap();
            reader.finish().await.unwrap();
            frames
        }

        pub(in crate::capture) async fn close(self) {
            self.ledger.close().await.unwrap();
        }
    }
}
