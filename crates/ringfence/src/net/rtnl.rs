//! A conversation with rtnetlink that ends when its owner is dropped.

use rtnetlink::Handle;
use tokio::task::JoinHandle;

use super::NetError;

/// Holds the task that moves messages between socket and handle.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) handle: Handle,
    task: JoinHandle<()>,
}

impl Conversation {
    pub(super) fn open() -> Result<Self, NetError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|source| NetError::Socket {
                what: "interfaces and routes",
                source,
            })?;
        Ok(Self {
            handle,
            task: tokio::spawn(connection),
        })
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.task.abort();
    }
}
