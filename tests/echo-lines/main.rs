//! Gives back each line as it comes: the fast program that recorders are killed in front of. It is built with the tests alone,
//! and holds nothing but the standard library, so that what is measured and killed is the recorder.

use std::io::{BufRead as _, Write as _};

fn main() -> std::io::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        // One write for a line, which a kill takes whole or not at all.
        output.write_all(&line)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}
