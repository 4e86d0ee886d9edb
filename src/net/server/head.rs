//! The head of a request, read before anything is made of it.
//!
//! hyper reads what a head means. It is lenient about line ends and repeated lengths, as most servers are in some
//! way, and a proxy in front may be lenient in another: a head that two readers could read differently ends here.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that are asked for at a time.
const PIECE_BYTES: usize = 4 << 10;

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client went before the head was whole; nobody is there for an answer.
    Gone,
    /// Longer than the limit.
    Long,
    /// Not HTTP, or HTTP of two meanings.
    Bad,
}

/// Reads up to the end of the head. What follows it in the same piece is in the result as well.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    loop {
        let count = stream.read(&mut piece).await.map_err(|_| Refusal::Gone)?;
        if count == 0 {
            return Err(Refusal::Gone);
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if let Some(end) = end_of(&bytes)? {
            let head = bytes.get(..end).unwrap_or_default();
            return if end > limit { Err(Refusal::Long) } else { check(head).map(|()| bytes) };
        }
        if bytes.len() > limit {
            return Err(Refusal::Long);
        }
    }
}

/// Where the head ends, behind its empty line. Each line ends with CR and LF, and neither stands elsewhere (RFC 9112
/// 2.2 allows a lone LF to be taken for an end, and so allows two readings).
fn end_of(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let mut line = 0_usize;
    let mut rest = bytes.iter().copied().enumerate().peekable();
    while let Some((at, byte)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match (byte, next) {
            (b'\r', None) => return Ok(None),
            (b'\r', Some(b'\n')) => {
                rest.next();
                let end = at.saturating_add(2);
                if at == line {
                    // An empty line before the first one is skipped by some servers, and is no request here.
                    return if at == 0 { Err(Refusal::Bad) } else { Ok(Some(end)) };
                }
                line = end;
            }
            (b'\r' | b'\n' | 0, _) => return Err(Refusal::Bad),
            _ => {}
        }
    }
    Ok(None)
}

/// What no two readers may read differently: three words in the first line, one length at most, no line that goes on
/// with the one before, no space before a colon.
fn check(head: &[u8]) -> Result<(), Refusal> {
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let words: Vec<&[u8]> = lines.next().unwrap_or_default().splitn(4, |b| *b == b' ').collect();
    if !matches!(words.as_slice(), [_, _, b"HTTP/1.1" | b"HTTP/1.0"]) {
        return Err(Refusal::Bad);
    }
    let mut lengths = 0_u32;
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        if name.len() == line.len() || name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return Err(Refusal::Bad);
        }
        lengths = lengths.saturating_add(u32::from(name.eq_ignore_ascii_case(b"content-length")));
    }
    if lengths > 1 { Err(Refusal::Bad) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(&mut &bytes[..], limit))
    }

    #[test]
    fn a_head_is_read_to_its_end_with_what_came_behind_it() {
        let whole = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(of(whole, 256).unwrap(), whole);
        for cut in 0..whole.len() - 4 {
            assert_eq!(of(&whole[..cut], 256), Err(Refusal::Gone), "cut to {cut}");
        }
        let end = whole.len() - 4;
        assert_eq!(of(whole, end).unwrap(), whole);
        assert_eq!(of(whole, end - 1), Err(Refusal::Long));
        assert_eq!(of(&[b'a'; 9_000], 8_192), Err(Refusal::Long), "no line at all");
    }

    #[test]
    fn heads_of_two_meanings_are_refused() {
        for text in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\tfolded: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-LENGTH: 2\r\n\r\n",
        ] {
            assert_eq!(of(text.as_bytes(), 1_024), Err(Refusal::Bad), "{text:?}");
        }
    }
}
