//! A tape whose salts follow from its numbers.

use immutape::codec::digest::{CustodyId, LeafHash, ObjectDigest, TapeId};
use immutape::evidence::bundle::{EvidenceFrame, Opened, set_proof, write_set_proof};
use immutape::log::root_of;
use immutape::seal::{Manifest, ManifestObject, Statement, StatementClaims};
use immutape::tape::{Direction, Frame, FrameSalt, Header, TapeKind, TapeRoot, frame_leaf};

use super::{Log, ORIGIN, Seed};

/// A tape.
pub struct Tape {
    pub custody: CustodyId,
    pub header: Header,
    pub frames: Vec<Frame>,
}

fn frame_salt(seq: u64) -> FrameSalt {
    FrameSalt { envelope: [seq as u8 + 1; 32], payload: [seq as u8 + 101; 32] }
}

fn header_salt(number: u64) -> [u8; 32] {
    [number as u8 + 1; 32]
}

impl Tape {
    pub fn new(byte: u8, frames: u64) -> Self {
        let mut header = Header::new(TapeKind::Other);
        header.stats.frames = frames;
        header.session_id = Some(vec![byte]);
        let frame = |seq| Frame::message(seq, Direction::ClientToServer, vec![byte; seq as usize + 1]);
        Self { custody: CustodyId::from_bytes([byte; 32]), header, frames: (0..frames).map(frame).collect() }
    }

    pub fn leaves(&self) -> Vec<LeafHash> {
        let leaf =
            |frame: &Frame| immutape::log::leaf_hash(&frame_leaf(&frame.parts().unwrap(), &frame_salt(frame.seq)));
        self.frames.iter().map(leaf).collect()
    }

    pub fn root(&self) -> TapeRoot {
        let header = self.header.commit(&header_salt).commitment;
        TapeRoot { header, frames: self.frames.len() as u64, tree: root_of(&self.leaves()) }
    }

    pub fn id(&self) -> TapeId {
        self.root().id()
    }

    pub fn manifest(&self) -> Vec<u8> {
        let object = |byte| ManifestObject { digest: ObjectDigest::from_bytes([byte; 32]), bytes: 100 };
        let objects = vec![object(1), object(2)];
        Manifest { custody: self.custody, root: self.root(), objects, attachments: Vec::new() }.encode().unwrap()
    }

    pub fn statement(&self, log: &Log) -> Vec<u8> {
        let manifest = Manifest::digest(&self.manifest());
        let (origin, custody, ledger) = (ORIGIN.to_owned(), self.custody, log.ledger_id());
        Statement::sign(&StatementClaims { origin, ledger, custody, manifest, tape: self.id() }, &Seed::of(2))
    }

    pub fn opened_header(&self, is_open: impl Fn(u64) -> bool) -> Opened {
        let fields = self.header.fields();
        let fields = fields.iter().map(|(number, value)| (*number, value.as_slice()));
        Opened::new("immutape/header/1", &header_salt, fields, is_open)
    }

    /// `frames.cbor` and its proof for the frames that `is_here` names.
    pub fn frames_files(&self, is_here: impl Fn(u64) -> bool, is_open: bool) -> [Vec<u8>; 2] {
        let here: Vec<&Frame> = self.frames.iter().filter(|frame| is_here(frame.seq)).collect();
        let item = |frame: &&Frame| EvidenceFrame::of(frame, &frame_salt(frame.seq), is_open).unwrap().encode();
        let known: Vec<u64> = here.iter().map(|frame| frame.seq).collect();
        let leaves = self.leaves();
        let root =
            |first: u64, count: u64| Some(*root_of(leaves.get(first as usize..(first + count) as usize)?).as_bytes());
        let hashes = set_proof(self.frames.len() as u64, &known, &mut { root }).unwrap();
        [here.iter().flat_map(item).collect(), write_set_proof(&hashes)]
    }
}
