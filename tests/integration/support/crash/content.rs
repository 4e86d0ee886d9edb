//! What is saved: small made-up sessions and captured ones, as frames and header.

use std::sync::{Arc, LazyLock};

use immutape::interchange::{ImportOptions, Importer};
use immutape::tape::{Direction, Frame, Header, TapeKind};

use crate::support::ledgers::tape_path;

/// One session.
#[derive(PartialEq, Eq)]
pub struct Content {
    pub name: String,
    pub class: String,
    pub header: Header,
    pub frames: Vec<Frame>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Everything a story saves.
pub struct Material {
    pub small: Vec<Arc<Content>>,
    pub captured: Vec<Arc<Content>>,
    pub together: Vec<Arc<Content>>,
    pub late: Arc<Content>,
}

static MATERIAL: LazyLock<Material> = LazyLock::new(|| Material {
    small: vec![
        Content::small("one", "draft", 1, 40),
        Content::small("two", "draft", 4, 700),
        Content::small("three", "sec-17a-4", 2, 90),
    ],
    captured: vec![Content::captured("sqlite-crash"), Content::captured("git-policies")],
    together: (0..3).map(|n| Content::small(&format!("together {n}"), "draft", n + 1, 300)).collect(),
    late: Content::small("late", "draft", 2, 200),
});

impl Material {
    pub fn get() -> &'static Self {
        &MATERIAL
    }
}

impl Content {
    /// `frames` messages of about `bytes` bytes, unlike those of any other name.
    pub fn small(name: &str, class: &str, frames: u64, bytes: usize) -> Arc<Self> {
        let frame = |seq| {
            let way = if seq % 2 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
            let filler = "x".repeat(bytes);
            let payload = format!("{{\"jsonrpc\":\"2.0\",\"id\":{seq},\"method\":\"{name}\",\"params\":\"{filler}\"}}");
            Frame { t_ns: Some(seq * 1_000_000), ..Frame::message(seq, way, payload.into_bytes()) }
        };
        let mut header = Header::new(TapeKind::Mcp);
        header.labels.name = Some(name.as_bytes().to_vec());
        Arc::new(Self { name: name.into(), class: class.into(), header, frames: (0..frames).map(frame).collect() })
    }

    fn captured(name: &str) -> Arc<Self> {
        let path = tape_path(name);
        let companion = std::fs::read(path.with_extension("meta.json")).ok();
        let source = std::fs::read(path).unwrap();
        let mut importer = Importer::open(&source[..], ImportOptions::default().companion(companion)).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = importer.next_frame().unwrap() {
            frames.push(frame);
        }
        let header = importer.finish().unwrap();
        Arc::new(Self { name: name.into(), class: "draft".into(), header, frames })
    }
}
