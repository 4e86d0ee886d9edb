//! The client: one request, one connection, one answer, all with limits.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::{Request, header};
use ureq::unversioned::transport::DefaultConnector;

use super::answer::Answer;
use super::resolve::{Judge, Lookup, system_lookup};
use super::url::Url;
use super::{NetError, tls};
use crate::codec::escape::visible_short;

/// Longest body that is sent, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest name of the program, in bytes.
const USER_AGENT_BYTES_MAX: usize = 128;
/// How much of the words of an error from below is repeated, in characters.
const WORDS_MAX: usize = 160;

/// What a client may do, and for how long.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Until there is a connection, with TLS where it is asked for; in milliseconds, 1 to `total_timeout_ms`.
    pub connect_timeout_ms: u64,
    /// Until the whole answer is there, however slowly it comes; in milliseconds, 1 to 600,000.
    pub total_timeout_ms: u64,
    /// Longest body of an answer, in bytes; at most 64 MiB.
    pub answer_bytes_max: usize,
    /// Connect to this machine and to private networks as well. Without it a URL from outside could reach servers that
    /// only insiders see.
    pub allow_private: bool,
    /// Ask hosts other than this machine without TLS as well. Such an answer says nothing about who gave it.
    pub allow_plain_http: bool,
    /// Certificates (PEM, RFC 7468) that are trusted beside Mozilla's.
    pub extra_roots_pem: Option<Vec<u8>>,
    /// What the program calls itself: visible ASCII, 1 to 128 bytes.
    pub user_agent: String,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            total_timeout_ms: 15_000,
            answer_bytes_max: 64 << 10,
            allow_private: false,
            allow_plain_http: false,
            extra_roots_pem: None,
            user_agent: concat!("immutape/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl ClientOptions {
    fn check(&self) -> Result<(), NetError> {
        let wrong = |text| Err(NetError::Options(text));
        if !(1..=600_000).contains(&self.total_timeout_ms) {
            return wrong("the total time is not 1 to 600000 milliseconds");
        }
        if !(1..=self.total_timeout_ms).contains(&self.connect_timeout_ms) {
            return wrong("the time to connect is nothing, or longer than the total time");
        }
        if self.answer_bytes_max > 64 << 20 {
            return wrong("answers may be longer than 64 MiB");
        }
        let is_name = (1..=USER_AGENT_BYTES_MAX).contains(&self.user_agent.len())
            && self.user_agent.bytes().all(|b| (0x20..0x7f).contains(&b));
        if is_name { Ok(()) } else { wrong("the name of the program is not 1 to 128 visible characters") }
    }
}

/// Asks servers. Blocking: every call ends within the total time (a name that the system is slow to look up included).
///
/// Redirects are not followed, answers are not unpacked, connections are not used twice, cookies are not kept, and the
/// environment is not read: neither proxies nor certificates come from there.
///
/// ```
/// use immutape::net::{Client, ClientOptions, NetError};
/// let client = Client::new(&ClientOptions::default())?;
/// // Whoever chooses the URL does not choose a server that only insiders see.
/// let refused = client.get("https://127.0.0.1/").unwrap_err();
/// assert!(matches!(refused, NetError::Forbidden { why: "this machine", .. }));
/// # Ok::<(), NetError>(())
/// ```
pub struct Client {
    agent: Agent,
    answer_bytes_max: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("answer_bytes_max", &self.answer_bytes_max).finish_non_exhaustive()
    }
}

impl Client {
    /// A client with `options`.
    ///
    /// # Errors
    /// [`NetError::Options`] for a value out of its range, and for extra roots that are none.
    pub fn new(options: &ClientOptions) -> Result<Self, NetError> {
        Self::with_lookup(options, Arc::new(system_lookup))
    }

    pub(super) fn with_lookup(options: &ClientOptions, lookup: Arc<Lookup>) -> Result<Self, NetError> {
        options.check()?;
        let (allow_private, allow_plain_http) = (options.allow_private, options.allow_plain_http);
        let judge = Judge { allow_private, allow_plain_http, lookup };
        let agent = Agent::with_parts(configuration(options)?, DefaultConnector::default(), judge);
        Ok(Self { agent, answer_bytes_max: options.answer_bytes_max })
    }

    /// Asks for `url`.
    ///
    /// # Errors
    /// [`NetError`]. A status of 400 or more is an answer, and no error.
    pub fn get(&self, url: &str) -> Result<Answer, NetError> {
        let url = Url::parse(url)?;
        let request = Request::get(url.uri.clone()).body(());
        self.asked(&url, request.map(|request| self.agent.run(request)))
    }

    /// Sends `body` to `url`; at most 1 MiB.
    ///
    /// # Errors
    /// As [`Client::get`]; [`NetError::Body`] for a longer one.
    pub fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Answer, NetError> {
        let url = Url::parse(url)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(NetError::Body(body.len()));
        }
        let request = Request::post(url.uri.clone()).header(header::CONTENT_TYPE, content_type).body(body);
        self.asked(&url, request.map(|request| self.agent.run(request)))
    }

    fn asked(
        &self,
        url: &Url,
        done: Result<Result<ureq::http::Response<ureq::Body>, ureq::Error>, ureq::http::Error>,
    ) -> Result<Answer, NetError> {
        let limit = self.answer_bytes_max;
        let response = done.map_err(|_| NetError::Options("a content type has characters that none can have"))?;
        Answer::read(response.map_err(|e| fault(e, &url.host, limit))?, &url.host, limit)
    }
}

fn configuration(options: &ClientOptions) -> Result<Config, NetError> {
    let connect = Duration::from_millis(options.connect_timeout_ms);
    Ok(Agent::config_builder()
        .tls_config(tls::configuration(options.extra_roots_pem.as_deref())?)
        // Named, because the default is what the environment says.
        .proxy(None)
        .http_status_as_error(false)
        // The answer that points elsewhere is looked at, and never followed.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(options.user_agent.as_str())
        .accept_encoding("identity")
        .max_response_header_size(HEAD_BYTES_MAX)
        .timeout_global(Some(Duration::from_millis(options.total_timeout_ms)))
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        // A connection used twice would be one whose address is not looked up again.
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .build())
}

/// What a fault of the library below means here.
pub(super) fn fault(e: ureq::Error, host: &str, limit: usize) -> NetError {
    let host = host.to_owned();
    match e {
        ureq::Error::Other(inner) => match inner.downcast::<NetError>() {
            Ok(ours) => *ours,
            Err(other) => NetError::Answer { host, why: words(&*other) },
        },
        ureq::Error::Timeout(_) => NetError::Slow(host),
        ureq::Error::HostNotFound => NetError::NoAddress(host),
        ureq::Error::BodyExceedsLimit(_) => NetError::Long { host, limit },
        ureq::Error::ConnectionFailed => NetError::Unreachable { host, why: "no connection".to_owned() },
        ureq::Error::LargeResponseHeader(..) => {
            NetError::Answer { host, why: format!("its head is longer than {HEAD_BYTES_MAX} bytes") }
        }
        ureq::Error::Rustls(e) => NetError::Tls { host, why: words(&e) },
        ureq::Error::Tls(why) => NetError::Tls { host, why: why.to_owned() },
        ureq::Error::Io(e) => broken(e, host),
        other => NetError::Answer { host, why: words(&other) },
    }
}

/// A connection that broke. Faults of TLS come through it as well, once the connection stands.
fn broken(e: std::io::Error, host: String) -> NetError {
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, e.kind()) {
        (Some(inner), _) => NetError::Tls { host, why: words(inner) },
        (None, std::io::ErrorKind::TimedOut) => NetError::Slow(host),
        (None, std::io::ErrorKind::UnexpectedEof) => {
            NetError::Answer { host, why: "it ends before its end".to_owned() }
        }
        (None, _) => NetError::Unreachable { host, why: words(&e) },
    }
}

/// The words of an error from below: what a server wrote may stand in them.
pub(super) fn words(e: &(impl std::error::Error + ?Sized)) -> String {
    visible_short(e.to_string().as_bytes(), WORDS_MAX)
}
