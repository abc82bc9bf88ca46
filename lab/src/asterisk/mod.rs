//! A manager interface of Asterisk that plays recordings of a real one, without root and on loopback alone.
//!
//! It checks the login for real, answers actions with what was recorded, under the ActionID of whoever asks, and then
//! sends events: cut into pieces of any size, at any pace, and with the connection cut at any byte.

mod connection;
mod recording;
mod script;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use recording::Recording;
pub use script::{After, Script};

/// A manager interface on a port of its own; it ends when it is dropped.
#[derive(Debug)]
pub struct Ami {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    scripts: Vec<Script>,
    /// Connections so far.
    accepted: AtomicUsize,
    ended: AtomicBool,
    /// Bytes of the events that nobody needs again: they were sent to the end of their block.
    told: AtomicUsize,
    /// What was asked, secrets included, in its order.
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Ami {
    /// Plays one script a connection, the last again and again. Where a script follows another with the same events, it goes on
    /// with the first event that was not sent whole.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn play(scripts: impl IntoIterator<Item = Script>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            scripts: scripts.into_iter().collect(),
            accepted: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            told: AtomicUsize::new(0),
            asked: Mutex::default(),
            open: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(&listener));
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// The actions that came, as blocks, in their order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.open).iter() {
            // It may be closed already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // The thread that accepts wakes up and sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let (false, Ok(stream)) = (self.ended.load(Ordering::SeqCst), stream) else {
                return;
            };
            let number = self.accepted.fetch_add(1, Ordering::SeqCst);
            let script = self.scripts.get(number).or(self.scripts.last());
            let (Some(script), Ok(copy)) = (script.cloned(), stream.try_clone()) else {
                return;
            };
            lock(&self.open).push(copy);
            let shared = Arc::clone(self);
            // An end of the connection is no failure here: it is what is played.
            thread::spawn(move || connection::Connection::new(stream, script, shared).run());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
