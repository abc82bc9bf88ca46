//! What is done where an endpoint calls as no phone of its does.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use ringfence_core::bench::Cause;
use tracing::warn;

use super::bans::Source;
use super::removal::What;
use super::state::Daemon;
use crate::asterisk::ami::Action;
use crate::asterisk::inventory::Technology;
use crate::config::{FraudAction, Mode};
use crate::fraud::Alarm;
use crate::notify::{Notice, NoticeKind};
use crate::store::Name;
use crate::tables;

impl Daemon {
    /// Does what is configured about an alarm.
    pub(super) fn alarm(&mut self, alarm: &Alarm) -> Result<()> {
        let shadow = alarm.shadow || self.config.mode == Mode::Shadow;
        let first = alarm
            .action
            .iter()
            .any(|action| *action != FraudAction::Hangup);
        if first || shadow {
            let done = if shadow {
                " (shadow: nothing is done)"
            } else {
                ""
            };
            let text = format!("{alarm}{done}");
            warn!("{text}");
            self.notify(Notice::new(NoticeKind::Fraud, &text));
        }
        if shadow {
            return Ok(());
        }
        for action in &alarm.action {
            match action {
                FraudAction::Tell => {}
                FraudAction::Hangup => self.hang_up(&alarm.channel),
                FraudAction::Ban => self.ban_endpoint(&alarm.endpoint)?,
                FraudAction::Remove => {
                    if let Some((technology, name)) = named(&alarm.endpoint) {
                        self.remove_contact(technology, name, What::All);
                    }
                }
            }
        }
        Ok(())
    }

    fn hang_up(&self, channel: &str) {
        let Some(held) = &self.beside.asterisk else {
            return;
        };
        let hangup = Action::new("Hangup")
            .with("Channel", channel)
            // Call rejected (ITU-T Q.850).
            .with("Cause", "21");
        let (link, channel) = (held.link.clone(), Name::new(channel));
        tokio::spawn(async move {
            if let Err(error) = link.ask(hangup).await {
                warn!("{channel} is not hung up: {error}");
            }
        });
    }

    /// Bans where an endpoint's packets come from: its port, where other phones are behind the same address.
    fn ban_endpoint(&mut self, endpoint: &str) -> Result<()> {
        let Some((_, account)) = named(endpoint) else {
            return Ok(());
        };
        let name = Name::new(account);
        let Some((address, port)) = self.source_of_account(account) else {
            warn!("{name} is not banned: where its packets come from is not known");
            return Ok(());
        };
        if self.is_spared(address) {
            warn!("{name} is not banned: {address} is listed");
            return Ok(());
        }
        let standing = self.fence.standing(tables::address(address))?;
        let shared = standing.is_some_and(|standing| standing.accounts > 1);
        let whom = Source {
            port: port.filter(|_| shared),
            ..Source::of(address)
        };
        if shared && whom.port.is_none() {
            warn!("{name} is not banned: others are behind {address}, and its port is not known");
            return Ok(());
        }
        let note = format!("calls of {name} looked like toll fraud");
        self.ban_for(whom, Cause::Manual, true, note)
    }

    /// Where an account's packets come from: by its last accepted credentials, else as it was last registered.
    fn source_of_account(&self, account: &str) -> Option<(IpAddr, Option<u16>)> {
        let day = Duration::from_secs(86_400);
        if let Some(auth) = self.asterisk.auths.last(account, day, Instant::now()) {
            return Some((auth.source.ip().to_canonical(), Some(auth.source.port())));
        }
        let name = Name::new(account);
        let rows = self.trust.known.registrations.values();
        let last = rows
            .filter(|row| row.name == name)
            .max_by_key(|row| row.until)?;
        Some((last.address, Some(last.port)))
    }
}

/// The channel driver and the name of an endpoint such as `PJSIP/1001`.
fn named(endpoint: &str) -> Option<(Technology, &str)> {
    let (driver, name) = endpoint.split_once('/')?;
    let all = [Technology::Pjsip, Technology::Sip, Technology::Iax2];
    let of = all.into_iter().find(|of| of.name() == driver)?;
    Some((of, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_named_as_its_channels_are() {
        assert_eq!(named("PJSIP/1001"), Some((Technology::Pjsip, "1001")));
        assert_eq!(named("IAX2/a/b"), Some((Technology::Iax2, "a/b")));
        assert_eq!(named("Local/100@default"), None);
        assert_eq!(named("1001"), None);
    }
}
