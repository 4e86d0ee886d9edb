//! Edits that lead from an accepted file to a refused one, and back.

/// Replace `old` at offset `at` of the accepted file by `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub at: usize,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
}

/// Equal runs shorter than this stand inside an edit.
const RUN_MIN: usize = 4;
/// Longer differences are one edit.
const CELLS_MAX: usize = 16 << 20;

/// The edits from `old` to `new`, ascending.
pub fn diff(old: &[u8], new: &[u8]) -> Vec<Edit> {
    let front = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[front..], &new[front..]);
    let back = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old_rest[..old_rest.len() - back], &new_rest[..new_rest.len() - back]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    if a.len().saturating_mul(b.len()) > CELLS_MAX {
        return vec![Edit { at: front, old: a.to_vec(), new: b.to_vec() }];
    }
    let mut edits: Vec<Edit> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (at_a, at_b, len) in runs(a, b).into_iter().chain([(a.len(), b.len(), 0)]) {
        if at_a > i || at_b > j {
            edits.push(Edit { at: front + i, old: a[i..at_a].to_vec(), new: b[j..at_b].to_vec() });
        }
        (i, j) = (at_a + len, at_b + len);
    }
    edits
}

/// Common runs of at least [`RUN_MIN`] bytes along a longest common subsequence.
fn runs(a: &[u8], b: &[u8]) -> Vec<(usize, usize, usize)> {
    let wide = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * wide];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * wide + j] = if a[i] == b[j] {
                longest[(i + 1) * wide + j + 1] + 1
            } else {
                longest[(i + 1) * wide + j].max(longest[i * wide + j + 1])
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::<(usize, usize, usize)>::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            match found.last_mut() {
                Some((x, y, n)) if *x + *n == i && *y + *n == j => *n += 1,
                _ => found.push((i, j, 1)),
            }
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * wide + j] >= longest[i * wide + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found.retain(|(_, _, n)| *n >= RUN_MIN);
    found
}

/// Makes the refused file from the accepted one.
///
/// Panics when an edit does not fit.
pub fn apply(accepted: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut out, mut from) = (Vec::new(), 0);
    for e in edits {
        assert_eq!(&accepted[e.at..e.at + e.old.len()], e.old.as_slice(), "old bytes at {}", e.at);
        out.extend_from_slice(&accepted[from..e.at]);
        out.extend_from_slice(&e.new);
        from = e.at + e.old.len();
    }
    out.extend_from_slice(&accepted[from..]);
    out
}

/// Makes the accepted file from the refused one.
///
/// Panics when an edit does not fit.
pub fn undo(refused: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut out, mut from) = (Vec::new(), 0);
    for e in edits {
        let at = from + e.at - out.len();
        assert_eq!(&refused[at..at + e.new.len()], e.new.as_slice(), "new bytes at {at}");
        out.extend_from_slice(&refused[from..at]);
        out.extend_from_slice(&e.old);
        from = at + e.new.len();
    }
    out.extend_from_slice(&refused[from..]);
    out
}

#[test]
fn edits_lead_there_and_back() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b"abcdefghij", b"abcdXfghij"),
        (b"abcdefghij", b"Xbcdefghij0"),
        (b"abcdefghijklmnop", b"abcdXXefghijklmYnop"),
        (b"abc", b""),
        (b"", b"abc"),
        (b"same", b"same"),
    ];
    for (a, b) in cases {
        let edits = diff(a, b);
        assert_eq!(apply(a, &edits), b);
        assert_eq!(undo(b, &edits), a);
        assert_eq!(edits.is_empty(), a == b);
    }
    assert_eq!(diff(b"abcdefghij", b"Xbcdefghij0").len(), 2);
}
