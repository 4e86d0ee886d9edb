//! Messages as an index sees them; the payload stays the evidence.

use super::json::pick;
use super::jsonrpc::{Class, classify};

/// What a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcClass {
    /// Asks, and carries an id.
    Request,
    /// Answers.
    Response,
    /// Tells, without an id.
    Notification,
    /// JSON that is none of these.
    Other,
}

/// One JSON-RPC message, or one of a batch, as far as an index needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RpcMessage {
    /// What it does.
    pub class: RpcClass,
    /// Its id as written.
    pub id: Option<String>,
    /// The method that it calls or tells.
    pub method: Option<String>,
    /// It tells of an error.
    pub is_error: bool,
}

/// The messages of a payload: one, or those of a batch. `None` for what is not JSON.
///
/// ```
/// use immutape::interchange::{RpcClass, rpc_messages};
/// let all = rpc_messages(r#"[{"id":1,"method":"ping"},{"id":2,"result":{}}]"#).unwrap();
/// assert_eq!((all[0].class, all[1].class), (RpcClass::Request, RpcClass::Response));
/// assert!(rpc_messages("no").is_none());
/// ```
#[must_use]
pub fn rpc_messages(text: &str) -> Option<Vec<RpcMessage>> {
    let mut all = Vec::new();
    let read = classify(text, |m| {
        let class = match m.class {
            Class::Request => RpcClass::Request,
            Class::Response => RpcClass::Response,
            Class::Notification => RpcClass::Notification,
            Class::Other => RpcClass::Other,
        };
        let (id, method) = (m.id.map(str::to_owned), m.method.map(|m| m.into_owned()));
        all.push(RpcMessage { class, id, method, is_error: m.is_error });
    });
    read.ok().map(|()| all)
}

/// The same message with another id, and every other byte as it was. A message without an id stays as it is.
///
/// ```
/// assert_eq!(immutape::interchange::with_other_id(r#"{ "id" : 1, "result":{"id":1} }"#, "\"x\""), r#"{ "id" : "x", "result":{"id":1} }"#);
/// ```
#[must_use]
pub fn with_other_id(text: &str, id: &str) -> String {
    let Ok([Some(old)]) = pick(text, ["id"]) else { return text.to_owned() };
    // A part of `text`: where it stands is how far it begins behind it.
    let at = old.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    [before, id, rest.get(old.len()..).unwrap_or_default()].concat()
}
