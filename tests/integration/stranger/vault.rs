//! The vault read by a stranger: from the root key to the secret of each tape and to the keys of private halves.

use std::collections::BTreeMap;

use ciborium::Value;

use super::bytes::{
    Pieces, Told, array, b, blob, blob_of, cbor, encode, ensure, front_item, h, hkdf, hmac, item, labelled, n,
    open_gcm, t, uint, words, zeros,
};
use super::store::Stored;

/// Bytes of a slot, and how many an epoch has.
const SLOT: usize = 144;
const SLOTS: usize = 256;
const SECTOR: usize = 512;

/// What the vault gives to who has its root.
pub struct Vault {
    pub generation: u64,
    pub revision: u64,
    pub origin: String,
    /// H of the generation body, which the head file names.
    pub digest: [u8; 32],
    pub journal_key: [u8; 32],
    custody: BTreeMap<[u8; 16], [u8; 32]>,
    /// Tape secrets by epoch and custody id, and epochs in their order.
    tapes: BTreeMap<[u8; 16], BTreeMap<[u8; 32], [u8; 32]>>,
    dead: Vec<[u8; 32]>,
}

impl Vault {
    pub fn custody_key(&self, id: &[u8; 16]) -> Told<&[u8; 32]> {
        self.custody.get(id).ok_or_else(|| "the vault has no such custody key".into())
    }

    /// 4.3: in the epoch that `tape.saved` names, or else in whichever has it.
    pub fn tape_secret(&self, epoch: &[u8; 16], custody: &[u8; 32]) -> Told<&[u8; 32]> {
        ensure(!self.dead.contains(custody), "the tape is dead")?;
        let named = self.tapes.get(epoch).and_then(|tapes| tapes.get(custody));
        let any = || self.tapes.values().find_map(|tapes| tapes.get(custody));
        named.or_else(any).ok_or_else(|| "the vault has no key of a tape".into())
    }
}

/// 3.7: the root key's file.
fn root_key(pem: &[u8]) -> Told<[u8; 32]> {
    let (label, key) = pem_rfc7468::decode_vec(pem).map_err(|e| format!("the root key: {e}"))?;
    ensure(label == "IMMUTAPE VAULT ROOT", "a file that is no vault root")?;
    key.try_into().map_err(|_| "a root key of another length".into())
}

/// 3.6: the key that `sealed` holds, with what may stand behind it.
fn unwrap(kek: &[u8; 32], origin: &str, purpose: &str, id: &[u8], sealed: &[u8]) -> Told<Vec<u8>> {
    let okm: [u8; 44] = hkdf(kek, id, format!("immutape/wrap/1/{purpose}").as_bytes());
    let aad = encode("immutape/wrap/1", &[t(purpose), t(origin), b(id)]);
    open_gcm(&okm, &aad, sealed).map_err(|e| format!("wrapped {purpose} key: {e}"))
}

fn key_of(opened: &[u8]) -> Told<[u8; 32]> {
    opened.try_into().map_err(|_| "a key of another length".into())
}

/// store-embedded 6.
pub fn open(stored: &Stored) -> Told<Vault> {
    let root = root_key(&stored.root_key)?;
    let file = stored.file("S/vault/generation")?;
    let line_end = file.iter().position(|byte| *byte == b'\n').ok_or("a generation file without a line")?;
    let (line, body) = file.split_at(line_end + 1);
    let encoding = body.len().checked_sub(32).and_then(|len| body.get(..len)).ok_or("a generation file too short")?;
    let body_item = item(encoding)?;
    let [_, generation, revision, origin, root_id, epochs, index, dedupe, journal, custody, dead] =
        labelled::<11>(&body_item, "immutape/vault/1")?;
    let code_key: [u8; 32] = hkdf(&root, &blob_of::<16>(root_id)?, b"immutape/vault-code/1");
    ensure(body[encoding.len()..] == hmac(&code_key, encoding), "the vault is not of this root key")?;
    let (generation, revision, origin) = (uint(generation)?, uint(revision)?, words(origin)?.to_owned());
    ensure(
        line == format!("immutape vault 1 {generation} {revision}\n").as_bytes(),
        "the line of the generation file",
    )?;
    let wrapped = |purpose: &str, pair: &Value| {
        let [id, sealed]: &[Value; 2] = array(pair)?.try_into().map_err(|_| "a wrapped key is a pair")?;
        key_of(&unwrap(&root, &origin, purpose, &blob_of::<16>(id)?, blob(sealed)?)?)
    };
    wrapped("index", index)?;
    wrapped("dedupe", dedupe)?;
    let journal_key = wrapped("journal", journal)?;
    let custody = array(custody)?.iter().map(|pair| custody_key(&root, &origin, pair)).collect::<Told<_>>()?;
    let tapes = epochs_of(stored, &root, &origin, array(epochs)?)?;
    let dead = array(dead)?.iter().map(blob_of).collect::<Told<_>>()?;
    Ok(Vault { generation, revision, origin, digest: h(body), journal_key, custody, tapes, dead })
}

/// A custody key has its label behind it.
fn custody_key(root: &[u8; 32], origin: &str, pair: &Value) -> Told<([u8; 16], [u8; 32])> {
    let [id, sealed]: &[Value; 2] = array(pair)?.try_into().map_err(|_| "a custody key is a pair")?;
    let id = blob_of::<16>(id)?;
    let opened = unwrap(root, origin, "custody", &id, blob(sealed)?)?;
    let mut pieces = Pieces(&opened);
    let key = pieces.array()?;
    let label = item(pieces.0)?;
    let [class, month]: &[Value; 2] = array(&label)?.try_into().map_err(|_| "a label of a custody key is a pair")?;
    ensure(!words(class)?.is_empty() && uint(month)? >= 12 * 1970, "a custody key without class or month")?;
    Ok((id, key))
}

type Tapes = BTreeMap<[u8; 16], BTreeMap<[u8; 32], [u8; 32]>>;

fn epochs_of(stored: &Stored, root: &[u8; 32], origin: &str, epochs: &[Value]) -> Told<Tapes> {
    let mut tapes = Tapes::new();
    for (at, epoch) in epochs.iter().enumerate() {
        let [id, sealed, state]: &[Value; 3] = array(epoch)?.try_into().map_err(|_| "an epoch has three items")?;
        let id = blob_of::<16>(id)?;
        let full = uint(state)? == 1;
        ensure(full || uint(state)? == 0 && at + 1 == epochs.len(), "an open epoch that is not the last")?;
        let key = key_of(&unwrap(root, origin, "epoch", &id, blob(sealed)?)?)?;
        let file = stored.file(&format!("S/vault/{}", hex::encode(id)))?;
        tapes.insert(id, slots(&id, &key, origin, file)?);
    }
    Ok(tapes)
}

/// The secrets in an epoch's file.
fn slots(epoch: &[u8; 16], key: &[u8; 32], origin: &str, file: &[u8]) -> Told<BTreeMap<[u8; 32], [u8; 32]>> {
    ensure(file.len() == SLOT * SLOTS, "an epoch of another length")?;
    let mut out = BTreeMap::new();
    for (number, slot) in (0u32..).zip(file.chunks(SLOT)) {
        if zeros(slot) || cut(number as usize * SLOT, slot) {
            continue;
        }
        let (said, check) = slot.split_at(112);
        let input = [&b"immutape/vault-slot/1"[..], epoch, &number.to_be_bytes(), said].concat();
        ensure(check == h(input), &format!("slot {number} of the vault is damaged"))?;
        let mut said = Pieces(said);
        let custody: [u8; 32] = said.array()?;
        let secret = key_of(&unwrap(key, origin, "tape", &custody, said.take(48)?)?)?;
        out.insert(custody, secret);
    }
    Ok(out)
}

/// Zero on exactly one side of a boundary that the slot straddles.
fn cut(start: usize, slot: &[u8]) -> bool {
    let before = start.next_multiple_of(SECTOR) - start;
    slot.split_at_checked(before).is_some_and(|(front, back)| {
        let straddles = !front.is_empty() && !back.is_empty();
        straddles && zeros(front) != zeros(back)
    })
}

/// What an entry's private half opens to.
pub struct Private {
    map: Value,
}

impl Private {
    pub fn fields(&self) -> Told<BTreeMap<u64, &Value>> {
        super::bytes::map(&self.map)
    }
}

/// 3.5: opens a private half, and checks it against the commitment in its entry.
pub fn open_private(
    vault: &Vault,
    key_id: &[u8; 16],
    kind: u64,
    subject: &[u8; 32],
    sealed: &[u8],
    commitment: &[u8; 32],
) -> Told<Private> {
    let mut left = Pieces(sealed);
    let salt: [u8; 32] = left.array()?;
    let okm: [u8; 76] = super::bytes::expand(vault.custody_key(key_id)?, &[b"immutape/private/1", &salt[..]].concat());
    let aad = encode("immutape/private/1", &[t(&vault.origin), n(kind), b(subject)]);
    let plain = open_gcm(&okm, &aad, left.0).map_err(|e| format!("private half: {e}"))?;
    let mut pieces = Pieces(&plain);
    let length = pieces.u32()?;
    let map = front_item(pieces.take(length as usize)?)?.0;
    ensure(cbor(&map).len() == length as usize && zeros(pieces.0), "bytes behind a private half")?;
    let padded = super::bytes::padme(u64::from(length).saturating_add(4).max(128));
    ensure(plain.len() as u64 == padded, "a private half that is padded otherwise")?;
    let private = Private { map };
    let mut salt_key = Pieces(&okm[44..]);
    let found = super::bytes::commitment("immutape/private/1", &salt_key.array()?, &private.fields()?);
    ensure(found == *commitment, "a private half that its entry does not commit to")?;
    Ok(private)
}
