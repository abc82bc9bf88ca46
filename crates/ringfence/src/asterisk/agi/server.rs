//! The socket that the dial plan connects to.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::judge::Judge;
use super::session::{Outcome, Session};
use crate::config::{AddressRange, Agi};

/// Sessions at once.
const SESSIONS: usize = 512;

/// What the server did, counted since it began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Callers that may call.
    pub ok: AtomicU64,
    /// Callers that are strangers.
    pub strangers: AtomicU64,
    /// Calls without a verdict: no address, or nobody could tell.
    pub undecided: AtomicU64,
    /// Sessions that were given up: hung up, late, or too much was sent.
    pub broken: AtomicU64,
    /// Connections closed at once because 512 sessions went on.
    pub busy: AtomicU64,
    /// Connections closed at once because nobody there may ask.
    pub refused: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A FastAGI server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    from: Vec<AddressRange>,
    names: Arc<[String]>,
    counts: Arc<Counts>,
}

impl Server {
    /// Opens the socket of `[agi] listen`. From here on connections wait until [`Server::run`] takes them.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(config: &Agi) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(config.listen).await?,
            from: config.from.clone(),
            names: config.names.clone().into(),
            counts: Arc::default(),
        })
    }

    /// The address that it listens on, with the port that the kernel chose if that was 0.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it did and will do.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Serves until it is dropped, and its sessions with it.
    pub async fn run<J: Judge>(self, judge: J) {
        // Keys of the system's randomness, of which none is told.
        let marks = Arc::new(RandomState::new());
        let places = Arc::new(Semaphore::new(SESSIONS));
        let mut sessions = JoinSet::new();
        for number in 0_u64.. {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = sessions.join_next() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: sessions that end give them back.
                    tracing::debug!(%error, "no FastAGI connection could be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if !self.serves(peer.ip()) {
                Counts::add(&self.counts.refused);
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                Counts::add(&self.counts.busy);
                continue;
            };
            let (judge, names) = (judge.clone(), Arc::clone(&self.names));
            let (counts, mark) = (Arc::clone(&self.counts), marks.hash_one(number));
            sessions.spawn(async move {
                session(stream, mark, &judge, &names, &counts).await;
                drop(place);
            });
        }
    }

    pub(super) fn serves(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.from.iter().any(|range| range.contains(peer))
    }
}

async fn session<J: Judge>(
    stream: TcpStream,
    mark: u64,
    judge: &J,
    names: &[String],
    counts: &Counts,
) {
    // Commands are short and wait for each other.
    let _ = stream.set_nodelay(true);
    let counter = match Session::new(stream, mark).serve(judge, names).await {
        Ok(Outcome::Told { ok: true }) => &counts.ok,
        Ok(Outcome::Told { ok: false }) => &counts.strangers,
        Ok(Outcome::Undecided) => &counts.undecided,
        Err(error) => {
            tracing::debug!(%error, "a FastAGI session was given up");
            &counts.broken
        }
    };
    Counts::add(counter);
}
