//! What host names stand for in the policy in force, and in the one to come.

use std::net::IpAddr;

use anyhow::Result;

use super::state::Daemon;
use crate::config::Config;
use crate::net::{self, Route};
use crate::resolve::name_servers;
use crate::store::ListKind;
use crate::tables::Inputs;

impl Daemon {
    /// Takes the names of the configuration in force and of the lists.
    pub(super) fn keep_names(&mut self) -> Result<()> {
        let listed = self.store.listed_names()?;
        self.resolved.keep(&self.config, &listed);
        Ok(())
    }

    /// Looks up the names of the configuration that is to be read next, and waits a moment for them: whoever is permitted
    /// by name alone is not to be told that it shuts them out.
    pub(super) async fn look_ahead(&mut self) {
        // What is wrong with it is told when it is put in force.
        if let Ok(config) = self.options.load() {
            self.resolved.keep_also(&config);
            if self.resolved.begin().await {
                self.store_answers();
            }
        }
    }

    /// Takes the names at the start, with the addresses of the last run until the name servers answer.
    pub(super) async fn begin_names(&mut self) -> Result<()> {
        self.keep_names()?;
        self.resolved.restore(&self.store.answers()?);
        if self.resolved.begin().await {
            self.store_answers();
        }
        Ok(())
    }

    /// Stores what the names stand for, so that the next start knows it before the name servers answer.
    pub(super) fn store_answers(&mut self) {
        if let Err(error) = self.store.put_answers(&self.resolved.answers()) {
            self.complain(&error.into());
        }
    }

    /// What the names stand for in a policy.
    pub(super) fn resolve(&mut self, config: &Config, inputs: &mut Inputs) -> Result<()> {
        inputs.resolved = self.resolved.trunks();
        let said = self.store.listed_names()?;
        let denies =
            !config.deny_names.is_empty() || said.iter().any(|entry| entry.list == ListKind::Deny);
        let needed = match denies {
            true => needed(self.watch.routes()),
            false => Vec::new(),
        };
        inputs.named = self.resolved.named(config, inputs, &said, &needed);
        self.resolved.tell_left_out(&inputs.named);
        Ok(())
    }
}

/// Where this host is managed from and how it finds names and its way: no name may shut these out.
pub(super) fn needed(routes: &[Route]) -> Vec<IpAddr> {
    let ports = net::sshd_ports().unwrap_or_else(|_| vec![22]);
    let mut sessions = net::ssh_sessions(&ports).unwrap_or_default();
    sessions.extend(net::ssh_connection());
    let remote = sessions.iter().map(|session| session.remote.ip());
    let mut needed: Vec<IpAddr> = remote.map(|ip| ip.to_canonical()).collect();
    needed.extend(net::default_gateways(routes));
    needed.extend(name_servers());
    needed
}
