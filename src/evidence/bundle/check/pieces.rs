//! Single pieces of evidence, each by itself: what several programs are compared with, piece by piece.

use super::entries::read_private;
use super::entry::PublicHalf;
use super::tapes::read_manifest;
use crate::codec::cbor;
use crate::codec::digest::{LeafHash, sha256};
use crate::log::{Checkpoint, NoteKey, Succession, leaf_hash};
use crate::proof::{ForkProof, Receipt, TlogProof, verify_inclusion};
use crate::seal::{PublicKey, Statement};
use crate::tape::{Frame, Header, TapeRoot};

/// A piece: bytes or text, and what it is checked with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Piece<'a> {
    /// The piece; text is UTF-8.
    pub bytes: &'a [u8],
    /// A verifier key, or 64 digits of a public key.
    pub key: Option<&'a str>,
    /// 64 digits of a leaf hash.
    pub leaf: Option<&'a str>,
}

/// Why a piece was not looked at, or not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// No piece is called so.
    #[error("no piece of evidence is called so")]
    Kind,
    /// It does not hold.
    #[error("{0}")]
    Refused(String),
}

fn refused(e: impl std::fmt::Display) -> PieceError {
    PieceError::Refused(e.to_string())
}

/// Checks one piece; 64 digits that name it where it holds.
///
/// # Errors
/// [`PieceError`].
///
/// ```
/// use immutape::evidence::bundle::{Piece, check_piece};
/// let id = check_piece("cbor", Piece { bytes: &[0x80], ..Piece::default() }).unwrap();
/// assert!(id.starts_with("76be8b52"));
/// assert!(check_piece("cbor", Piece { bytes: &[0x9f, 0xff], ..Piece::default() }).is_err());
/// ```
pub fn check_piece(kind: &str, piece: Piece<'_>) -> Result<String, PieceError> {
    let bytes = piece.bytes;
    let of_bytes = |done: Result<(), PieceError>| done.map(|()| hex::encode(sha256(bytes)));
    match kind {
        "cbor" => of_bytes(cbor::check(bytes).map_err(refused)),
        "frame" => of_bytes(Frame::decode(bytes).map(drop).map_err(refused)),
        "header" => of_bytes(Header::decode(bytes).map(drop).map_err(refused)),
        "root" => of_bytes(TapeRoot::decode(bytes).map(drop).map_err(refused)),
        "manifest" => of_bytes(read_manifest(bytes).map(drop).map_err(refused)),
        "private" => of_bytes(read_private(bytes).map(drop).map_err(refused)),
        "entry" => PublicHalf::read(bytes).map(|half| half.leaf.to_hex()).map_err(refused),
        "statement" => statement(piece),
        "note" => Checkpoint::from_note(text(bytes)?, &log_key(piece)?).map(|head| head.root.to_hex()).map_err(refused),
        "proof" => proof(piece),
        "receipt" => receipt(piece),
        "fork" => {
            let proof = ForkProof::parse(text(bytes)?).map_err(refused)?;
            proof.verify(&log_key(piece)?).map(|fork| fork.heads().1.root.to_hex()).map_err(refused)
        }
        "succession" => {
            let proven = Succession::verify(text(bytes)?).map_err(refused)?;
            Ok(hex::encode(sha256(proven.succession().text().as_bytes())))
        }
        _ => Err(PieceError::Kind),
    }
}

fn text(bytes: &[u8]) -> Result<&str, PieceError> {
    std::str::from_utf8(bytes).map_err(|_| refused("it is not text"))
}

fn log_key(piece: Piece<'_>) -> Result<NoteKey, PieceError> {
    NoteKey::parse(piece.key.ok_or_else(|| refused("no verifier key was given"))?).map_err(refused)
}

fn digits(text: Option<&str>) -> Result<[u8; 32], PieceError> {
    let mut bytes = [0; 32];
    let done = text.map(|text| hex::decode_to_slice(text, &mut bytes));
    if matches!(done, Some(Ok(()))) { Ok(bytes) } else { Err(refused("64 hexadecimal digits were to be given")) }
}

fn statement(piece: Piece<'_>) -> Result<String, PieceError> {
    let statement = Statement::decode(piece.bytes).map_err(refused)?;
    if piece.key.is_some() {
        let key = PublicKey::from_bytes(&digits(piece.key)?).map_err(refused)?;
        statement.verify(&key).map_err(refused)?;
    }
    Ok(statement.claims().tape.to_hex())
}

fn proof(piece: Piece<'_>) -> Result<String, PieceError> {
    let proof = TlogProof::parse(text(piece.bytes)?).map_err(refused)?;
    let extra = proof.extra.as_deref().ok_or_else(|| refused("it does not have its entry with it"))?;
    let leaf = leaf_hash(extra);
    let head = Checkpoint::from_note(&proof.note, &log_key(piece)?).map_err(refused)?;
    verify_inclusion(&leaf, proof.index, head.size, &proof.path, &head.root).map_err(refused)?;
    Ok(leaf.to_hex())
}

fn receipt(piece: Piece<'_>) -> Result<String, PieceError> {
    let receipt = Receipt::decode(piece.bytes).map_err(refused)?;
    let key = PublicKey::from_bytes(&digits(piece.key)?).map_err(refused)?;
    let leaf = LeafHash::from_bytes(digits(piece.leaf)?);
    receipt.verify(&leaf, &key).map(|root| root.to_hex()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden files of the chapters, by what each is.
    #[test]
    fn golden_pieces_are_taken_and_none_is_taken_for_another() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
        let read = |path: &str| std::fs::read(format!("{golden}{path}")).unwrap();
        let pieces = [
            ("frame", "2-tape/accept/frame-request.cbor"),
            ("header", "2-tape/accept/header-two-frames.cbor"),
            ("root", "2-tape/accept/root-two-frames.cbor"),
            ("statement", "3-seal/accept/statement-two-frames.cbor"),
            ("entry", "4-commit/accept/entry-07-tape-saved-again.cbor"),
        ];
        let mut refused = 0;
        for (kind, path) in pieces {
            let bytes = read(path);
            let piece = Piece { bytes: &bytes, ..Piece::default() };
            assert_eq!(check_piece(kind, piece).unwrap().len(), 64, "{kind}");
            for (other, _) in pieces.iter().filter(|(other, _)| *other != kind) {
                assert!(matches!(check_piece(other, piece), Err(PieceError::Refused(_))), "{kind} as {other}");
                refused += 1;
            }
        }
        assert_eq!(refused, 20);
        let entry = read("4-commit/accept/entry-07-tape-saved-again.cbor");
        let id = check_piece("entry", Piece { bytes: &entry, ..Piece::default() }).unwrap();
        assert_eq!(id, "60e97a5de8565f16eb562d84cb39ac5f8a5ddd2c9f5798c6eab2893b60e8a6f6");
        assert_eq!(check_piece("tapes", Piece::default()), Err(PieceError::Kind));
    }

    #[test]
    fn what_a_piece_is_checked_with_has_to_be_given() {
        for kind in ["note", "proof", "receipt", "fork", "succession", "private", "manifest"] {
            let refused = check_piece(kind, Piece { bytes: b"\xff", ..Piece::default() });
            assert!(matches!(refused, Err(PieceError::Refused(_))), "{kind}");
        }
        let note = include_bytes!("../../../../tests/golden/4-commit/accept/checkpoint-07.note");
        assert!(check_piece("note", Piece { bytes: note, ..Piece::default() }).is_err());
        assert!(check_piece("private", Piece { bytes: &[0xa0], ..Piece::default() }).is_ok());
    }
}
