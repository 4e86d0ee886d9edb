//! A server that runs on threads of its own until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{refuse, serve};
use super::options::ServerOptions;
use super::request::{Handler, Request, Response};
use crate::net::NetError;
use crate::net::client::words;

/// A pause after the system gave no connection, as when this process has too many files open.
const PAUSE: Duration = Duration::from_millis(50);
/// Clients beside the allowed ones that are told so at the same time; more are dropped without a word.
const REFUSED_MAX: usize = 64;

/// A small HTTP/1.1 server.
///
/// ```
/// use immutape::net::{Client, ClientOptions, Response, Server, ServerOptions};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let server = Server::start(listener, ServerOptions::default(), |request| match request.path.as_str() {
///     "/head" => Response::text(200, "42\n"),
///     _ => Response::text(404, "nothing here\n"),
/// })?;
///
/// let mut options = ClientOptions::default();
/// options.allow_private = true;
/// let answer = Client::new(&options)?.get(&format!("http://{}/head", server.address()))?;
/// assert_eq!((answer.status, answer.body.as_slice()), (200, &b"42\n"[..]));
/// server.stop();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server;

/// A listener at `address`, a host and a port; port 0 is one that the system chooses.
///
/// # Errors
/// [`NetError::Server`].
///
/// ```
/// # fn main() -> Result<(), immutape::net::NetError> {
/// let listener = immutape::net::listen("127.0.0.1:0")?;
/// assert!(listener.local_addr().is_ok());
/// assert!(immutape::net::listen("nowhere").is_err());
/// # Ok(())
/// # }
/// ```
pub fn listen(address: &str) -> Result<TcpListener, NetError> {
    TcpListener::bind(address).map_err(|e| NetError::Server(words(&e)))
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on `listener` until the handle is stopped or dropped.
    ///
    /// The handler runs on threads that may block, as many at a time as there may be connections. When it panics, the
    /// client gets 500 and the server goes on. The time of a request counts for it too: past it the client is gone,
    /// while the handler goes on to its end and keeps its place among the connections until then.
    ///
    /// # Errors
    /// [`NetError::Options`], [`NetError::Server`].
    pub fn start(
        listener: TcpListener,
        options: ServerOptions,
        handler: impl Fn(Request) -> Response + Send + Sync + 'static,
    ) -> Result<ServerHandle, NetError> {
        options.check()?;
        let failed = |e: std::io::Error| NetError::Server(words(&e));
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(options.connections_max)
            .thread_name("immutape-handler")
            .build()
            .map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let (stop, stopped) = watch::channel(false);
        let work = accept(listener, Arc::new(options), Arc::new(handler), stopped);
        let thread = std::thread::Builder::new()
            .name("immutape-server".to_owned())
            // The runtime goes with the thread, and waits for the handlers that run.
            .spawn(move || runtime.block_on(work))
            .map_err(failed)?;
        Ok(ServerHandle { address, stop, thread: Some(thread) })
    }
}

impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests that are being answered end within their time, and joins every thread.
    /// Blocks meanwhile.
    pub fn stop(mut self) {
        self.stop_and_join();
    }

    fn stop_and_join(&mut self) {
        // Nobody listens any more when the thread is gone already.
        let _gone = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic in it was shown when it happened, and there is nothing left to stop.
            let _panicked = thread.join();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop_and_join();
    }
}

/// Takes connections until told to stop, then waits for those that are left.
async fn accept(
    listener: tokio::net::TcpListener,
    options: Arc<ServerOptions>,
    handler: Arc<Handler>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(options.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSED_MAX));
    let mut open = JoinSet::new();
    loop {
        let taken = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
            taken = listener.accept() => taken,
        };
        let Ok((stream, _)) = taken else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if let Ok(place) = places.clone().try_acquire_owned() {
            let handler = keeping(handler.clone(), place);
            open.spawn(serve(stream, options.clone(), handler, stop.clone()));
        } else if let Ok(place) = refusals.clone().try_acquire_owned() {
            open.spawn(async move {
                refuse(stream, "503 Service Unavailable").await;
                drop(place);
            });
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The handler with its connection's place, which is free again when the connection is gone and the handler has ended.
fn keeping(handler: Arc<Handler>, place: tokio::sync::OwnedSemaphorePermit) -> Arc<Handler> {
    Arc::new(move |request| {
        let _held = &place;
        handler(request)
    })
}
