//! An evidence bundle (`docs/format/6-evidence.md`): its files, their bytes, and how they are read again.

mod bag;
mod check;
mod completeness;
mod items;
mod opened;
pub mod path;
mod set_proof;
mod tar;

pub(crate) use bag::MANIFEST_BYTES_MAX;
pub use bag::{BAGIT_TXT, BagManifest, BundleDigest, ManifestLine, bag_info, check_bag_info, check_path, tag_manifest};
pub use check::{
    Blob, BundleReport, Found, GivenTape, MemorySource, Part, Piece, PieceError, PinError, Pins, PublicHalf, Source,
    SourceFile, TarError, TarSource, check_bundle, check_piece, check_published, public_key_pem, read_manifest,
    read_private,
};
pub(crate) use completeness::COMPLETENESS_BYTES_MAX;
pub use completeness::{Asked, AskedIds, AskedQuery, Completeness, Destroyed, Given, OutOfScope, What, Withheld};
pub(crate) use items::ENTRIES_MAX;
pub use items::{EvidenceEntry, EvidenceFrame, FramePart, Membership};
pub use opened::{Opened, OpenedField};
pub use set_proof::{read_set_proof, root_of_set, set_proof, write_set_proof};
pub(crate) use tar::{FILE_BYTES_MAX, FILES_MAX};
pub use tar::{TAR_END_BYTES, TarFile, check_tar_name, read_tar_header, tar_header, tar_padding};

/// Why a bundle, or a part of it, cannot be what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not in the form of chapter 6.
    #[error("{0}")]
    Form(&'static str),
    /// CBOR that is none, or another.
    #[error(transparent)]
    Cbor(#[from] crate::codec::CborError),
    /// `COMPLETENESS.json` that does not read.
    #[error("COMPLETENESS.json does not read: {0}")]
    Json(String),
    /// Hashes that lead elsewhere.
    #[error("a proof does not lead to the root")]
    Proof,
    /// A field that was opened is not the one that was committed.
    #[error("an opened field is not the one that was committed")]
    Field,
}
