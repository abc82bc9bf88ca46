//! The pages over HTTP: read-only, and bounded in everything.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::{Page, Published};
use crate::config::AddressRange;

/// Connections at once; more wait with the kernel.
const CONNECTIONS: usize = 16;
/// How long a client may take to ask.
const ASKING: Duration = Duration::from_secs(5);
/// How long one may take in all: a list of all bans over a slow line.
const SERVING: Duration = Duration::from_secs(60);
/// The longest request, in bytes: the least that hyper takes.
const REQUEST: usize = 8192;
/// Header fields of a request.
const FIELDS: usize = 32;

/// A socket that is listened on.
pub struct Bound {
    listener: TcpListener,
    allow: Vec<AddressRange>,
}

/// Listens at an address. `allow` are those who may ask beside this host's loopback.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn bind(address: SocketAddr, allow: Vec<AddressRange>) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    Ok(Bound { listener, allow })
}

impl Bound {
    /// The address that is listened on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves what was published last, until it is dropped.
    pub async fn serve(self, published: watch::Receiver<Arc<Published>>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: connections that end give them back.
                    tracing::debug!(%error, "no connection of [share] could be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if !self.allows(peer.ip()) {
                continue;
            }
            let published = published.clone();
            tokio::spawn(async move {
                // Who is slow, or goes away, ends nothing but its own connection.
                let _ = tokio::time::timeout(SERVING, connection(stream, &published)).await;
                drop(place);
            });
        }
    }

    fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.allow.iter().any(|range| range.contains(peer))
    }
}

async fn connection(
    stream: TcpStream,
    published: &watch::Receiver<Arc<Published>>,
) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let now = Arc::clone(&published.borrow());
        async move { Ok::<_, Infallible>(answer(&request, now).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(REQUEST)
        .max_headers(FIELDS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer<B>(request: &Request<B>, published: Arc<Published>) -> Response<Full<Bytes>> {
    let say = |status, text: &'static str| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    };
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        let mut response = say(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let Some(page) = Page::of_path(request.uri().path()) else {
        return say(
            StatusCode::NOT_FOUND,
            "there are bans.txt, bans.nft, bans.ipset, bans.log, bans.crowdsec.json, bans.json, bans.csv, counts.json \
             and metrics\n",
        );
    };
    // Weak: times left go on while the bans stay the same.
    let tag = format!("W/\"{}\"", published.version(page));
    let mut response = if is_known(request.headers(), &tag) {
        say(StatusCode::NOT_MODIFIED, "")
    } else {
        // Of very many bans this takes a while the first time.
        let text = tokio::task::spawn_blocking(move || published.text(page)).await;
        let Ok(text) = text else {
            return say(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be written\n");
        };
        let body = if head {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(text.as_bytes())
        };
        let mut response = Response::new(Full::new(body));
        let length = HeaderValue::from(text.len());
        let media = HeaderValue::from_static(page.media_type());
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let fresh = HeaderValue::from_static("no-cache");
    headers.insert(header::CACHE_CONTROL, fresh);
    let plain = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, plain);
    response
}

/// Whether the client has what the tag stands for (RFC 9110 section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = headers.get_all(header::IF_NONE_MATCH);
    let mut known = known.iter().filter_map(|value| value.to_str().ok());
    known.any(|list| {
        list.split(',')
            .any(|one| one.trim() == "*" || bare(one) == bare(tag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_those_who_may_ask() {
        let allow = vec!["192.0.2.0/28".parse().unwrap()];
        let bound = bind("127.0.0.1:0".parse().unwrap(), allow).await.unwrap();
        for (peer, allowed) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("::1", true),
            ("192.0.2.15", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.16", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(bound.allows(peer.parse().unwrap()), allowed, "{peer}");
        }
    }
}
