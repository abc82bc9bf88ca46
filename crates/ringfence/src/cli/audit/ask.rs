//! Asks Asterisk over a connection of its own.

use anyhow::{Context, anyhow, bail};

use crate::asterisk::ami::{Settings, reach};
use crate::asterisk::inventory::{Inventory, gather};
use crate::config::Config;

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
    let gathered = reach(settings, async |link, _| gather(&link).await).await;
    gathered
        .map_err(|why| anyhow!(why))?
        .context("Asterisk cannot be asked for its endpoints")
}
