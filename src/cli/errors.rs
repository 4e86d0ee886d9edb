//! Errors as people and programs see them.

use std::error::Error as _;

use serde_json::json;

use super::out::Out;
use super::terminal::Paint;
use crate::codec::escape::visible;
use crate::error::Error;

/// How many causes are told; a longer chain says nothing new.
const CAUSES_MAX: usize = 8;

/// Prints an error with its causes and the way out.
pub(super) fn print(out: &mut Out, error: &Error) {
    let message = error.message();
    let (code, exit) = (error.code().as_str(), error.kind().exit_code());
    if out.json {
        let causes = causes(error);
        out.document(json!({
            "type": "error", "code": code, "exit": exit, "message": message, "hint": error.hint(), "causes": causes,
        }));
        return;
    }
    let word = out.look.paint(Paint::Bad, "error");
    out.speak(&format!("{word}: {message} ({code})"));
    for cause in causes(error) {
        out.speak(&format!("  because: {cause}"));
    }
    if let Some(hint) = error.hint() {
        out.speak(&format!("  {hint}"));
    }
}

/// The causes of an error, outermost first, without those that repeat the words before them.
pub(super) fn causes(error: &Error) -> Vec<String> {
    let (mut out, mut last) = (Vec::new(), error.message().to_owned());
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| out.len() < CAUSES_MAX) {
        let words = visible(cause.to_string().as_bytes());
        if !last.contains(&words) {
            out.push(words.clone());
            last = words;
        }
        next = cause.source();
    }
    out
}
