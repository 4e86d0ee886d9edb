//! Values as TOML writes them, harmless to a terminal.

use std::fmt::Write as _;

use serde_json::Value;

use crate::codec::escape::visible;

/// A value in one line of TOML.
pub(super) fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let pairs: Vec<String> = table.iter().map(|(k, v)| format!("{} = {}", quoted(k), toml_value(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A basic string. What does not show, or moves what stands beside it, is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if visible(c.encode_utf8(&mut [0; 4]).as_bytes()).chars().eq([c]) => out.push(c),
            c => {
                let _infallible = write!(out, "\\U{:08X}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_toml_reader_reads_back_what_was_written() {
        let value = json!({"a b": "x\u{1b}[2J\u{202e}\"\\ä\n", "n": [1, -2, true], "t": {"u": "\u{10ffff}"}});
        let text = format!("v = {}", toml_value(&value));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\n'), "{text:?}");
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(serde_json::to_value(&read["v"]).unwrap(), value);
    }
}
