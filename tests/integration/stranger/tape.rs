//! A tape read by a stranger: from the log's word for it and its secret to its payloads.

use ciborium::Value;

use super::bytes::{
    Pieces, Told, array, b, blob, blob_of, cbor, commitment, encode, ensure, expand, field, front_item, h, item,
    labelled, ld, leaf_hash, map, n, open_gcm, padme, root, stream, uint, zeros,
};
use super::log::Saved;
use super::store::Objects;

/// 2.5.
struct Keys {
    content: [u8; 32],
    frame_salts: [u8; 32],
    header_salts: [u8; 32],
}

impl Keys {
    fn new(secret: &[u8; 32]) -> Self {
        let prk = super::bytes::hmac(b"immutape/tape-secret/1", secret);
        let key = |name: &str| expand(&prk, format!("immutape/{name}/1").as_bytes());
        Self { content: key("content-key"), frame_salts: key("frame-salt-key"), header_salts: key("header-salt-key") }
    }
}

/// What a manifest says.
struct Manifest {
    root: Vec<u8>,
    objects: Vec<([u8; 32], u64)>,
}

/// 3.2. Attachments are refused: nothing writes them yet.
fn manifest(saved: &Saved, objects: &Objects<'_>) -> Told<Manifest> {
    let value = item(objects.get(&saved.manifest).ok_or("the manifest is missing")?)?;
    let [_, custody, root, list] = labelled::<4>(&value, "immutape/manifest/1")?;
    ensure(blob_of(custody)? == saved.custody, "a manifest of another tape")?;
    let root = blob(root)?.to_vec();
    ensure(h(&root) == saved.tape, "a manifest with another tape root")?;
    let object = |pair: &Value| {
        let [digest, length]: &[Value; 2] = array(pair)?.try_into().map_err(|_| "an object is named by a pair")?;
        Ok((blob_of(digest)?, uint(length)?))
    };
    let objects = array(list)?.iter().map(object).collect::<Told<Vec<_>>>()?;
    ensure(!objects.is_empty(), "a manifest without a header")?;
    Ok(Manifest { root, objects })
}

/// 3.1: what an object opens to.
fn open(keys: &Keys, custody: &[u8; 32], position: u64, stored: &[u8]) -> Told<Vec<u8>> {
    let mut left = Pieces(stored);
    let (salt, key_commitment): ([u8; 32], [u8; 32]) = (left.array()?, left.array()?);
    let okm: [u8; 76] = expand(&keys.content, &[&b"immutape/object/1"[..], &salt].concat());
    ensure(okm[44..] == key_commitment, "an object under another key")?;
    let aad = encode("immutape/object/1", &[b(custody), n(position)]);
    let plain = open_gcm(&okm, &aad, left.0)?;
    let mut p = Pieces(&plain);
    let ([codec], raw_length, body_length) = (p.array()?, p.len()?, p.len()?);
    ensure(raw_length <= 20 << 20, "an object of more than 20 MiB")?;
    let body = p.take(body_length)?;
    let padded = padme(body_length as u64 + 17);
    ensure(plain.len() as u64 == padded && zeros(p.0), "padding of an object")?;
    let raw = match codec {
        0 => body.to_vec(),
        1 => zstd::bulk::decompress(body, raw_length).map_err(|e| format!("an object's body: {e}"))?,
        _ => return Err("an unknown codec".into()),
    };
    ensure(raw.len() == raw_length, "raw length of an object")?;
    Ok(raw)
}

/// A chunk as object 0 announces it.
struct Range {
    first_seq: u64,
    frames: u64,
    times: (u64, u64),
}

/// 3.1, object 0: the header map, encoded, and the ranges of the chunks.
fn header(raw: &[u8]) -> Told<(Value, Vec<Range>)> {
    let value = item(raw)?;
    let [_, header, chunks] = labelled::<3>(&value, "immutape/header/1")?;
    let range = |chunk: &Value| {
        let chunk: &[Value; 4] = array(chunk)?.try_into().map_err(|_| "a chunk is announced by four numbers")?;
        let [first_seq, frames, first, last] = chunk.each_ref().map(uint);
        Ok(Range { first_seq: first_seq?, frames: frames?, times: (first?, last?) })
    };
    Ok((header.clone(), array(chunks)?.iter().map(range).collect::<Told<_>>()?))
}

/// What the frames of a tape come to.
#[derive(Default)]
struct Frames {
    leaves: Vec<[u8; 32]>,
    written: Vec<u8>,
}

impl Frames {
    /// 3.1: exactly the frames of a chunk.
    fn chunk(&mut self, keys: &Keys, raw: &[u8], range: &Range) -> Told<()> {
        ensure(range.first_seq == self.leaves.len() as u64 && range.frames > 0, "range of a chunk")?;
        let (mut left, mut times) = (raw, None);
        for _ in 0..range.frames {
            let (frame, rest) = front_item(left)?;
            if let Some(time) = self.frame(keys, &frame)? {
                let (least, greatest) = times.unwrap_or((time, time));
                times = Some((time.min(least), time.max(greatest)));
            }
            left = rest;
        }
        ensure(left.is_empty(), "bytes behind the frames of a chunk")?;
        ensure(times.unwrap_or((0, 0)) == range.times, "times of a chunk")
    }

    /// 2.1: one frame; its time.
    fn frame(&mut self, keys: &Keys, frame: &Value) -> Told<Option<u64>> {
        let seq = self.leaves.len() as u64;
        let fields = map(frame)?;
        ensure(fields.keys().all(|key| *key <= 13), "a key of a frame that no table names")?;
        ensure(uint(field(&fields, 0)?)? == seq, "number of a frame")?;
        ensure(uint(field(&fields, 3)?)? <= 8 && uint(field(&fields, 4)?)? <= 3, "kind or direction of a frame")?;
        let payload = blob(field(&fields, 5)?)?;
        let delimiter: &[u8] = match uint(field(&fields, 6)?)? {
            0 | 5 => b"",
            1 => b"\n",
            2 => b"\r\n",
            3 => b"\x01",
            4 => b"\x1c\r",
            _ => return Err("delimiter of a frame".into()),
        };
        let flags = fields.get(&11).map_or(Ok(0), |flags| uint(flags))?;
        ensure(flags < 1 << 13 && fields.contains_key(&11) == (flags != 0), "flags of a frame")?;
        let continued = flags & 1 << 8 != 0;
        self.written.extend_from_slice(payload);
        self.written.extend_from_slice(if continued { b"" } else { delimiter });
        let envelope = frame.as_map().into_iter().flatten().filter(|(key, _)| *key != n(5)).cloned().collect();
        self.leaves.push(leaf(keys, seq, &cbor(&Value::Map(envelope)), payload));
        fields.get(&1).map(|time| uint(time)).transpose()
    }
}

/// 2.1: leaf hash of a frame.
fn leaf(keys: &Keys, seq: u64, envelope: &[u8], payload: &[u8]) -> [u8; 32] {
    let salts: [u8; 64] = stream(&keys.frame_salts, 64 * seq);
    let envelope = ld("immutape/frame/1/envelope", &[n(seq), b(&salts[..32]), b(envelope)]);
    let payload = ld("immutape/frame/1/payload", &[n(seq), b(&salts[32..]), b(payload)]);
    leaf_hash(&encode("immutape/frame/1", &[n(seq), b(envelope), b(payload)]))
}

/// The tape as it was written: every step from the manifest down is checked against the tape's id in the statement.
pub fn written(saved: &Saved, secret: &[u8; 32], objects: &Objects<'_>) -> Told<Vec<u8>> {
    let (keys, manifest) = (Keys::new(secret), manifest(saved, objects)?);
    let mut opened = (0u64..).zip(&manifest.objects).map(|(position, (digest, length))| {
        let stored = objects.get(digest).ok_or("an object is missing")?;
        ensure(stored.len() as u64 == *length, "length of an object")?;
        open(&keys, &saved.custody, position, stored)
    });
    let (header, ranges) = header(&opened.next().ok_or("a manifest without a header")??)?;
    ensure(ranges.len() + 1 == manifest.objects.len(), "as many chunks as objects")?;
    let mut frames = Frames::default();
    for (raw, range) in opened.zip(&ranges) {
        frames.chunk(&keys, &raw?, range)?;
    }
    let fields = map(&header)?;
    let count = frames.leaves.len() as u64;
    ensure(uint(field(&map(field(&fields, 11)?)?, 0)?)? == count, "frames in the header")?;
    let header = commitment("immutape/header/1", &keys.header_salts, &fields);
    let again = encode("immutape/tape/1", &[b(header), n(count), b(root(&frames.leaves))]);
    ensure(again == manifest.root, "the frames and header are not those of the tape root")?;
    Ok(frames.written)
}
