//! Every start seals what recorders left that are gone.

use super::ended::LeftOut;
use super::seal::seal;
use crate::codec::digest::CustodyId;
use crate::error::{Error, Result};
use crate::ledger::{Abandoned, Ledger, SaveReceipt, Who};
use crate::tape::EndState;

/// What became of a recording whose recorder is gone.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recovered {
    /// It is a tape now.
    Sealed {
        /// The recording.
        custody: CustodyId,
        /// Its name.
        name: Option<Vec<u8>>,
        /// What it came to.
        receipt: SaveReceipt,
        /// It did not end in order.
        is_cut_off: bool,
    },
    /// The log did not open it, or says that its spool was altered: it was put aside, where it says.
    PutAside {
        /// The recording.
        custody: CustodyId,
        /// Where, for people.
        place: String,
    },
    /// It could not be sealed, and stays where it is.
    Failed {
        /// The recording.
        custody: CustodyId,
        /// Why.
        error: Error,
    },
}

/// Seals every recording whose recorder is gone; those that somebody records now are left alone. One that cannot be sealed
/// keeps none of the others from it. Older ones come first, so that parts of one session know each other.
///
/// # Errors
/// `E_IO`, `E_BROKEN` when the spool cannot be read at all.
pub async fn recover(ledger: &Ledger, who: &Who) -> Result<Vec<Recovered>> {
    let (mut found, mut waiting) = (Vec::new(), Vec::new());
    for custody in ledger.spooled()? {
        match ledger.take_over(who, &custody).await {
            Ok(Abandoned::Live | Abandoned::Closed) => {}
            Ok(Abandoned::PutAside(place)) => found.push(Recovered::PutAside { custody, place }),
            Ok(Abandoned::Sealer(sealer)) => waiting.push(sealer),
            Err(error) => found.push(Recovered::Failed { custody, error }),
        }
    }
    waiting.sort_by_key(|sealer| sealer.entry());
    for sealer in waiting {
        let custody = sealer.custody();
        found.push(match seal(*sealer, LeftOut::default(), None).await {
            Ok(sealed) => Recovered::Sealed {
                custody,
                name: sealed.header.labels.name.clone(),
                receipt: sealed.receipt,
                is_cut_off: sealed.header.end_state == EndState::Truncated,
            },
            Err(error) => Recovered::Failed { custody, error },
        });
    }
    Ok(found)
}
