//! From a host to the addresses that are connected to. They are looked up once, judged, and handed on as they are: a
//! name that means something else a moment later changes nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::NetError;
use super::address::{Reach, reach};
use super::url::Url;

/// Addresses of one host that are tried; the client's array holds 16.
const ADDRESSES_MAX: usize = 8;

/// How a name is looked up; another one in tests.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks hosts up and lets through what may be connected to.
pub(super) struct Judge {
    /// May addresses be connected to that outsiders do not see?
    pub(super) allow_private: bool,
    /// May a host that is not this machine be asked without TLS?
    pub(super) allow_plain_http: bool,
    /// The system's own lookup, outside of tests.
    pub(super) lookup: Arc<Lookup>,
}

/// Asks the system.
pub(super) fn system_lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // An IPv6 address has brackets in a URL; the two together are what the system reads.
    Ok(format!("{host}:{port}").to_socket_addrs()?.collect())
}

impl Judge {
    /// The addresses of `url`, if each of them may be connected to.
    ///
    /// One that may not is enough to refuse: which one is connected to must not depend on who answers first.
    fn judged(&self, url: &Url, limit: Duration) -> Result<Vec<SocketAddr>, NetError> {
        if url.is_plain && !self.allow_plain_http && !self.allow_private {
            return Err(NetError::Url("plain http is for this machine alone, unless it is allowed"));
        }
        let addresses = self.looked_up(url, limit)?;
        for address in &addresses {
            self.judge(url, address.ip())?;
        }
        if addresses.is_empty() { Err(NetError::NoAddress(url.host.clone())) } else { Ok(addresses) }
    }

    fn judge(&self, url: &Url, address: IpAddr) -> Result<(), NetError> {
        let reach = reach(address);
        let why = match reach {
            Reach::Nowhere(why) => Some(why),
            Reach::Private(why) if !self.allow_private => Some(why),
            Reach::Loopback if !self.allow_private => Some("this machine"),
            Reach::Public | Reach::Private(_) if url.is_plain && !self.allow_plain_http => {
                Some("not this machine, and the URL is without TLS")
            }
            Reach::Public | Reach::Private(_) | Reach::Loopback => None,
        };
        why.map_or(Ok(()), |why| Err(NetError::Forbidden { host: url.host.clone(), address, why }))
    }

    /// The system's lookup knows no time limit, so it runs on a thread of its own. One that hangs ends by itself when
    /// the system gives up; what it then says is heard by nobody.
    fn looked_up(&self, url: &Url, limit: Duration) -> Result<Vec<SocketAddr>, NetError> {
        let (answer, answered) = sync_channel(1);
        let (lookup, host, port) = (self.lookup.clone(), url.host.clone(), url.port());
        let lost = |e: io::Error| NetError::Unreachable { host: url.host.clone(), why: super::client::words(&e) };
        std::thread::Builder::new()
            .name("immutape-lookup".to_owned())
            .spawn(move || answer.send(lookup(&host, port)))
            .map_err(lost)?;
        let found = match answered.recv_timeout(limit) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => return Err(NetError::Slow(url.host.clone())),
            Err(RecvTimeoutError::Disconnected) => return Err(NetError::NoAddress(url.host.clone())),
        };
        // What the system says of a name that is not there differs from system to system.
        let mut found = found.map_err(|_| NetError::NoAddress(url.host.clone()))?;
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }
}

impl Resolver for Judge {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refused = |e: NetError| ureq::Error::Other(Box::new(e));
        // Read again rather than handed over: what is judged is what is about to be asked.
        let url = Url::parse(&uri.to_string()).map_err(refused)?;
        let mut out = self.empty();
        for address in self.judged(&url, *timeout.after).map_err(refused)? {
            out.push(address);
        }
        Ok(out)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (private, plain) = (self.allow_private, self.allow_plain_http);
        f.debug_struct("Judge")
            .field("allow_private", &private)
            .field("allow_plain_http", &plain)
            .finish_non_exhaustive()
    }
}
