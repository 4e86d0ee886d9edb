//! Which URLs a client asks: `http` and `https`, in one spelling each.

use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

use super::NetError;

/// Length of a URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Length of a host name (RFC 1035 2.3.4), in bytes.
const NAME_BYTES_MAX: usize = 253;
/// Length of one label of it.
const LABEL_BYTES_MAX: usize = 63;

/// A URL that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    /// As it is asked for.
    pub(super) uri: Uri,
    /// Its host, with brackets around an IPv6 address: harmless on a terminal, by the rules that it passed.
    pub(super) host: String,
    /// Without TLS?
    pub(super) is_plain: bool,
}

impl Url {
    /// Reads a URL (RFC 3986).
    ///
    /// An address has its usual spelling alone: `2130706433`, `0177.0.0.1` and `127.1` all mean 127.0.0.1 to the system's
    /// resolver, and something else to whoever looks at them.
    pub(super) fn parse(text: &str) -> Result<Self, NetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(NetError::Url("it is longer than 2048 bytes"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}'])
        {
            return Err(NetError::Url("it has characters that a URL cannot have"));
        }
        let (is_plain, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(NetError::Url("it begins with neither http:// nor https://")),
        };
        if rest.contains('#') {
            return Err(NetError::Url("it has a fragment"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, _) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(NetError::Url("it has a user name or a password"));
        }
        let host = host_of(authority)?;
        let uri = text.parse().map_err(|_| NetError::Url("it does not read as a URL"))?;
        Ok(Self { uri, host: host.to_owned(), is_plain })
    }

    /// The port that it names, or the usual one.
    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_plain { 80 } else { 443 })
    }
}

/// The host of `host[:port]`, when both have the form of one.
fn host_of(authority: &str) -> Result<&str, NetError> {
    let after = if authority.starts_with('[') { authority.find(']') } else { Some(0) };
    let after = after.ok_or(NetError::Url("an IPv6 address has no end"))?;
    let (host, port) = match authority.rfind(':').filter(|at| *at > after) {
        Some(at) => authority.split_at_checked(at).unwrap_or((authority, "")),
        None => (authority, ""),
    };
    if let Some(digits) = port.strip_prefix(':') {
        let fits = digits.parse::<u16>().is_ok_and(|n| n != 0 && n.to_string() == digits);
        fits.then_some(()).ok_or(NetError::Url("its port is no number from 1 to 65535"))?;
    }
    is_host(host)
        .then_some(host)
        .ok_or(NetError::Url("its host is neither a name nor an address in its usual spelling"))
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    // A last label that begins with a digit is that of an address, or of nothing (RFC 3696 2).
    let is_numeric = host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    if is_numeric { host.parse::<Ipv4Addr>().is_ok() } else { is_name(host) }
}

/// Letters, digits and hyphens, in labels (RFC 1123 2.1).
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= NAME_BYTES_MAX && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_urls_are_read() {
        let name = format!("http://{}.example/", "a".repeat(LABEL_BYTES_MAX));
        for (text, host, port) in [
            ("https://example.com", "example.com", 443),
            ("http://example.com/a/b?c=d", "example.com", 80),
            ("https://a-1.example:8443/add-checkpoint", "a-1.example", 8443),
            ("https://example.com?only=query", "example.com", 443),
            ("http://127.0.0.1:1/", "127.0.0.1", 1),
            ("http://[::1]:65535/", "[::1]", 65535),
            ("https://[2001:db8::1]", "[2001:db8::1]", 443),
            ("http://localhost/@", "localhost", 80),
            (&name, &name[7..name.len() - 1], 80),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.host.as_str(), url.port(), url.is_plain),
                (host, port, text.starts_with("http:")),
                "{text}"
            );
            assert_eq!(url.uri.host(), Some(host));
        }
    }

    #[test]
    fn every_other_spelling_is_refused_with_its_reason() {
        let host = "its host is neither a name nor an address in its usual spelling";
        let letters = "it has characters that a URL cannot have";
        let scheme = "it begins with neither http:// nor https://";
        let port = "its port is no number from 1 to 65535";
        let user = "it has a user name or a password";
        let long_label = format!("http://{}.example/", "a".repeat(LABEL_BYTES_MAX + 1));
        let long_name = format!("http://{}example/", "a.".repeat(124));
        let long = format!("http://example.com/{}", "a".repeat(URL_BYTES_MAX));
        for (text, why) in [
            ("", scheme),
            ("example.com", scheme),
            ("HTTP://example.com", scheme),
            ("ftp://example.com", scheme),
            ("file:///etc/passwd", scheme),
            ("http:/example.com", scheme),
            ("http://", host),
            ("http:///path", host),
            ("http://:80/", host),
            ("http://2130706433/", host),
            ("http://0x7f000001/", host),
            ("http://0177.0.0.1/", host),
            ("http://127.1/", host),
            ("http://127.0.0.1./", host),
            ("http://127.0.0.01/", host),
            ("http://1.2.3.4.5/", host),
            ("http://example.com./", host),
            ("http://a..b/", host),
            ("http://-a.example/", host),
            ("http://a_b.example/", host),
            ("http://%31.example/", host),
            ("http://[::1", "an IPv6 address has no end"),
            ("http://[::1%25lo]/", host),
            ("http://[127.0.0.1]/", host),
            ("http://[::1]x/", host),
            ("http://::1/", host),
            (&long_label, host),
            (&long_name, host),
            ("http://example.com:/", port),
            ("http://example.com:0/", port),
            ("http://example.com:080/", port),
            ("http://example.com:65536/", port),
            ("http://example.com:+80/", port),
            ("http://user@example.com/", user),
            ("http://user:secret@example.com/", user),
            ("http://example.com:80@evil.example/", user),
            ("http://@example.com/", user),
            ("http://example.com/#part", "it has a fragment"),
            ("http://example.com#@evil.example/", "it has a fragment"),
            ("http://example.com\\@evil.example/", letters),
            ("http://example.com/ HTTP/1.1", letters),
            ("http://example.com/\r\nX: y", letters),
            ("http://exämple.com/", letters),
            ("http://example.com/\u{7f}", letters),
            (&long, "it is longer than 2048 bytes"),
        ] {
            assert_eq!(Url::parse(text), Err(NetError::Url(why)), "{text}");
        }
    }
}
