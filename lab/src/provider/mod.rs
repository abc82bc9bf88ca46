//! A web server that plays providers of data, well behaved and not: [`Provider`] serves [`Page`]s by path.
//!
//! It listens on loopback, answers one request a connection, and remembers what it was asked.
//!
//! ```
//! use ringfence_lab::provider::{Page, Provider, gzip};
//!
//! let server = Provider::start().unwrap();
//! server.put("/list.txt.gz", Page::new(gzip(b"192.0.2.1\n")).etag("\"1\""));
//! let url = server.url("/list.txt.gz");
//! assert!(url.starts_with("http://127.0.0.1:"));
//! assert!(server.asked().is_empty());
//! ```

mod pack;
mod page;
mod serve;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use pack::{gzip, gzip_of_zeros, tar_gz, zip, zip_of_zeros};
pub use page::Page;

use nix::sys::socket::{Shutdown, shutdown};

use crate::error::{During, Result};

/// So many connections are served at a time; more are closed at once.
const AT_ONCE: usize = 64;

/// So many requests are remembered: the first ones.
const REMEMBERED: usize = 10_000;

/// A web server. It ends with its value.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    bell: TcpListener,
    door: Option<JoinHandle<()>>,
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET` mostly.
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was sent with it.
    pub body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
}

impl Asked {
    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header field of a name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(same)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct Shared {
    pages: Mutex<HashMap<String, Turns>>,
    asked: Mutex<Vec<Asked>>,
    over: AtomicBool,
    open: AtomicUsize,
}

/// Pages that are served one after the other, and then the last.
#[derive(Debug)]
struct Turns {
    pages: Vec<Page>,
    next: usize,
}

impl Shared {
    /// The page of a target: with its query, or else without.
    fn page(&self, target: &str) -> Option<Page> {
        let mut pages = locked(&self.pages);
        let path = target.split('?').next().unwrap_or_default();
        let key = if pages.contains_key(target) {
            target
        } else {
            path
        };
        let turns = pages.get_mut(key)?;
        let page = turns.pages.get(turns.next).or(turns.pages.last()).cloned();
        turns.next = turns.next.saturating_add(1);
        page
    }

    fn remember(&self, asked: Asked) {
        let mut all = locked(&self.asked);
        if all.len() < REMEMBERED {
            all.push(asked);
        }
    }
}

impl Provider {
    /// A server on 127.0.0.1, on a port that is free, without a page.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start() -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// The same on an address of the caller's: within a network namespace, say.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn start_at(address: SocketAddr) -> Result<Self> {
        let what = || format!("listen on {address}");
        let listener = TcpListener::bind(address).during(what())?;
        let address = listener.local_addr().during(what())?;
        let bell = listener.try_clone().during(what())?;
        let shared = Arc::new(Shared::default());
        let within = shared.clone();
        let door = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if within.over.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                if within.open.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
                    within.open.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let within = within.clone();
                std::thread::spawn(move || {
                    // A client that goes away is no failure of the server.
                    let _ = serve::serve(stream, &within);
                    within.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self {
            address,
            shared,
            bell,
            door: Some(door),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same by the name `localhost`: another host to who looks at names.
    pub fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// Serves a page at a path, in place of what was there. A path with a query is that query alone.
    pub fn put(&self, path: &str, page: Page) {
        self.turns(path, vec![page]);
    }

    /// Serves pages one after the other at a path, and then the last one for good.
    pub fn turns(&self, path: &str, pages: Vec<Page>) {
        let turns = Turns { pages, next: 0 };
        locked(&self.shared.pages).insert(path.to_owned(), turns);
    }

    /// Serves nothing at a path any more: 404.
    pub fn remove(&self, path: &str) {
        locked(&self.shared.pages).remove(path);
    }

    /// All requests so far, the first one first.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }

    /// The requests for one path, with whatever query.
    pub fn asked_for(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path() == path);
        asked
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        locked(&self.shared.asked).clear();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Whoever waits at the door wakes up, in whichever network namespace that is.
        let _ = shutdown(self.bell.as_raw_fd(), Shutdown::Both);
        if let Some(door) = self.door.take() {
            let _ = door.join();
        }
    }
}

/// What a thread left that failed is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
