//! Several files that leave together, as one text to hash.

use crate::codec::digest::Digest;

/// One line a file, in ascending order of the names: SHA-256 in hexadecimal, two spaces, name, line feed. It is what
/// `sha256sum` prints, so its own SHA-256 names all the files and can be made again by hand. As there, a name with a line
/// end or a backslash is written with escapes, and its line begins with a backslash.
///
/// ```
/// use immutape::codec::digest::Digest;
/// use immutape::interchange::file_list;
/// let digest = Digest::from_bytes([0xab; 32]);
/// let list = file_list(&[(b"b\n".to_vec(), digest), (b"a".to_vec(), digest)]);
/// let hex = "ab".repeat(32);
/// assert_eq!(list, format!("{hex}  a\n\\{hex}  b\\n\n").into_bytes());
/// ```
#[must_use]
pub fn file_list(files: &[(Vec<u8>, Digest)]) -> Vec<u8> {
    let mut sorted: Vec<&(Vec<u8>, Digest)> = files.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Vec::new();
    for (name, digest) in sorted {
        let escaped = name.iter().any(|b| matches!(b, b'\\' | b'\n' | b'\r'));
        out.extend(escaped.then_some(b'\\'));
        out.extend(digest.to_hex().as_bytes());
        out.extend(b"  ");
        for byte in name {
            match byte {
                b'\\' => out.extend(b"\\\\"),
                b'\n' => out.extend(b"\\n"),
                b'\r' => out.extend(b"\\r"),
                byte => out.push(*byte),
            }
        }
        out.push(b'\n');
    }
    out
}
