//! What is saved: small made-up sessions and captured ones, as frames and header.

use std::sync::{Arc, LazyLock};

use immutape::codec::digest::{Digest, sha256};
use immutape::interchange::{ImportOptions, Importer};
use immutape::tape::{Direction, Frame, Header, Provenance, TapeKind};

use crate::support::ledgers::tape_path;

/// Format of the sessions that are kept with their source.
pub const SOURCED: &str = "with its source";

/// One session.
#[derive(PartialEq, Eq)]
pub struct Content {
    pub name: String,
    pub class: String,
    pub header: Header,
    pub frames: Vec<Frame>,
    /// Kept beside the frames.
    pub source: Option<Vec<u8>>,
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
    pub sourced: Vec<Arc<Content>>,
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
    sourced: vec![Content::sourced("sourced", 3_000), Content::sourced("sourced again", 40_000)],
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
        let frames = (0..frames).map(frame).collect();
        Arc::new(Self { name: name.into(), class: class.into(), header, frames, source: None })
    }

    /// A small session that was imported from so many bytes, which no compression makes fewer.
    fn sourced(name: &str, bytes: u64) -> Arc<Self> {
        let piece = |n: u64| sha256(&n.to_be_bytes());
        let source: Vec<u8> = (0..bytes.div_ceil(32)).flat_map(piece).collect();
        let Self { name, class, mut header, frames, .. } = Arc::into_inner(Self::small(name, "draft", 2, 80)).unwrap();
        let source_sha256 = Some(Digest::from_bytes(sha256(&source)));
        header.provenance = Some(Provenance { format: Some(SOURCED.into()), source_sha256, ..Provenance::default() });
        Arc::new(Self { name, class, header, frames, source: Some(source) })
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
        Arc::new(Self { name: name.into(), class: "draft".into(), header, frames, source: None })
    }
}
