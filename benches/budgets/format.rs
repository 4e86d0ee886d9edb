//! The format's own path: the raw one, with all that `docs/format` asks of an entry and of a tape, and nothing that is the
//! ledger's: no rows, no policy, no look-ups, no vault but its slots, no second look at what is kept already.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use immutape::codec::Writer;
use immutape::codec::digest::{CustodyId, Digest, GroupHash, LedgerId, TapeId};
use immutape::codec::random::bytes;
use immutape::keyring::OsRandom;
use immutape::log::{
    Body, ChainState, ClockStamp, EntryDraft, EntryKind, Frontier, GroupBuilder, GroupPlace, LogError, Outcome,
    PrivateHalf, SubjectTip, leaf_hash,
};
use immutape::seal::{
    ChunkBuilder, ChunkRange, CustodyKey, JournalKey, KeyEncryptionKey, Manifest, ManifestObject, Packer, PrivateAad,
    PublicKey, SealedHeader, Signature, Signer, Statement, StatementClaims, TapeKeys, TapeSecret, seal_object,
    seal_packed,
};
use immutape::store::NewObject;
use immutape::tape::{ContentDigest, TapeRoot, write_frame_leaf};
use immutape::time::{Clock as _, SystemClock};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::material::Ready;
use super::raw::{GROUP_ENTRIES_MAX, QUEUE_REQUESTS_MAX, RawJournal, RawPack};
use super::setup::somebody;

const ORIGIN: &str = "bench/0123456789abcdef";
/// A chunk of a long tape goes to the second thread in parts of this length.
const PART_BYTES: usize = 256 << 10;

type Asked = (EntryDraft, oneshot::Sender<()>);

/// A log in the format: callers seal, one writer links, hashes, writes and syncs.
#[derive(Clone)]
pub struct FormatLog {
    queue: mpsc::Sender<Asked>,
    key: Arc<CustodyKey>,
    clock: Arc<SystemClock>,
}

impl FormatLog {
    /// `before` runs for each group of `n` requests, ahead of its own sync.
    pub fn start(mut journal: RawJournal, mut before: impl FnMut(usize) + Send + 'static) -> Self {
        let (queue, mut requests) = mpsc::channel::<Asked>(QUEUE_REQUESTS_MAX);
        std::thread::spawn(move || {
            let (mut chain, mut previous) = (ChainState::default(), GroupHash::from_bytes([0; 32]));
            let code = JournalKey::from_bytes(&[5; 32]);
            while let Some(first) = requests.blocking_recv() {
                let mut batch = vec![first];
                while batch.len() < GROUP_ENTRIES_MAX
                    && let Ok(next) = requests.try_recv()
                {
                    batch.push(next);
                }
                before(batch.len());
                let mut group = GroupBuilder::new(&chain);
                let now = SystemClock::new([7; 16]).read().wall;
                for (draft, _) in &batch {
                    group.push(draft, now, |_| Ok::<Option<SubjectTip>, LogError>(None)).unwrap();
                }
                let place = GroupPlace { term: 1, segment: 1, offset: 0, previous_group: previous };
                let finished = group.finish(&place, false, &code);
                journal.write(&finished.extent);
                (chain, previous) = (finished.state, finished.header.hash);
                for (_, answer) in batch {
                    let _caller_may_be_gone = answer.send(());
                }
            }
        });
        let key = Arc::new(CustodyKey::from_bytes([3; 16], &[4; 32]));
        Self { queue, key, clock: Arc::new(SystemClock::new([7; 16])) }
    }

    /// One entry about `subject`, durable on return.
    pub async fn append(&self, subject: CustodyId, body: Body, fill: impl FnOnce(&mut PrivateHalf)) {
        let waiting = self.ask(subject, body, fill).await;
        waiting.await.unwrap();
    }

    /// The same, for who does not wait.
    pub async fn ask(
        &self,
        subject: CustodyId,
        body: Body,
        fill: impl FnOnce(&mut PrivateHalf),
    ) -> oneshot::Receiver<()> {
        let (answer, wait) = oneshot::channel();
        self.queue.send((self.draft(subject, body, fill), answer)).await.unwrap();
        wait
    }

    /// What an act of somebody says in private, committed and sealed.
    fn draft(&self, subject: CustodyId, body: Body, fill: impl FnOnce(&mut PrivateHalf)) -> EntryDraft {
        let (who, now) = (somebody(), self.clock.read());
        let fresh = bytes::<48>(&OsRandom).unwrap();
        let mut private = {
            let mut half = PrivateHalf::default();
            half.actor = Some(who.actor());
            half.request_id = Some(fresh[..16].try_into().unwrap());
            half.outcome = Some(Outcome::Ok);
            half.clock = Some(ClockStamp { wall: now.wall, monotonic_ns: now.monotonic_ns, boot_id: [7; 16] });
            half.policy_digest = Some(Digest::from_bytes([1; 32]));
            half.build_digest = Some(Digest::from_bytes([3; 32]));
            half.origin = Some((who.host, who.pid, None));
            half.purpose = who.purpose;
            half.tool = who.tool;
            half
        };
        fill(&mut private);
        let kind = body.kind().unwrap_or(EntryKind::LOG_READ);
        let aad = PrivateAad { origin: ORIGIN, kind: kind.number(), subject: &subject };
        let sealed = self.key.seal(fresh[16..].try_into().unwrap(), aad, &private).unwrap();
        EntryDraft::new(kind, subject, body.encode(), sealed)
    }
}

/// Tapes in the format: sealed by their callers, written to a pack; their keys wrapped into slots.
#[derive(Clone)]
pub struct FormatTapes {
    pub log: FormatLog,
    pub pack: Arc<RawPack>,
    slots: Arc<Mutex<Vec<u8>>>,
    epoch: Arc<KeyEncryptionKey>,
    recorder: Arc<Recorder>,
}

/// The recorder's key.
struct Recorder(SigningKey);

impl Signer for Recorder {
    fn sign(&self, message: &[u8]) -> Signature {
        ed25519_dalek::Signer::sign(&self.0, message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

impl FormatTapes {
    pub fn start(journal: RawJournal, pack: Arc<RawPack>, vault: std::fs::File) -> Self {
        use std::os::unix::fs::FileExt as _;
        let slots = Arc::new(Mutex::new(Vec::new()));
        let (full, synced, mut at) = (slots.clone(), pack.clone(), 0);
        let log = FormatLog::start(journal, move |_| {
            synced.sync();
            let slots: Vec<u8> = std::mem::take(&mut *full.lock().unwrap());
            at = if at + slots.len() > 1 << 20 { 0 } else { at };
            vault.write_all_at(&slots, at as u64).unwrap();
            vault.sync_data().unwrap();
            at += slots.len();
        });
        let recorder = Arc::new(Recorder(SigningKey::from_bytes(&[9; 32])));
        Self { log, pack, slots, epoch: Arc::new(KeyEncryptionKey::from_bytes(&[6; 32])), recorder }
    }

    /// Seals and keeps one tape, durable on return.
    pub async fn save(&self, tape: &Ready) {
        let custody = CustodyId::from_bytes(bytes(&OsRandom).unwrap());
        let secret = TapeSecret::generate(&OsRandom).unwrap();
        let (stored, id, statement) = self.seal(tape, custody, &secret);
        self.pack.append(&stored);
        self.keep_key(custody, &secret);
        let body = Body::TapeSaved { statement, epoch: [8; 16] };
        self.log
            .append(custody, body, |p| {
                p.tape_id = Some(id);
                p.class = Some("draft".into());
                p.namespace = Some("default".into());
            })
            .await;
    }

    fn keep_key(&self, custody: CustodyId, secret: &TapeSecret) {
        let wrapped = self.epoch.wrap_tape(ORIGIN, &custody, secret).unwrap();
        let mut slot = [0; 144];
        slot[..32].copy_from_slice(custody.as_ref());
        slot[32..80].copy_from_slice(&wrapped);
        self.slots.lock().unwrap().extend_from_slice(&slot);
    }

    /// All stored bytes of the tape, its id and the recorder's statement.
    fn seal(&self, tape: &Ready, custody: CustodyId, secret: &TapeSecret) -> (Vec<u8>, TapeId, Vec<u8>) {
        let keys = Arc::new(secret.keys());
        let (mut stored, mut objects, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |sealed: &[u8]| {
            let new = NewObject::of(sealed);
            objects.push(ManifestObject { digest: *new.digest(), bytes: sealed.len() as u64 });
            stored.extend_from_slice(sealed);
            // Read back and hashed before its entry may speak of it.
            std::hint::black_box(NewObject::of(&stored[stored.len() - sealed.len()..]).digest());
        };
        let (frames, chunks, content) = frames(tape, &keys, custody);
        for (range, sealed) in chunks {
            ranges.push(range);
            add(&sealed);
        }
        let mut header = tape.header.clone();
        header.stats.frames = frames.size();
        std::hint::black_box(content.finish(&header));
        let commitment = header.commit(keys.header_salts()).commitment;
        let root = TapeRoot { header: commitment, frames: frames.size(), tree: frames.root() };
        let id = root.id();
        let sealed = SealedHeader { header, chunks: ranges };
        add(&sealed.seal(&keys, bytes(&OsRandom).unwrap(), &custody).unwrap());
        let manifest = Manifest { custody, root, objects, attachments: Vec::new() }.encode().unwrap();
        let manifest_digest = *NewObject::of(&manifest).digest();
        stored.extend_from_slice(&manifest);
        let claims = StatementClaims {
            origin: ORIGIN.into(),
            ledger: LedgerId::from_bytes([2; 32]),
            custody,
            manifest: manifest_digest,
            tape: id,
        };
        (stored, id, Statement::sign(&claims, &*self.recorder))
    }
}

/// A chunk on its way to be compressed: a part of it, or its end.
enum Piece {
    Part(Zeroizing<Vec<u8>>),
    End(ChunkRange, Zeroizing<Vec<u8>>),
}

/// Leaves and content on this thread; of a long tape, compression and encryption on another.
fn frames(tape: &Ready, keys: &TapeKeys, custody: CustodyId) -> (Frontier, Vec<(ChunkRange, Vec<u8>)>, ContentDigest) {
    let is_long = tape.payload_bytes > PART_BYTES as u64;
    std::thread::scope(|scope| {
        let (give, given) = sync_channel(2);
        let beside = is_long.then(|| scope.spawn(move || pack(&given, keys, custody)));
        let (mut tree, mut content, mut chunk) = (Frontier::new(), ContentDigest::new(), ChunkBuilder::new());
        let (mut fields, mut leaf, mut here) = (Writer::new(), Writer::new(), Vec::new());
        let mut end = |range: ChunkRange, raw: Zeroizing<Vec<u8>>, content: &mut ContentDigest| {
            content.frames(&raw);
            if is_long {
                give.send(Piece::End(range, raw)).unwrap();
            } else {
                let position = here.len() as u64 + 1;
                here.push((range, seal_object(keys, bytes(&OsRandom).unwrap(), &custody, position, &raw).unwrap()));
            }
        };
        for frame in &tape.frames {
            let parts = frame.parts_in(std::mem::take(&mut fields)).unwrap();
            if chunk.is_full_for(parts.encoded_bytes(), frame.t_ns)
                && let Some((range, raw)) = chunk.take_full(Zeroizing::default())
            {
                end(range, raw, &mut content);
            }
            write_frame_leaf(&mut leaf, &parts, &keys.frame_salt(frame.seq));
            tree.push(&leaf_hash(leaf.as_slice()));
            chunk.push(&parts, frame.t_ns);
            fields = parts.into_buffer();
            if is_long && chunk.bytes() >= PART_BYTES {
                let part = chunk.take_part(Zeroizing::default());
                content.frames(&part);
                give.send(Piece::Part(part)).unwrap();
            }
        }
        if let Some((range, raw)) = chunk.take() {
            end(range, raw, &mut content);
        }
        drop(give);
        let sealed = beside.map_or(here, |thread| thread.join().unwrap());
        (tree, sealed, content)
    })
}

fn pack(given: &Receiver<Piece>, keys: &TapeKeys, custody: CustodyId) -> Vec<(ChunkRange, Vec<u8>)> {
    let (mut packer, mut sealed) = (Packer::new().unwrap(), Vec::new());
    while let Ok(piece) = given.recv() {
        match piece {
            Piece::Part(part) => packer.add(&part).unwrap(),
            Piece::End(range, raw) => {
                packer.add(&raw).unwrap();
                let (salt, position) = (bytes(&OsRandom).unwrap(), sealed.len() as u64 + 1);
                sealed.push((range, seal_packed(keys, salt, &custody, position, &mut packer).unwrap()));
            }
        }
    }
    sealed
}
