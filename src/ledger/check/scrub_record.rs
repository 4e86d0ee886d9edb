//! A scrub as entries, and how far the round has come.

use std::path::{Path, PathBuf};

use super::{Checker, ScrubPart, Scrubbed};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::ledger::acts::Act;
use crate::ledger::core::died;
use crate::ledger::{Ledger, Who};
use crate::store::files::{Files, code_of, write_atomic};

const FIRST_LINE: &str = "immutape/scrub/1";
const PROGRESS_BYTES_MAX: u64 = 256;

fn path(state: &Path) -> PathBuf {
    state.join("scrub")
}

/// The part that was read last. What does not hold is as good as nothing: the round begins anew.
fn last(files: &dyn Files, state: &Path) -> Result<Option<ScrubPart>> {
    match files.read(&path(state), PROGRESS_BYTES_MAX) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == std::io::ErrorKind::FileTooLarge => Ok(None),
        Err(e) => {
            Err(Error::new(Code::Io, "the file that says how far a scrub has come cannot be read").with_source(e))
        }
    }
}

fn parse(bytes: &[u8]) -> Option<ScrubPart> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (number, of) = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.strip_suffix('\n')?.split_once(' ')?;
    let part = ScrubPart::new(number.parse().ok()?, of.parse().ok()?).ok()?;
    (text_of(part).as_bytes() == bytes).then_some(part)
}

fn text_of(part: ScrubPart) -> String {
    format!("{FIRST_LINE}\n{} {}\n", part.number(), part.of())
}

impl Checker {
    /// The part that is read next, in a round of so many. Another number of parts begins a round anew.
    ///
    /// # Errors
    /// `E_USAGE` for an impossible number of parts; `E_IO`.
    pub fn next_scrub(&self, of: u64) -> Result<ScrubPart> {
        let first = ScrubPart::new(1, of)?;
        let Some((env, folders)) = &self.alone else { return Ok(first) };
        let last = last(&*env.files, &folders.state)?.filter(|last| last.of() == of);
        Ok(last.map_or(first, ScrubPart::next))
    }
}

impl Ledger {
    /// Records that a part was read again, and each thing that is not what was stored; the index of the first of these entries.
    /// The next scrub goes on behind it. A crash between the two has the part read, and told of, once more.
    ///
    /// # Errors
    /// `E_USAGE` when another ledger was read; `E_NOT_PERMITTED` (recorded), `E_STORE_FULL`, `E_IO` and those of an append.
    pub async fn record_scrub(&self, who: &Who, made: &Scrubbed) -> Result<u64> {
        let core = self.core();
        if made.ledger != self.id() {
            return Err(Error::new(Code::Usage, "what was read again is another ledger"));
        }
        core.permit(who, Action::Verify, None).await?;
        let told = core.draft(&Act::about_ledger(who, made.body()), |_| {});
        let failed = made.failures.iter().map(|failure| core.failed(who, failure));
        let drafts = [told].into_iter().chain(failed).collect::<Result<Vec<_>>>()?;
        let entry = core.append(drafts).await?.first().ok_or_else(died)?.index;
        let fault = |e| Error::new(code_of(&e), "how far the scrub has come cannot be stored").with_source(e);
        write_atomic(&*core.env.files, &path(&core.folders.state), text_of(made.part).as_bytes()).map_err(fault)?;
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_text_and_no_other() {
        let part = ScrubPart::new(3, 8).unwrap();
        assert_eq!(parse(text_of(part).as_bytes()), Some(part));
        for bad in
            ["", "immutape/scrub/1\n", "immutape/scrub/1\n3 8", "immutape/scrub/1\n9 8\n", "immutape/scrub/2\n3 8\n"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        for bad in [
            "immutape/scrub/1\n03 8\n",
            "immutape/scrub/1\n+3 8\n",
            "immutape/scrub/1\n3  8\n",
            "immutape/scrub/1\n3 8\n\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(&[0xff]), None);
    }
}
