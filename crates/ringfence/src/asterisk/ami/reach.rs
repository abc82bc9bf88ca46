//! A connection for one command.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::{Heard, Link, Settings, connect};

/// For how long a connection is waited for.
const CONNECTED: Duration = Duration::from_secs(15);

/// Connects once and gives what `work` makes of the link and of the version of Asterisk, which is empty where the user may not
/// ask for it. Events that come meanwhile are let go.
///
/// # Errors
/// Why there is no connection, or none any more, for people: what, where, what to do.
pub async fn reach<T>(
    settings: Settings,
    work: impl AsyncFnOnce(Link, String) -> T,
) -> Result<T, String> {
    let address = settings.address.clone();
    let (link, mut heard) = connect(settings);
    let version = match timeout(CONNECTED, heard.recv()).await {
        Ok(Some(Heard::Up { version })) => version,
        Ok(Some(Heard::Down { why })) => return Err(why),
        _ => {
            return Err(format!(
                "Asterisk at {address} does not answer; see whether manager.conf enables it there"
            ));
        }
    };
    tokio::select! {
        done = work(link, version) => Ok(done),
        why = lost(&mut heard) => Err(why),
    }
}

/// Why the connection was lost, once it is.
async fn lost(heard: &mut Receiver<Heard>) -> String {
    while let Some(heard) = heard.recv().await {
        if let Heard::Down { why } = heard {
            return why;
        }
    }
    "the connection ended".to_owned()
}
