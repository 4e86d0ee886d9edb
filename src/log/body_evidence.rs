//! Bodies about evidence bundles (`docs/format/4-commit.md` 4.3 and `6-evidence.md` 6.8).

use super::EntryKind;
use super::body_fields::Fields;
use crate::codec::CborError;
use crate::codec::cbor::Writer;
use crate::codec::digest::Digest;

/// A body of the kinds 163 and 166.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceBody {
    /// A tape goes into a bundle; written before anything of it leaves.
    Made {
        /// Bundle id.
        bundle: [u8; 16],
        /// Export commitment of `COMPLETENESS.json`.
        commitment: Digest,
        /// Tapes in the bundle.
        tapes: u64,
    },
    /// A bundle was written.
    Given {
        /// Bundle id.
        bundle: [u8; 16],
        /// Export commitment of the bundle digest.
        commitment: Digest,
    },
}

impl EvidenceBody {
    /// The kind that has this body.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Made { .. } => EntryKind::EVIDENCE_MADE,
            Self::Given { .. } => EntryKind::EVIDENCE_GIVEN,
        }
    }

    /// The bundle it is about.
    #[must_use]
    pub const fn bundle(&self) -> &[u8; 16] {
        match self {
            Self::Made { bundle, .. } | Self::Given { bundle, .. } => bundle,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let (Self::Made { bundle, commitment, .. } | Self::Given { bundle, commitment }) = self;
        w.map(if matches!(self, Self::Made { .. }) { 3 } else { 2 });
        w.uint(0);
        w.bytes(bundle);
        w.uint(1);
        w.bytes(commitment.as_ref());
        if let Self::Made { tapes, .. } = self {
            w.uint(2);
            w.uint(*tapes);
        }
    }

    /// Of the kinds named above; the caller looks that nothing is left over.
    pub(super) fn read(kind: EntryKind, f: &mut Fields<'_>) -> Result<Self, CborError> {
        let bundle = f.bytes(0)?.try_into().map_err(|_| CborError::Length)?;
        let commitment = f.digest(1)?;
        match kind {
            EntryKind::EVIDENCE_MADE => Ok(Self::Made { bundle, commitment, tapes: f.uint(2)? }),
            _ => Ok(Self::Given { bundle, commitment }),
        }
    }
}

impl std::fmt::Display for EvidenceBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bundle {}", hex::encode(self.bundle()))
    }
}
