//! Lawful names and versions of providers, and the nearest name to one that is not there.

use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};

/// Longest name.
const NAME_BYTES_MAX: usize = 64;

/// Checks a provider's name: lowercase letters, digits and single hyphens, a letter first.
///
/// # Errors
/// `E_USAGE`.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_lawful = name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.ends_with('-')
        && !name.contains("--");
    if is_lawful {
        return Ok(());
    }
    let shown = visible_short(name.as_bytes(), 80);
    Err(Error::new(Code::Usage, format!("\"{shown}\" is no name for a storage provider"))
        .with_hint("up to 64 lowercase letters, digits and single hyphens, a letter first: cold-storage"))
}

/// Checks a provider's version: three numbers, and perhaps a suffix behind a hyphen or plus sign.
///
/// # Errors
/// `E_USAGE`.
pub(super) fn check_version(provider: &str, version: &str) -> Result<()> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |n: &str| {
        !n.is_empty() && n.len() <= 9 && n.bytes().all(|b| b.is_ascii_digit()) && (n == "0" || !n.starts_with('0'))
    };
    let suffix = version.get(numbers.len()..).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    let suffix_fits = suffix.is_empty() || suffix.len() > 1 && suffix.chars().all(is_plain);
    if numbers.split('.').count() == 3 && numbers.split('.').all(is_number) && suffix_fits && version.len() <= 64 {
        return Ok(());
    }
    let shown = visible_short(version.as_bytes(), 80);
    Err(Error::new(Code::Usage, format!("\"{shown}\" is no version of the storage provider \"{provider}\""))
        .with_hint("a semantic version: 1.4.0, or 2.0.0-beta.1"))
}

/// Words for a hint: the name that is nearest to a wrong one, if any is near, and all there are.
pub(super) fn instead<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known.iter().map(|name| (steps_between(wrong, name), *name)).min();
    let all = if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
    match near {
        Some((steps, name)) if steps <= wrong.len().div_ceil(3).min(3) => format!("did you mean \"{name}\"? {all}"),
        _ => all,
    }
}

/// Single letters to add, remove or change from one word to the other.
fn steps_between(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (n, x) in a.iter().enumerate() {
        let mut diagonal = n;
        let mut left = n.saturating_add(1);
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let change = diagonal.saturating_add(usize::from(x != y));
            left = change.min(left.saturating_add(1)).min(above.saturating_add(1));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowercase_words_with_hyphens() {
        for good in ["embedded", "s3", "cold-storage", "a", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "S3", "3s", "-a", "a-", "a--b", "a_b", "a b", "ä", "a\u{1b}", &"x".repeat(65)] {
            let error = check_name(bad).unwrap_err();
            assert_eq!(error.code(), Code::Usage, "{bad}");
            assert!(!error.message().contains('\u{1b}'));
        }
    }

    #[test]
    fn versions_are_semantic() {
        for good in ["0.1.0", "1.20.300", "2.0.0-beta.1", "1.0.0+build"] {
            assert!(check_version("x", good).is_ok(), "{good}");
        }
        for bad in ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.x", "v1.0.0", "1.0.0-", "1.0.0-a b", "1..0"] {
            assert_eq!(check_version("x", bad).unwrap_err().code(), Code::Usage, "{bad}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_when_it_is_near() {
        let known = || ["embedded", "memory"].into_iter();
        assert!(instead("embeded", known()).starts_with("did you mean \"embedded\"? there are embedded, memory"));
        assert!(instead("memroy", known()).contains("\"memory\"?"));
        assert_eq!(instead("postgres", known()), "there are embedded, memory");
        assert_eq!(instead("x", std::iter::empty()), "there are none");
        assert_eq!(
            (steps_between("", "abc"), steps_between("abc", "abc"), steps_between("kitten", "sitting")),
            (3, 0, 3)
        );
    }
}
