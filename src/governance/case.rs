//! What people sign when they agree to something, as a text that they can read anywhere, and sign with whatever holds their key: the
//! program, an agent, or plain `ssh-keygen -Y sign -n approval@immutape`.
//!
//! There is one spelling of each case, so that two who sign the same have signed the same bytes. It binds the ledger, the request, the
//! list, what the signature means, and until when it counts: none of them can be taken for another's.

use std::fmt;

use crate::codec::digest::{LedgerId, RootHash};
use crate::time::{Timestamp, parse_rfc3339_ns};

/// What an SSH signature of a case says that it was made for.
pub const CASE_NAMESPACE: &str = "approval@immutape";

const FIRST: &str = "immutape case 1";
/// Most lines of words, and the longest of them in bytes.
const LINES_MAX: usize = 200;
const LINE_BYTES_MAX: usize = 400;
/// Longest text, which a reader takes before it looks at it.
pub const CASE_BYTES_MAX: usize = 128 << 10;

/// What a signature under it means (21 CFR 11.50: the meaning stands with the name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Meaning {
    /// The tapes of the list may be destroyed.
    ApproveDisposal,
    /// They may not.
    RejectDisposal,
    /// The hold on them may be released.
    ReleaseHold,
    /// Somebody gets a role.
    GrantRole,
    /// Somebody's key is replaced.
    ReplaceKey,
    /// A rule that one person may not set alone is set.
    SecondPerson,
}

impl Meaning {
    /// Every meaning.
    pub const ALL: [Self; 6] = [
        Self::ApproveDisposal,
        Self::RejectDisposal,
        Self::ReleaseHold,
        Self::GrantRole,
        Self::ReplaceKey,
        Self::SecondPerson,
    ];

    /// The words that are signed.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::ApproveDisposal => "I approve that these tapes are destroyed",
            Self::RejectDisposal => "I do not approve that these tapes are destroyed",
            Self::ReleaseHold => "I agree that this hold is released",
            Self::GrantRole => "I agree that this role is given",
            Self::ReplaceKey => "I agree that this key takes the place of the one before",
            Self::SecondPerson => "I agree to this as the second person",
        }
    }

    fn parse(words: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.words() == words)
    }
}

/// A case, as it is put before those who sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Of which ledger.
    pub ledger: LedgerId,
    /// Id of the request.
    pub request: [u8; 16],
    /// What a signature says.
    pub meaning: Meaning,
    /// Root over the list that it is about, in full: nothing can be added to it.
    pub list: RootHash,
    /// How many things are in the list.
    pub count: u64,
    /// Until when a signature counts.
    pub expires: Timestamp,
    /// What people have to know, line by line.
    pub words: Vec<String>,
}

/// Why a text is no case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaseFault {
    /// Longer than a case may be.
    #[error("a case has at most 128 KiB, and 200 lines of at most 400 bytes")]
    TooLong,
    /// A line that is not there, another one, or one in another spelling.
    #[error("line {0} is not what stands there in a case")]
    Line(usize),
    /// A control character in the words, or a mark that turns text around: what is signed is what is seen.
    #[error("a line holds a character that is not seen")]
    Unseen,
}

impl Case {
    /// The text, in its one spelling.
    ///
    /// # Errors
    /// [`CaseFault::TooLong`], [`CaseFault::Unseen`].
    ///
    /// ```
    /// use immutape::codec::digest::{LedgerId, RootHash};
    /// use immutape::governance::{Case, Meaning};
    /// use immutape::time::Timestamp;
    /// let case = Case {
    ///     ledger: LedgerId::from_bytes([1; 32]),
    ///     request: [2; 16],
    ///     meaning: Meaning::ApproveDisposal,
    ///     list: RootHash::from_bytes([3; 32]),
    ///     count: 2,
    ///     expires: Timestamp::from_ms(1_795_169_821_416),
    ///     words: vec!["2 tapes of class mifid-5y, ended on 2026-11-01".into()],
    /// };
    /// let text = case.to_text().unwrap();
    /// assert!(text.starts_with("immutape case 1\nI approve that these tapes are destroyed\n"));
    /// assert_eq!(Case::parse(&text), Ok(case));
    /// ```
    pub fn to_text(&self) -> Result<String, CaseFault> {
        if self.words.len() > LINES_MAX || self.words.iter().any(|line| line.len() > LINE_BYTES_MAX) {
            return Err(CaseFault::TooLong);
        }
        if self.words.iter().flat_map(|line| line.chars()).any(is_unseen) {
            return Err(CaseFault::Unseen);
        }
        Ok(self.to_string())
    }

    /// Reads a text. It must be the one that [`Case::to_text`] gives.
    ///
    /// # Errors
    /// [`CaseFault`].
    pub fn parse(text: &str) -> Result<Self, CaseFault> {
        if text.len() > CASE_BYTES_MAX {
            return Err(CaseFault::TooLong);
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let value = |n: usize, front: &str| {
            lines.get(n).and_then(|line| line.strip_prefix(front)).ok_or(CaseFault::Line(n.saturating_add(1)))
        };
        value(0, FIRST)?;
        let meaning = Meaning::parse(value(1, "")?).ok_or(CaseFault::Line(2))?;
        let (mut ledger, mut request, mut list) = ([0; 32], [0; 16], [0; 32]);
        let digits =
            |n: usize, text: &str, out: &mut [u8]| hex::decode_to_slice(text, out).map_err(|_| CaseFault::Line(n));
        digits(3, value(2, "ledger:  ")?, &mut ledger)?;
        digits(4, value(3, "request: ")?, &mut request)?;
        digits(5, value(4, "list:    ")?, &mut list)?;
        let count = value(5, "things:  ")?.parse().map_err(|_| CaseFault::Line(6))?;
        let expires = parse_rfc3339_ns(value(6, "expires: ")?).ok_or(CaseFault::Line(7))?;
        let words = lines.get(7..).unwrap_or_default();
        // The last line ends, and nothing stands behind it.
        let (last, words) = words.split_last().ok_or(CaseFault::Line(8))?;
        let line = |(n, line): (usize, &&str)| {
            line.strip_prefix("  ").map(str::to_owned).ok_or(CaseFault::Line(n.saturating_add(8)))
        };
        let case = Self {
            ledger: LedgerId::from_bytes(ledger),
            request,
            meaning,
            list: RootHash::from_bytes(list),
            count,
            expires: Timestamp::from_ms(expires / 1_000_000),
            words: words.iter().enumerate().map(line).collect::<Result<_, _>>()?,
        };
        let same = case.to_text()?;
        let differs = same.split('\n').zip(&lines).position(|(one, other)| one != *other);
        match differs {
            Some(n) => Err(CaseFault::Line(n.saturating_add(1))),
            None if !last.is_empty() || same.len() != text.len() => Err(CaseFault::Line(lines.len())),
            None => Ok(case),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\n{}", self.meaning.words())?;
        writeln!(f, "ledger:  {}", self.ledger.to_hex())?;
        writeln!(f, "request: {}", hex::encode(self.request))?;
        writeln!(f, "list:    {}", self.list.to_hex())?;
        writeln!(f, "things:  {}", self.count)?;
        writeln!(f, "expires: {}", self.expires.to_text())?;
        self.words.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Control characters, and what turns text around or is nothing to see.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn case() -> Case {
        Case {
            ledger: LedgerId::from_bytes([0xa1; 32]),
            request: [0xb2; 16],
            meaning: Meaning::ApproveDisposal,
            list: RootHash::from_bytes([0xc3; 32]),
            count: 12,
            expires: Timestamp::from_ms(1_795_169_821_416),
            words: vec!["12 tapes of class mifid-5y".into(), String::new(), "  asked for by Änne".into()],
        }
    }

    #[test]
    fn a_case_has_one_spelling() {
        let text = case().to_text().unwrap();
        assert_eq!(
            text,
            "immutape case 1\nI approve that these tapes are destroyed\nledger:  ".to_owned()
                + &"a1".repeat(32)
                + "\nrequest: "
                + &"b2".repeat(16)
                + "\nlist:    "
                + &"c3".repeat(32)
                + "\nthings:  12\nexpires: 2026-11-20T10:17:01.416Z\n  12 tapes of class mifid-5y\n  \n    asked for by Änne\n"
        );
        assert_eq!(Case::parse(&text), Ok(case()));
        let bare = Case { words: Vec::new(), ..case() };
        assert_eq!(Case::parse(&bare.to_text().unwrap()), Ok(bare));
        for (from, to, line) in [
            ("immutape case 1", "immutape case 2", 1),
            ("I approve", "I perhaps approve", 2),
            ("ledger:  a1", "ledger:  A1", 3),
            ("request: b2", "request: ", 4),
            ("list:    c3", "list: c3", 5),
            ("things:  12", "things:  012", 6),
            ("things:  12", "things:  +12", 6),
            ("things:  12", "things:  x", 6),
            (".416Z", ".4160Z", 7),
            (".416Z", "Z+1", 7),
            ("  12 tapes", "12 tapes", 8),
            ("Änne\n", "Änne", 10),
            ("Änne\n", "Änne\n\n", 11),
            ("\n", "\r\n", 1),
        ] {
            assert_eq!(Case::parse(&text.replacen(from, to, 1)), Err(CaseFault::Line(line)), "{from:?} {to:?}");
        }
        assert!(matches!(Case::parse(""), Err(CaseFault::Line(1))));
    }

    #[test]
    fn what_is_not_seen_is_not_signed() {
        for hidden in ["a\u{202e}b", "a\u{200b}b", "a\u{7f}", "\u{1b}[2J", "a\tb", "\u{feff}", "\u{e0041}"] {
            let hidden = Case { words: vec![hidden.into()], ..case() };
            assert_eq!(hidden.to_text(), Err(CaseFault::Unseen));
            assert_eq!(Case::parse(&hidden.to_string()), Err(CaseFault::Unseen));
        }
        for words in [vec![String::new(); 201], vec!["x".repeat(401)]] {
            assert_eq!(Case { words, ..case() }.to_text(), Err(CaseFault::TooLong));
        }
        assert_eq!(Case::parse(&"x".repeat(CASE_BYTES_MAX + 1)), Err(CaseFault::TooLong));
    }

    #[test]
    fn each_meaning_has_words_of_its_own() {
        for meaning in Meaning::ALL {
            assert_eq!(Meaning::parse(meaning.words()), Some(meaning));
            let other = Case { meaning, ..case() };
            assert_eq!(Case::parse(&other.to_text().unwrap()).unwrap().meaning, meaning);
        }
        assert_eq!(Meaning::parse("I approve"), None);
    }

    proptest! {
        /// A text that was changed anywhere is refused, or is another case: nobody has signed one and meant the other.
        #[test]
        fn no_change_leaves_the_same_case(at in 0usize..400, byte in any::<u8>(), count in any::<u64>(), line in "[ -~]{0,40}") {
            let signed = Case { count, words: vec![line], ..case() };
            let text = signed.to_text().unwrap();
            prop_assert_eq!(Case::parse(&text), Ok(signed.clone()));
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes)
                && changed != text
                && let Ok(read) = Case::parse(&changed)
            {
                prop_assert_ne!(read, signed);
            }
        }
    }
}
