//! The vault's generation file: which keys are wrapped under the root (`docs/format/store-embedded.md` 6).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer, encode};
use crate::codec::digest::{CustodyId, Digest, sha256};
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::seal::{CustodyKey, DedupeKey, JournalKey, KeyEncryptionKey, Purpose, SealError, VaultCodeKey};

const LABEL: &str = "immutape/vault/1";

/// Which entries a custody key seals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustodyLabel {
    /// Retention class, or `ledger` for entries about no tape.
    pub class: String,
    /// 12 * year + month - 1.
    pub month: u64,
}

/// A wrapped key with its random id.
type Wrapped = ([u8; 16], Vec<u8>);

/// The keys of one vault generation, unwrapped, and the file they came from.
pub struct VaultKeys {
    origin: String,
    generation: u64,
    revision: u64,
    root: KeyEncryptionKey,
    root_id: [u8; 16],
    epochs: Vec<([u8; 16], Vec<u8>, bool)>,
    epoch_keys: BTreeMap<[u8; 16], KeyEncryptionKey>,
    single: [Wrapped; 3],
    custody: Vec<Wrapped>,
    custody_keys: BTreeMap<[u8; 16], (CustodyLabel, CustodyKey)>,
    dead: Vec<CustodyId>,
    read_from: Option<Digest>,
    /// The journal key.
    pub journal: JournalKey,
    /// The dedupe key.
    pub dedupe: DedupeKey,
}

const SINGLE: [Purpose; 3] = [Purpose::Index, Purpose::Dedupe, Purpose::Journal];

impl VaultKeys {
    /// A new generation 1 with one epoch.
    ///
    /// # Errors
    /// `E_NO_RANDOM`.
    pub fn create(origin: &str, root: KeyEncryptionKey, random: &dyn Random) -> Result<Self> {
        let mut singles = Vec::with_capacity(3);
        let mut plain = Vec::with_capacity(3);
        for purpose in SINGLE {
            let (id, key) = (bytes::<16>(random)?, Zeroizing::new(bytes::<32>(random)?));
            singles.push((id, root.wrap(origin, purpose, &id, key.as_ref())?));
            plain.push(key);
        }
        let [_, dedupe, journal] = plain.as_slice() else { return Err(internal()) };
        let mut keys = Self {
            origin: origin.to_owned(),
            generation: 1,
            revision: 0,
            root_id: bytes(random)?,
            epochs: Vec::new(),
            epoch_keys: BTreeMap::new(),
            journal: JournalKey::from_bytes(journal),
            dedupe: DedupeKey::from_bytes(dedupe),
            single: singles.try_into().map_err(|_| internal())?,
            custody: Vec::new(),
            custody_keys: BTreeMap::new(),
            dead: Vec::new(),
            read_from: None,
            root,
        };
        keys.add_epoch(random)?;
        Ok(keys)
    }

    /// Adds an epoch; all others become full. Counts once the file is stored.
    ///
    /// # Errors
    /// `E_NO_RANDOM`.
    pub fn add_epoch(&mut self, random: &dyn Random) -> Result<[u8; 16]> {
        let id = bytes::<16>(random)?;
        let key = KeyEncryptionKey::generate(random)?;
        self.epochs.iter_mut().for_each(|e| e.2 = true);
        self.epochs.push((id, self.root.wrap(&self.origin, Purpose::Epoch, &id, key.expose())?, false));
        self.epoch_keys.insert(id, key);
        Ok(id)
    }

    /// Takes the newest epoch back, because its file could not be stored: what was wrapped under its key
    /// could never be opened again.
    pub fn take_back_epoch(&mut self, id: &[u8; 16]) {
        if self.epochs.pop_if(|e| e.0 == *id).is_some() {
            self.epoch_keys.remove(id);
            if let Some(last) = self.epochs.last_mut() {
                last.2 = false;
            }
        }
    }

    /// Adds a custody key. Counts once the file is stored.
    ///
    /// # Errors
    /// `E_NO_RANDOM`.
    pub fn add_custody_key(&mut self, label: CustodyLabel, random: &dyn Random) -> Result<[u8; 16]> {
        let (id, key) = (bytes::<16>(random)?, Zeroizing::new(bytes::<32>(random)?));
        let mut plain = Zeroizing::new(key.to_vec());
        plain.extend_from_slice(&encode(|w| {
            w.array(2);
            w.text(&label.class);
            w.uint(label.month);
        }));
        self.custody.push((id, self.root.wrap(&self.origin, Purpose::Custody, &id, &plain)?));
        self.custody_keys.insert(id, (label, CustodyKey::from_bytes(id, &key)));
        Ok(id)
    }

    /// Takes the newest custody key back, because its file could not be stored: what it sealed could never be
    /// opened again.
    pub fn take_back_custody_key(&mut self, id: &[u8; 16]) {
        if self.custody.pop_if(|k| k.0 == *id).is_some() {
            self.custody_keys.remove(id);
        }
    }

    /// The file's bytes at its next revision.
    #[must_use]
    pub fn encode_next(&self) -> (u64, u64, Vec<u8>) {
        let revision = self.revision.saturating_add(1);
        let mut w = Writer::with_capacity(1024);
        w.array(11);
        w.text(LABEL);
        w.uint(self.generation);
        w.uint(revision);
        w.text(&self.origin);
        w.bytes(&self.root_id);
        w.array(self.epochs.len());
        for (id, wrapped, full) in &self.epochs {
            w.array(3);
            w.bytes(id);
            w.bytes(wrapped);
            w.uint(u64::from(*full));
        }
        self.single.iter().for_each(|k| write_wrapped(&mut w, k));
        w.array(self.custody.len());
        self.custody.iter().for_each(|k| write_wrapped(&mut w, k));
        w.array(self.dead.len());
        self.dead.iter().for_each(|d| w.bytes(d.as_ref()));
        let code = VaultCodeKey::derive(self.root.expose(), &self.root_id).code(w.as_slice());
        let mut out = w.finish();
        out.extend_from_slice(&code);
        (self.generation, revision, out)
    }

    /// Called when the file of `revision` is durable.
    pub fn stored(&mut self, revision: u64) {
        self.revision = revision;
        self.read_from = None;
    }

    /// Reads and unwraps a generation file.
    ///
    /// # Errors
    /// `E_VAULT_DAMAGED` when it is not whole, not of this root, or of another ledger.
    pub fn decode(file: &[u8], origin: &str, root: KeyEncryptionKey) -> Result<Self> {
        let damaged = |why: &str| {
            Error::new(Code::VaultDamaged, format!("the vault's generation file {why}"))
                .with_hint("put the state folder's vault and the config folder's vault-root file back from one copy")
        };
        let (body, code) = file.split_last_chunk::<32>().ok_or_else(|| damaged("is cut off"))?;
        let mut r = Reader::new(body);
        let raw = read_raw(&mut r).map_err(|e| damaged("cannot be read").with_source(e))?;
        if !VaultCodeKey::derive(root.expose(), &raw.root_id).accepts(body, code) {
            return Err(damaged("was altered or belongs to another vault root"));
        }
        if raw.origin != origin {
            return Err(damaged("belongs to another ledger"));
        }
        let keys = raw.unwrap_all(root).map_err(|e| damaged("holds a key that does not open").with_source(e))?;
        Ok(Self { read_from: Some(Digest::from_bytes(sha256(file))), ..keys })
    }

    /// Digest of the very bytes these keys were read from; `None` once they have moved on from them.
    #[must_use]
    pub const fn read_from(&self) -> Option<Digest> {
        self.read_from
    }

    /// Number and revision of the stored file.
    #[must_use]
    pub const fn version(&self) -> (u64, u64) {
        (self.generation, self.revision)
    }

    /// The epoch that takes new tapes.
    #[must_use]
    pub fn open_epoch(&self) -> Option<[u8; 16]> {
        self.epochs.last().filter(|e| !e.2).map(|e| e.0)
    }

    /// Every epoch's id.
    pub fn epoch_ids(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.epochs.iter().map(|e| &e.0)
    }

    /// The key of an epoch.
    #[must_use]
    pub fn epoch(&self, id: &[u8; 16]) -> Option<&KeyEncryptionKey> {
        self.epoch_keys.get(id)
    }

    /// The custody key with this id.
    #[must_use]
    pub fn custody_key(&self, id: &[u8; 16]) -> Option<&CustodyKey> {
        self.custody_keys.get(id).map(|(_, k)| k)
    }

    /// What a custody key was made for.
    #[must_use]
    pub fn custody_label(&self, id: &[u8; 16]) -> Option<&CustodyLabel> {
        self.custody_keys.get(id).map(|(label, _)| label)
    }

    /// The newest custody key with this label.
    #[must_use]
    pub fn custody_key_for(&self, label: &CustodyLabel) -> Option<&CustodyKey> {
        self.custody
            .iter()
            .rev()
            .filter_map(|(id, _)| self.custody_keys.get(id))
            .find(|(l, _)| l == label)
            .map(|(_, k)| k)
    }

    /// Tapes that were destroyed.
    #[must_use]
    pub fn dead(&self) -> &[CustodyId] {
        &self.dead
    }
}

struct Raw {
    generation: u64,
    revision: u64,
    origin: String,
    root_id: [u8; 16],
    epochs: Vec<([u8; 16], Vec<u8>, bool)>,
    single: [Wrapped; 3],
    custody: Vec<Wrapped>,
    dead: Vec<CustodyId>,
}

fn read_raw(r: &mut Reader<'_>) -> Result<Raw, CborError> {
    r.array_of(11)?;
    r.label(LABEL)?;
    let (generation, revision, origin, root_id) = (r.uint()?, r.uint()?, r.text()?.to_owned(), r.bytes_n()?);
    let epochs = read_many(r, |r| {
        r.array_of(3)?;
        let (id, wrapped, state) = (r.bytes_n()?, r.bytes()?.to_vec(), r.uint()?);
        if state > 1 { Err(CborError::Range) } else { Ok((id, wrapped, state == 1)) }
    })?;
    let single = [read_wrapped(r)?, read_wrapped(r)?, read_wrapped(r)?];
    let custody = read_many(r, read_wrapped)?;
    let dead = read_many(r, |r| r.bytes_n().map(CustodyId::from_bytes))?;
    r.end()?;
    Ok(Raw { generation, revision, origin, root_id, epochs, single, custody, dead })
}

impl Raw {
    fn unwrap_all(self, root: KeyEncryptionKey) -> Result<VaultKeys, SealError> {
        let key32 = |plain: &[u8]| plain.first_chunk::<32>().copied().map(Zeroizing::new).ok_or(SealError::Truncated);
        let mut epoch_keys = BTreeMap::new();
        for (id, wrapped, _) in &self.epochs {
            let plain = root.unwrap(&self.origin, Purpose::Epoch, id, wrapped)?;
            epoch_keys.insert(*id, KeyEncryptionKey::from_bytes(&*key32(&plain)?));
        }
        let mut custody_keys = BTreeMap::new();
        for (id, wrapped) in &self.custody {
            let plain = root.unwrap(&self.origin, Purpose::Custody, id, wrapped)?;
            let mut r = Reader::new(plain.get(32..).unwrap_or_default());
            r.array_of(2)?;
            let label = CustodyLabel { class: r.text()?.to_owned(), month: r.uint()? };
            r.end()?;
            custody_keys.insert(*id, (label, CustodyKey::from_bytes(*id, &*key32(&plain)?)));
        }
        let single = |n: usize, purpose| -> Result<Zeroizing<[u8; 32]>, SealError> {
            let (id, wrapped) = self.single.get(n).ok_or(SealError::Truncated)?;
            key32(&root.unwrap(&self.origin, purpose, id, wrapped)?)
        };
        single(0, Purpose::Index)?;
        let (dedupe, journal) = (
            DedupeKey::from_bytes(&*single(1, Purpose::Dedupe)?),
            JournalKey::from_bytes(&*single(2, Purpose::Journal)?),
        );
        Ok(VaultKeys {
            origin: self.origin,
            generation: self.generation,
            revision: self.revision,
            root,
            root_id: self.root_id,
            epochs: self.epochs,
            epoch_keys,
            single: self.single,
            custody: self.custody,
            custody_keys,
            dead: self.dead,
            read_from: None,
            journal,
            dedupe,
        })
    }
}

fn write_wrapped(w: &mut Writer, (id, wrapped): &Wrapped) {
    w.array(2);
    w.bytes(id);
    w.bytes(wrapped);
}

fn read_wrapped(r: &mut Reader<'_>) -> Result<Wrapped, CborError> {
    r.array_of(2)?;
    Ok((r.bytes_n()?, r.bytes()?.to_vec()))
}

fn read_many<'a, T>(
    r: &mut Reader<'a>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    (0..r.array()?).map(|_| each(r)).collect()
}

fn internal() -> Error {
    Error::new(Code::Internal, "three purposes, three keys")
}
