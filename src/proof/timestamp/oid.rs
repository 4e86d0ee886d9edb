//! Object identifiers of policies (X.690 8.19). Authorities choose them, also below 2.999 and with the 128 bits of 2.25.

use std::fmt;

/// Bytes of the value: four arcs of 128 bits are longer, and nobody has that.
const BYTES_MAX: usize = 64;
/// The second arc below 0 and 1 is less (X.690 8.19.4).
const SECOND_ARCS: u128 = 40;

/// A valid identifier, as the bytes of its DER value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Oid(Vec<u8>);

impl Oid {
    /// From numbers with dots between.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('.')?;
        let mut arcs = rest.split('.').map(read_arc);
        let (first, second) = (read_arc(first)?, arcs.next()??);
        if first > 2 || first < 2 && second >= SECOND_ARCS {
            return None;
        }
        let mut value = Vec::new();
        write_arc(first.checked_mul(SECOND_ARCS)?.checked_add(second)?, &mut value);
        for arc in arcs {
            write_arc(arc?, &mut value);
        }
        (value.len() <= BYTES_MAX).then_some(Self(value))
    }

    /// From the value of a DER item.
    pub(super) fn from_value(value: &[u8]) -> Option<Self> {
        (value.len() <= BYTES_MAX).then(|| arcs_of(value)).flatten().map(|_| Self(value.to_vec()))
    }

    /// The value of its DER item.
    pub(super) fn value(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arcs = arcs_of(&self.0).unwrap_or_default();
        let (root, rest) = arcs.split_first().unwrap_or((&0, &[]));
        let first = (root / SECOND_ARCS).min(2);
        write!(f, "{first}.{}", root.saturating_sub(first.saturating_mul(SECOND_ARCS)))?;
        rest.iter().try_for_each(|arc| write!(f, ".{arc}"))
    }
}

/// Decimal, without zeros in front.
fn read_arc(text: &str) -> Option<u128> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

/// Seven bits a byte, the highest first; all but the last byte have the top bit.
fn write_arc(arc: u128, out: &mut Vec<u8>) {
    let groups = (128_u32.saturating_sub(arc.leading_zeros())).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        let bits = arc.checked_shr(group.saturating_mul(7)).unwrap_or(0) & 0x7f;
        out.push(u8::try_from(bits).unwrap_or(0) | more);
    }
}

/// All arcs, the first two as one number; none where an arc has zeros in front, does not end or has more than 128 bits.
fn arcs_of(value: &[u8]) -> Option<Vec<u128>> {
    let (mut arcs, mut open) = (Vec::new(), None);
    for byte in value {
        if open.is_none() && *byte == 0x80 {
            return None;
        }
        let arc = open.unwrap_or(0_u128).checked_mul(0x80)? | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            open = None;
        } else {
            open = Some(arc);
        }
    }
    (open.is_none() && !arcs.is_empty()).then_some(arcs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_written_and_read_again() {
        for (text, value) in [
            ("0.0", "00"),
            ("0.39", "27"),
            ("1.0", "28"),
            ("1.39.7", "4f07"),
            ("2.0", "50"),
            ("2.5.29.37", "551d25"),
            ("2.999.1", "883701"),
            ("1.2.840.113549.1.9.16.1.4", "2a864886f70d0109100104"),
            ("1.3.6.1.4.1.4294967295.4294967296", "2b060104018fffffff7f9080808000"),
            ("2.25.340282366920938463463374607431768211455", "6983ffffffffffffffffffffffffffffffffff7f"),
        ] {
            let oid = Oid::from_text(text).unwrap();
            assert_eq!(hex::encode(oid.value()), value, "{text}");
            assert_eq!(Oid::from_value(oid.value()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in ["", "1", "1.", ".1", "1..2", "3.1", "0.40", "1.40", "1.02", "1.2.x", "1.+2", "1.2 ", "1.2.\u{663}"]
        {
            assert_eq!(Oid::from_text(text), None, "{text:?}");
        }
        assert_eq!(Oid::from_text("2.25.340282366920938463463374607431768211456"), None);
        assert_eq!(Oid::from_text("2.340282366920938463463374607431768211455"), None);
        assert!(Oid::from_text(&format!("1.2{}", ".3".repeat(63))).is_some());
        assert_eq!(Oid::from_text(&format!("1.2{}", ".3".repeat(64))), None);
        for value in [&[][..], &[0x80, 1], &[0x2a, 0x80, 1], &[0x2a, 0x81], &[0xff; 18], &[1; 65]] {
            assert_eq!(Oid::from_value(value), None, "{value:?}");
        }
        let mut longest = [0xff; 19];
        longest[18] = 0x7f;
        // 19 groups of 7 bits are 133.
        assert_eq!(Oid::from_value(&longest), None);
        longest[0] = 0x83;
        assert!(Oid::from_value(&longest).is_some());
        longest[0] = 0x84;
        assert_eq!(Oid::from_value(&longest), None);
    }
}
