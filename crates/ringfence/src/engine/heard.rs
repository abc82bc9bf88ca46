//! What a judge tells the daemon.

use std::io;
use std::marker::PhantomData;

use aya::maps::{MapData, RingBuf};
use ringfence_core::event::Event;
use ringfence_core::trust::Lesson;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Receiver;
use zerocopy::FromBytes;

/// How many are taken at a time, so that whoever listens has other turns in a flood.
const AT_A_TIME: usize = 256;

/// What a judge tells.
pub struct Heard {
    /// Of packets that were dropped, or would have been.
    pub events: Stream<Event>,
    /// Of what was learned.
    pub lessons: Stream<Lesson>,
}

/// Values in the order in which they were told.
pub struct Stream<T> {
    from: From<T>,
}

enum From<T> {
    Ring(Box<AsyncFd<RingBuf<MapData>>>, PhantomData<T>),
    Channel(Receiver<T>),
}

impl<T> Stream<T> {
    /// What the kernel writes to a ring. Needs the runtime of tokio.
    pub fn ring(ring: AsyncFd<RingBuf<MapData>>) -> Self {
        let from = From::Ring(Box::new(ring), PhantomData);
        Self { from }
    }

    /// What threads send.
    pub fn channel(channel: Receiver<T>) -> Self {
        let from = From::Channel(channel);
        Self { from }
    }
}

impl<T: FromBytes> Stream<T> {
    /// The next values, 256 at most: waits until there is one. Nothing is lost when the future is dropped. Never ready
    /// again once the threads have ended.
    pub async fn some(&mut self) -> io::Result<Vec<T>> {
        let mut values = Vec::new();
        match &mut self.from {
            From::Ring(ring, _) => {
                let mut ready = ring.readable_mut().await?;
                while values.len() < AT_A_TIME {
                    let Some(item) = ready.get_inner_mut().next() else {
                        ready.clear_ready();
                        break;
                    };
                    values.extend(T::read_from_bytes(&item).ok());
                }
            }
            From::Channel(channel) => {
                if channel.recv_many(&mut values, AT_A_TIME).await == 0 {
                    std::future::pending::<()>().await;
                }
            }
        }
        Ok(values)
    }
}
