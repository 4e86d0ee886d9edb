//! One connection from its first byte to its last: a head, a request, an answer, the end.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::head::{self, Refusal};
use super::options::ServerOptions;
use super::request::{Handler, answered};

/// Bytes that are read and thrown away behind an answer. A socket that is closed over unread bytes takes back what was
/// sent last, and the client would not see why it was refused.
const LEFTOVER_BYTES_MAX: u64 = 256 << 10;
/// How long that may take.
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(1);
/// Header lines that hyper takes.
const HEADERS_MAX: usize = 64;

/// Serves one client. Every wait ends: at the limit of the head, or at that of the request.
pub(super) async fn serve(
    mut stream: TcpStream,
    options: Arc<ServerOptions>,
    handler: Arc<Handler>,
    mut stop: watch::Receiver<bool>,
) {
    let _an_answer_in_one_piece_needs_no_delay = stream.set_nodelay(true);
    let read = tokio::time::timeout(options.head_timeout(), head::read(&mut stream, options.head_bytes_max));
    let head = tokio::select! {
        biased;
        // Whoever has not asked anything yet is not waited for.
        _ = stop.wait_for(|stop| *stop) => return,
        head = read => head,
    };
    let refused = match head {
        Ok(Ok(head)) => {
            // Whatever hangs within, and whichever side it is that hangs, is dropped with its socket.
            let _over = tokio::time::timeout(options.request_timeout(), one(stream, head, &options, handler)).await;
            return;
        }
        Ok(Err(Refusal::Gone)) => return,
        Ok(Err(Refusal::Long)) => "431 Request Header Fields Too Large",
        Ok(Err(Refusal::Bad)) => "400 Bad Request",
        Err(_) => "408 Request Timeout",
    };
    let _over = tokio::time::timeout(LEFTOVER_TIMEOUT, refuse(stream, refused)).await;
}

/// An answer without a request that it answers.
pub(super) async fn refuse(mut stream: TcpStream, status: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    if stream.write_all(text.as_bytes()).await.is_ok() {
        let (read, write) = stream.into_split();
        leave(read, write).await;
    }
}

/// Has hyper read the one request and write its answer.
async fn one(stream: TcpStream, head: Vec<u8>, options: &ServerOptions, handler: Arc<Handler>) {
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(Cursor::new(head).chain(read), write);
    let body_bytes_max = options.body_bytes_max;
    let service = service_fn(move |request| Box::pin(answered(request, handler.clone(), body_bytes_max)));
    let mut connection = http1::Builder::new()
        // One request a connection: what comes behind it is never read as another.
        .keep_alive(false)
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is the client's, and hyper has answered it where there was anything to answer.
    let _of_the_client = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let (read, write) = connection.into_parts().io.into_inner().into_inner();
    leave(read, write).await;
}

/// Says that no more comes, and gives the client a moment to see it.
async fn leave(read: impl tokio::io::AsyncRead + Unpin, mut write: tokio::net::tcp::OwnedWriteHalf) {
    if write.shutdown().await.is_ok() {
        let mut sink = tokio::io::sink();
        let mut rest = read.take(LEFTOVER_BYTES_MAX);
        let _over = tokio::time::timeout(LEFTOVER_TIMEOUT, tokio::io::copy(&mut rest, &mut sink)).await;
    }
}
