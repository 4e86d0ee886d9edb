//! Headers whose values are secrets. They are counted by name, so that the one who keeps the tape knows what stands in it.

use super::super::json::{Members, elements, string};

/// Names of headers that carry secrets, in lower case.
const SECRET: [&str; 6] = ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key", "x-auth-token"];

/// Calls `each` for every secret header of a request or answer.
pub(super) fn secret_headers(m: &Members<'_>, mut each: impl FnMut(&'static str)) {
    let headers = m.peek("headers").unwrap_or("[]");
    let _no_list_is_no_header = elements(headers, |header| {
        let Some(name) = Members::parse(header).ok().and_then(|m| string(m.peek("name")?)) else { return };
        if let Some(secret) = SECRET.iter().find(|secret| secret.eq_ignore_ascii_case(&name)) {
            each(secret);
        }
    });
}
