//! Names that read the same.

/// A name without what the eye does not tell apart: case, spaces and marks, and letters of other scripts that look like Latin ones. Coarse on
/// purpose: two people who are taken for one need a third, and one who is taken for two needs nobody.
pub(super) fn reads_as(name: &str) -> String {
    let looks = |c: char| match c {
        'а' => 'a',
        'в' => 'b',
        'е' | 'ё' | 'ε' => 'e',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'н' => 'h',
        'о' | 'ο' | '0' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'т' | 'τ' => 't',
        'у' | 'υ' => 'y',
        'х' | 'χ' => 'x',
        'і' | 'ι' | '1' | 'l' | '|' => 'i',
        'ѕ' | '5' => 's',
        'ј' => 'j',
        'ν' => 'v',
        'α' => 'a',
        'η' => 'n',
        'ω' => 'w',
        other => other,
    };
    let fullwidth = |c: char| match u32::from(c) {
        n @ 0xff01..=0xff5e => char::from_u32(n.saturating_sub(0xfee0)).unwrap_or(c),
        _ => c,
    };
    let marks = |c: &char| !c.is_alphanumeric() && *c != '|';
    name.chars().map(fullwidth).filter(|c| !marks(c)).flat_map(char::to_lowercase).map(looks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_eye_does_not_tell_apart_is_one() {
        for (one, other) in [
            ("ann", "Ann"),
            ("ann", "аnn"),
            ("paypal", "раураl"),
            ("j. smith", "J Smith"),
            ("bill", "b1ll"),
            ("bob", "ｂｏｂ"),
            ("bob", "b0b"),
        ] {
            assert_eq!(reads_as(one), reads_as(other), "{one} {other}");
        }
        for (one, other) in [("ann", "anna"), ("ben", "eve"), ("li", "lu")] {
            assert_ne!(reads_as(one), reads_as(other));
        }
    }
}
