//! A help desk that records what its assistant was asked. It was written with a backend of plain files ([`plain`]); which
//! backend it uses is one line of its configuration, and its own tests ([`own_tests`]) do not know.

pub mod own_tests;
pub mod plain;

use std::io::Write;
use std::sync::Arc;

use immutape::provider::config::{ConfigFile, Effective, Others, Sources};
use immutape::provider::{Query, StorageRegistry, Surroundings, TapeRecorder};
use immutape::tape::{Direction, TapeKind};
use immutape::{Code, Error, Result};

/// The program with its storage open.
pub struct HelpDesk {
    recorder: TapeRecorder,
}

impl HelpDesk {
    /// Starts with this configuration file, of which the storage is one part.
    ///
    /// # Errors
    /// What is wrong with the configuration or the storage.
    pub async fn start(configuration: &str, around: Surroundings) -> Result<Self> {
        let layer = ConfigFile::new("helpdesk.toml", configuration).layer(Others::Ignore)?;
        let registry = StorageRegistry::over_global();
        registry.register(Arc::new(plain::PlainFactory))?;
        let effective: Effective = Sources::default().with_layer(layer).effective(&registry)?;
        let recorder = TapeRecorder::builder()
            .register_storage_provider(Arc::new(plain::PlainFactory))
            .with_configuration(&effective)
            .in_surroundings(around)
            .build()
            .await?;
        Ok(Self { recorder })
    }

    /// Records one conversation: questions and answers in turn.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn record(&self, caller: &str, turns: &[(&str, &str)]) -> Result<()> {
        let mut recording = self.recorder.begin(TapeKind::Other).await?;
        recording.header.labels.name = Some(caller.as_bytes().to_vec());
        for (n, (question, answer)) in turns.iter().enumerate() {
            let ask = serde_json::json!({"jsonrpc": "2.0", "id": n, "method": "ask", "params": {"text": question}});
            let told = serde_json::json!({"jsonrpc": "2.0", "id": n, "result": {"text": answer}});
            recording.message(Direction::ClientToServer, ask.to_string().as_bytes()).await?;
            recording.message(Direction::ServerToClient, told.to_string().as_bytes()).await?;
        }
        recording.finish().await.map(|_| ())
    }

    /// Every answer that a caller was ever given, in order.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn answers(&self, caller: &str) -> Result<Vec<String>> {
        let mut query = Query::all();
        query.filter.name = Some(caller.to_owned());
        let mut answers = Vec::new();
        for entry in self.recorder.storage().search(&query).await?.tapes {
            let tape = self.recorder.storage().load(&entry.id).await?;
            for frame in tape.frames.iter().filter(|f| f.direction == Direction::ServerToClient) {
                let no_json = |e| Error::new(Code::TapeDamaged, "an answer is no JSON").with_source(e);
                let answer: serde_json::Value = serde_json::from_slice(&frame.payload).map_err(no_json)?;
                answers.push(answer["result"]["text"].as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(answers)
    }

    /// Forgets a caller, if the storage lets it; the codes of the refusals.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn forget(&self, caller: &str) -> Result<Vec<Code>> {
        let mut query = Query::all();
        query.filter.name = Some(caller.to_owned());
        let mut refused = Vec::new();
        for entry in self.recorder.storage().search(&query).await?.tapes {
            refused.extend(self.recorder.storage().delete(&entry.id).await.err().map(|e| e.code()));
        }
        Ok(refused)
    }

    /// Conversations and messages so far.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn totals(&self) -> Result<(u64, u64)> {
        self.recorder.storage().stats().await.map(|stats| (stats.tape_count, stats.total_frames))
    }

    /// The recorder, for who wants to know which one it is.
    pub fn recorder(&self) -> &TapeRecorder {
        &self.recorder
    }

    /// Ends in order.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn stop(self) -> Result<()> {
        self.recorder.close().await
    }
}

/// The program's day: two calls, a restart, a question about the first.
///
/// # Errors
/// Those of the storage, or of `out`.
pub async fn run(configuration: &str, around: Surroundings, out: &mut (dyn Write + Send)) -> Result<()> {
    let desk = HelpDesk::start(configuration, around.clone()).await?;
    desk.record("Ms Ito", &[("Is the shop open?", "Until six."), ("And on Sunday?", "No.")]).await?;
    desk.record("Mr Berg", &[("Where is my parcel?", "On its way.")]).await?;
    desk.stop().await?;
    let desk = HelpDesk::start(configuration, around).await?;
    let (calls, messages) = desk.totals().await?;
    let answers = desk.answers("Ms Ito").await?;
    let no_room = |e| Error::new(Code::Io, "the report cannot be written").with_source(e);
    writeln!(out, "{calls} calls, {messages} messages\nMs Ito was told: {}", answers.join(" ")).map_err(no_room)?;
    desk.stop().await
}
