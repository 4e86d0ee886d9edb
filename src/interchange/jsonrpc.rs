//! What a JSON-RPC message is: request, response or notification, and whether it tells of an error.

use std::borrow::Cow;

use super::json::{NotRead, elements, pick, string, truth};
use crate::codec::limits::LABEL_BYTES_MAX;

/// What one message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Asks, and carries an id: an answer is expected.
    Request,
    /// Answers.
    Response,
    /// Tells, without an id: no answer is expected.
    Notification,
    /// JSON that is none of these.
    Other,
}

/// One message, or one element of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// What it does.
    pub(super) class: Class,
    /// Its id as written.
    pub(super) id: Option<&'a str>,
    /// A protocol error, or a result that says `isError`.
    pub(super) is_error: bool,
    /// An answer with an `error` member (a result that says `isError` is a successful answer of the protocol).
    pub(super) protocol_error: bool,
    /// A Model Context Protocol version named in it.
    pub(super) version: Option<Cow<'a, str>>,
    /// A method of the Model Context Protocol, or a version of it.
    pub(super) mcp: bool,
    /// The method that it calls or tells.
    pub(super) method: Option<Cow<'a, str>>,
    /// The tool that it calls.
    pub(super) tool: Option<Cow<'a, str>>,
    /// The code of its error.
    pub(super) error_code: Option<i64>,
}

/// Methods and families of methods of the Model Context Protocol, all versions.
const MCP_METHODS: [&str; 11] = [
    "completion/",
    "elicitation/",
    "logging/",
    "notifications/",
    "prompts/",
    "resources/",
    "roots/",
    "sampling/",
    "server/",
    "tasks/",
    "tools/",
];

const TOOL_CALL: &str = "tools/call";

/// Calls `each` for the message, or for every element of a batch (which only the version 2025-03-26 knew).
///
/// # Errors
/// [`NotRead`] for text that is not JSON; JSON of any shape is at least [`Class::Other`].
pub(super) fn classify<'a>(text: &'a str, mut each: impl FnMut(Message<'a>)) -> Result<(), NotRead> {
    if text.trim_start().starts_with('[') {
        return elements(text, |element| each(message(element).unwrap_or_else(|_| other())));
    }
    match message(text) {
        Ok(m) => each(m),
        Err(NotRead::NotAnObject) => each(other()),
        Err(e) => return Err(e),
    }
    Ok(())
}

fn other<'a>() -> Message<'a> {
    Message {
        class: Class::Other,
        id: None,
        is_error: false,
        protocol_error: false,
        version: None,
        mcp: false,
        method: None,
        tool: None,
        error_code: None,
    }
}

fn message(text: &str) -> Result<Message<'_>, NotRead> {
    let [method, id, result, error, params] = pick(text, ["method", "id", "result", "error", "params"])?;
    let class = match (method.is_some(), id.is_some()) {
        (true, true) => Class::Request,
        (true, false) => Class::Notification,
        (false, id) if id || result.is_some() || error.is_some() => Class::Response,
        (false, _) => Class::Other,
    };
    // Some libraries of JSON-RPC 1.0 descent write `"error":null` into every answer.
    let protocol_error = error.is_some_and(|e| e != "null");
    let [is_error, agreed] = match result {
        Some(r) if class == Class::Response => pick(r, ["isError", "protocolVersion"]).unwrap_or_default(),
        _ => [None, None],
    };
    let version = agreed.and_then(version_text).or_else(|| params.and_then(asked_version));
    let method = method.and_then(string);
    let mcp = version.is_some() || method.as_deref().is_some_and(is_mcp_method);
    let tool = params.filter(|_| method.as_deref() == Some(TOOL_CALL)).and_then(called);
    let error_code = error.filter(|_| protocol_error).and_then(code);
    Ok(Message {
        class,
        id,
        is_error: protocol_error || is_error.and_then(truth).unwrap_or(false),
        protocol_error,
        version,
        mcp,
        method,
        tool,
        error_code,
    })
}

fn called(params: &str) -> Option<Cow<'_, str>> {
    let [name] = pick(params, ["name"]).ok()?;
    string(name?)
}

fn code(error: &str) -> Option<i64> {
    let [code] = pick(error, ["code"]).ok()?;
    code?.parse().ok()
}

/// Since 2026-07-28 every request names its version, and there is no answer that agrees on one.
fn asked_version(params: &str) -> Option<Cow<'_, str>> {
    if !params.contains("protocolVersion") {
        return None;
    }
    let [meta] = pick(params, ["_meta"]).ok()?;
    let [version] = pick(meta?, ["io.modelcontextprotocol/protocolVersion"]).ok()?;
    version_text(version?)
}

fn version_text(text: &str) -> Option<Cow<'_, str>> {
    string(text).filter(|v| !v.is_empty() && v.len() <= LABEL_BYTES_MAX)
}

fn is_mcp_method(method: &str) -> bool {
    method == "initialize" || MCP_METHODS.iter().any(|family| method.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(Class, Option<&str>, bool)> {
        let mut out = Vec::new();
        classify(text, |m| out.push((m.class, m.id, m.is_error))).unwrap();
        out
    }

    #[test]
    fn classes() {
        use Class::{Notification, Other, Request, Response};
        for (text, class, id, error) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, Request, Some("1"), false),
            (r#"{"id":null,"method":"m"}"#, Request, Some("null"), false),
            (r#"{"method":"m"}"#, Notification, None, false),
            (r#"{"id":"a","result":{}}"#, Response, Some("\"a\""), false),
            (r#"{"id":1,"result":{"isError":true}}"#, Response, Some("1"), true),
            (r#"{"id":1,"result":{"isError":false}}"#, Response, Some("1"), false),
            (r#"{"id":1,"result":7,"error":null}"#, Response, Some("1"), false),
            (r#"{"id":null,"error":{"code":-32700}}"#, Response, Some("null"), true),
            (r#"{"jsonrpc":"2.0"}"#, Other, None, false),
            (r#""text""#, Other, None, false),
            ("42", Other, None, false),
        ] {
            assert_eq!(seen(text), vec![(class, id, error)], "{text}");
        }
    }

    #[test]
    fn batches_are_counted_by_element() {
        let batch = r#" [{"id":1,"method":"m"},{"method":"n"},7,{"id":2,"error":{}}]"#;
        assert_eq!(
            seen(batch),
            vec![
                (Class::Request, Some("1"), false),
                (Class::Notification, None, false),
                (Class::Other, None, false),
                (Class::Response, Some("2"), true)
            ]
        );
        assert_eq!(seen("[]"), vec![]);
    }

    #[test]
    fn broken_text_is_told() {
        for (text, why) in
            [("{", NotRead::CutOff), ("[1,", NotRead::CutOff), ("x", NotRead::NotJson), ("[1]x", NotRead::NotJson)]
        {
            assert_eq!(classify(text, |_| {}), Err(why), "{text}");
        }
    }

    #[test]
    fn versions() {
        let version = |text: &str| {
            let mut v = None;
            classify(text, |m| v = m.version.map(Cow::into_owned)).unwrap();
            v
        };
        assert_eq!(version(r#"{"id":0,"result":{"protocolVersion":"2025-11-25"}}"#).as_deref(), Some("2025-11-25"));
        let asked =
            r#"{"id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(version(asked).as_deref(), Some("2026-07-28"));
        assert_eq!(version(r#"{"id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#), None);
    }
}
