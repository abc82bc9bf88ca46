//! Notices to people: by e-mail, by an HTTP request, by a command.
//!
//! `start` gives a [`Notifier`], whose `tell` never waits. Behind each way a task of its own delivers: so many an hour
//! singly, the rest summed up in a digest. What cannot be delivered is tried again, and then summed up too.

mod command;
mod digest;
mod letter;
mod mail;
mod notice;
mod pace;
mod shown;
#[cfg(test)]
mod tests;
mod top;
mod way;
mod webhook;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use letter::Letter;
pub use notice::Notice;
use pace::{Item, Pace};
pub use shown::line as shown;
pub use way::Undelivered;
use way::Way;
use worker::{Inbox, Order, PAUSES, Worker};

pub use crate::config::NoticeKind;
use crate::config::Notify;

/// Notices that wait in front of each way; more are only counted.
const ROOM: usize = 256;

/// Tells people. A clone tells the same ones.
#[derive(Debug, Clone)]
pub struct Notifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kinds: Vec<NoticeKind>,
    doors: Vec<Door>,
}

/// The front of one way.
#[derive(Debug)]
struct Door {
    name: String,
    orders: mpsc::Sender<Order>,
    lost: Arc<AtomicU64>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a task for each way of `config`; `host` is the name that this host signs with. Within a Tokio runtime only.
pub fn start(config: &Notify, host: &str) -> Notifier {
    start_with(config, Way::all(config, host), host, &PAUSES)
}

fn start_with(config: &Notify, ways: Vec<Way>, host: &str, pauses: &[Duration]) -> Notifier {
    let doors = ways.into_iter().map(|way| {
        let (orders, receiver) = mpsc::channel(ROOM);
        let lost = Arc::new(AtomicU64::new(0));
        let name = way.name();
        let worker = Worker {
            way,
            host: host.to_owned(),
            inbox: Inbox {
                orders: receiver,
                lost: lost.clone(),
                pace: Pace::new(config.most, config.digest),
                open: true,
            },
            pauses: pauses.to_vec(),
            works: true,
        };
        Door {
            name,
            orders,
            lost,
            worker: Mutex::new(Some(tokio::spawn(worker.run()))),
        }
    });
    Notifier {
        inner: Arc::new(Inner {
            kinds: config.kinds.clone(),
            doors: doors.collect(),
        }),
    }
}

impl Notifier {
    /// Tells a notice, if its kind is to be told. Never waits: where a way has no room left it is counted, and the
    /// next digest says so.
    pub fn tell(&self, notice: Notice) {
        if !self.tells(notice.kind) {
            return;
        }
        let notice = Arc::new(notice);
        for door in &self.inner.doors {
            if door.orders.try_send(Order::Tell(notice.clone())).is_err() {
                door.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether anybody is told of notices of a kind, so that none has to be written in vain.
    pub fn tells(&self, kind: NoticeKind) -> bool {
        !self.inner.doors.is_empty() && self.inner.kinds.contains(&kind)
    }

    /// Delivers what there is, digests too, for at most `within`; then nothing is told any more.
    pub async fn close(&self, within: Duration) {
        let until = Instant::now() + within;
        for door in &self.inner.doors {
            // A worker that cannot take it any more has ended, or is ended below.
            let _ = tokio::time::timeout_at(until, door.orders.send(Order::Close)).await;
        }
        for door in &self.inner.doors {
            let worker = door.worker.lock().ok().and_then(|mut held| held.take());
            let Some(mut worker) = worker else { continue };
            if tokio::time::timeout_at(until, &mut worker).await.is_err() {
                worker.abort();
                warn!(
                    "notices by {} were not all delivered before the end",
                    door.name
                );
            }
        }
    }
}

/// The ways that the configuration names, as people call them. No secret is in it.
pub fn ways(config: &Notify, host: &str) -> Vec<String> {
    Way::all(config, host).iter().map(Way::name).collect()
}

/// What became of a notice that was only a test.
#[derive(Debug)]
pub struct Tried {
    /// The way, as people call it.
    pub way: String,
    /// Whether it was delivered.
    pub result: Result<(), Undelivered>,
}

/// Sends a test notice by each way of `config`, once.
pub async fn test(config: &Notify, host: &str, kind: NoticeKind) -> Vec<Tried> {
    let letter = Letter::new(&Item::One(Arc::new(Notice::trial(kind))), host);
    let mut tried = Vec::new();
    for way in Way::all(config, host) {
        let result = way.deliver(&letter).await;
        tried.push(Tried {
            way: way.name(),
            result,
        });
    }
    tried
}

/// The name of this host, `localhost` where it has none.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname().ok();
    name.and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
