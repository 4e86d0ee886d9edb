//! Padmé padding (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
//! Communication with PURBs", PETS 2019, section 4): lengths leak O(log log L) bits, at most 12 % is added.

/// The padded length for `len`.
///
/// ```
/// use immutape::seal::padme;
/// assert_eq!(padme(1_000), 1_024);
/// assert_eq!(padme(1_025), 1_088);
/// assert_eq!(padme(9), 10);
/// assert_eq!(padme(1), 1);
/// ```
#[must_use]
pub const fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let e = len.ilog2();
    let s = if e == 0 { 1 } else { e.ilog2().saturating_add(1) };
    let z = e.saturating_sub(s);
    let mask = match 1u64.checked_shl(z) {
        Some(bit) => bit.saturating_sub(1),
        None => return len,
    };
    len.saturating_add(mask) & !mask
}
