//! Asking an authority for a time-stamp over HTTP (RFC 3161 3.4).

use std::sync::Arc;

use super::transport::{Reply, Transport};
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::ledger::{KeptTime, Ledger};

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// Signs a head, has it time-stamped, and keeps the answer in the log. A crash on the way leaves a signed head that the authority
/// has seen, and no word of it here.
///
/// # Errors
/// `E_NOT_FOUND` without an authority or an address of it; `E_NETWORK`; `E_PROOF_INVALID` for an answer that does not hold; those
/// of [`Ledger::challenge_time`] and [`Ledger::keep_timestamp`].
pub async fn stamp(ledger: &Ledger, transport: &Arc<dyn Transport>) -> Result<KeptTime> {
    let url = ledger.time_authority()?.and_then(|authority| authority.url).ok_or_else(|| {
        Error::new(Code::NotFound, "this ledger knows no address of an authority that tells it the time").with_hint(
            "`immutape clock set --url URL --roots FILE` names one; without a network, `immutape clock challenge --to FILE`",
        )
    })?;
    let challenge = ledger.challenge_time().await?;
    let (transport, query) = (transport.clone(), challenge.to_der().to_vec());
    let asked = tokio::task::spawn_blocking(move || transport.post(&url, QUERY, &query)).await;
    let reply = asked.map_err(|_| Error::new(Code::Broken, "a thread that asks for the time died"))??;
    ledger.keep_timestamp(challenge, &answer_of(reply)?).await
}

fn answer_of(reply: Reply) -> Result<Vec<u8>> {
    let told = reply.content_type.unwrap_or_default();
    let kind = told.split(';').next().unwrap_or_default().trim();
    if reply.status != 200 {
        let words = format!("the time-stamping authority answered {}", reply.status);
        return Err(Error::new(Code::Network, words));
    }
    if !kind.eq_ignore_ascii_case(REPLY) {
        let words = format!("the time-stamping authority answered with {}", visible_short(kind.as_bytes(), 60));
        return Err(Error::new(Code::Network, words)
            .with_hint("is the address that of a time-stamping authority (RFC 3161 3.4)?"));
    }
    Ok(reply.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_of_an_authority_is_told() {
        let reply = |status, kind: Option<&str>| Reply { status, content_type: kind.map(str::to_owned), body: vec![7] };
        assert_eq!(answer_of(reply(200, Some("Application/Timestamp-Reply; x=y"))).unwrap(), [7]);
        for bad in [reply(500, Some(REPLY)), reply(200, Some("text/html\u{1b}")), reply(200, None)] {
            let error = answer_of(bad).unwrap_err();
            assert_eq!(error.code(), Code::Network);
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
        }
    }
}
