//! A thread that carries packets from a queue to the judge, and its verdicts back.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tracing::error;

use super::desk::Desk;
use super::protocol::Verdict;
use super::queue::Queue;
use super::rules::JUDGED;
use crate::engine::boot_time;

/// Packets that are judged before the first of them goes on.
const BATCH: usize = 32;
/// Bytes of them.
const BYTES: usize = 1 << 18;

/// A thread that holds a queue until it is told to end.
pub struct Worker {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts one for a queue that is held.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(queue: Queue, number: u16, desk: Arc<Mutex<Desk>>) -> io::Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = Builder::new()
            .name(format!("queue {number}"))
            .spawn(move || {
                if let Err(error) = carry(queue, &desk, &ended) {
                    error!("queue {number}: {error}; its packets are no longer judged");
                }
            })?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }

    /// Whether the thread has ended, for whatever reason.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has said what went wrong.
            let _ = thread.join();
        }
    }
}

/// A packet that waits for the judge.
struct Waiting {
    id: u32,
    mark: u32,
    interfaces: [u32; 2],
    at: usize,
    length: usize,
    cut: bool,
}

fn carry(mut queue: Queue, desk: &Mutex<Desk>, end: &AtomicBool) -> io::Result<()> {
    let (mut bytes, mut waiting, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
    while !end.load(Ordering::Relaxed) {
        bytes.clear();
        waiting.clear();
        let mut more = queue.next(true, |packet| keep(&packet, &mut bytes, &mut waiting))?;
        while more.is_some() && waiting.len() < BATCH && bytes.len() < BYTES {
            more = queue.next(false, |packet| keep(&packet, &mut bytes, &mut waiting))?;
        }
        if waiting.is_empty() {
            continue;
        }
        verdicts.clear();
        {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            for it in &waiting {
                verdicts.push(decide(&mut desk, it, &bytes)?);
            }
        }
        queue.tell(&verdicts)?;
    }
    Ok(())
}

fn keep(packet: &super::protocol::Packet<'_>, bytes: &mut Vec<u8>, waiting: &mut Vec<Waiting>) {
    waiting.push(Waiting {
        id: packet.id,
        mark: packet.mark,
        interfaces: [packet.interface_in, packet.interface_out],
        at: bytes.len(),
        length: packet.bytes.len(),
        cut: packet.cut,
    });
    bytes.extend_from_slice(packet.bytes);
}

fn decide(desk: &mut Desk, it: &Waiting, bytes: &[u8]) -> io::Result<Verdict> {
    let packet = super::protocol::Packet {
        id: it.id,
        mark: it.mark,
        interface_in: it.interfaces[0],
        interface_out: it.interfaces[1],
        bytes: bytes.get(it.at..it.at + it.length).unwrap_or_default(),
        cut: it.cut,
    };
    let now = boot_time().map_err(io::Error::other)?;
    let pass = desk.decide(&packet, now);
    let comes_in = packet.interface_out == 0;
    Ok(Verdict {
        id: it.id,
        pass,
        mark: (pass && comes_in).then_some(it.mark | JUDGED),
    })
}
