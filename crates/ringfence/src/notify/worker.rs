//! What goes on behind each way: notices are taken all the while, and delivered one after the other.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::letter::Letter;
use super::notice::Notice;
use super::pace::{Item, Pace};
use super::way::{Undelivered, Way};

/// How long is waited before each further try.
pub(super) const PAUSES: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];

/// What a worker is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Tell this.
    Tell(Arc<Notice>),
    /// Deliver what there is and end.
    Close,
}

/// The worker behind one way.
#[derive(Debug)]
pub(super) struct Worker {
    pub way: Way,
    pub host: String,
    pub inbox: Inbox,
    /// How long to wait before each further try.
    pub pauses: Vec<Duration>,
    /// Whether the last delivery succeeded; nothing is told twice in the log.
    pub works: bool,
}

/// What comes in, sorted.
#[derive(Debug)]
pub(super) struct Inbox {
    pub orders: mpsc::Receiver<Order>,
    /// Notices that found no room in the channel.
    pub lost: Arc<AtomicU64>,
    pub pace: Pace,
    /// Whether more can come.
    pub open: bool,
}

impl Worker {
    /// Works until it is closed, or nobody is left to tell it anything.
    pub(super) async fn run(mut self) {
        loop {
            let lost = self.inbox.lost.swap(0, Ordering::Relaxed);
            self.inbox.pace.lost(lost, Instant::now());
            match self.inbox.next() {
                Some(item) => self.send(item).await,
                None if self.inbox.open => self.inbox.wait().await,
                None => return,
            }
        }
    }

    async fn send(&mut self, item: Item) {
        let letter = Letter::new(&item, &self.host);
        match self.persist(&letter).await {
            Ok(()) if self.works => {}
            Ok(()) => {
                self.works = true;
                info!("notices by {} are delivered again", self.way.name());
            }
            Err(error) => {
                let name = self.way.name();
                if !self.inbox.open {
                    warn!("a notice by {name} was not delivered before the end: {error}");
                    return;
                }
                if self.works {
                    self.works = false;
                    warn!(
                        "notices by {name} are not delivered: {error}; they are summed up until they are. Try it with \
                         `ringfence notify test`"
                    );
                }
                self.inbox.pace.undelivered(item, Instant::now());
            }
        }
    }

    /// Tries until it is delivered or not worth while; a way that failed before is tried once.
    async fn persist(&mut self, letter: &Letter) -> Result<(), Undelivered> {
        let pauses = if self.works {
            self.pauses.clone()
        } else {
            Vec::new()
        };
        let mut pauses = pauses.into_iter();
        loop {
            let delivery = self.way.deliver(letter);
            let error = match self.inbox.attend(delivery).await {
                Err(error) if error.again && self.inbox.open => error,
                result => return result,
            };
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            self.inbox.pause(pause).await;
        }
    }
}

impl Inbox {
    fn next(&mut self) -> Option<Item> {
        match self.pace.next(Instant::now()) {
            // At the end the digest is not waited for.
            None if !self.open => self.pace.rest(),
            next => next,
        }
    }

    fn take(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Tell(notice)) => self.pace.take(notice, Instant::now()),
            Some(Order::Close) | None => self.open = false,
        }
    }

    /// Waits for an order, or for the digest to be due.
    async fn wait(&mut self) {
        let due = self.pace.due();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            order = self.orders.recv() => self.take(order),
            () = due => {}
        }
    }

    /// Takes orders while something else goes on.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                order = self.orders.recv(), if self.open => self.take(order),
            }
        }
    }

    /// Takes orders for a while, at the end for no longer than it takes to hear of it.
    async fn pause(&mut self, time: Duration) {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        while self.open {
            tokio::select! {
                () = &mut over => return,
                order = self.orders.recv() => self.take(order),
            }
        }
    }
}
