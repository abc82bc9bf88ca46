//! Asks Asterisk over a connection of its own.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::timeout;

use crate::asterisk::ami::{Heard, Settings, connect};
use crate::asterisk::inventory::{Inventory, gather};
use crate::config::Config;

/// For how long a connection is waited for.
const CONNECTED: Duration = Duration::from_secs(15);

/// Where Asterisk is, by the configuration.
pub(super) fn settings(config: &Config) -> anyhow::Result<Settings> {
    let Some(asterisk) = &config.asterisk else {
        bail!(
            "the configuration has no section [asterisk], which says how Asterisk is asked; `ringfence asterisk manager` \
             prints one"
        );
    };
    Ok(Settings {
        address: asterisk.ami.clone(),
        user: asterisk.user.clone(),
        secret: asterisk.secret.read()?,
    })
}

/// What Asterisk has.
pub(super) async fn inventory(settings: Settings) -> anyhow::Result<Inventory> {
    let address = settings.address.clone();
    let (link, mut heard) = connect(settings);
    let up = timeout(CONNECTED, heard.recv()).await;
    match up {
        Ok(Some(Heard::Down { why })) => bail!("{why}"),
        Ok(Some(_)) => {}
        Ok(None) | Err(_) => bail!(
            "Asterisk at {address} does not answer; see whether manager.conf enables it there"
        ),
    }
    // Events that come meanwhile are let go; a connection that is lost ends the wait.
    let events = async {
        while let Some(heard) = heard.recv().await {
            if let Heard::Down { why } = heard {
                return why;
            }
        }
        "the connection ended".to_owned()
    };
    tokio::select! {
        inventory = gather(&link) => inventory.context("Asterisk cannot be asked for its endpoints"),
        why = events => bail!("{why}"),
    }
}
