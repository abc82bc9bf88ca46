//! `ringfence trust forget`.

use std::net::IpAddr;

use anyhow::{Context, Result};
use ringfence_core::address::Address;
use ringfence_core::trust::{Contact, ContactKey, Standing};
use serde_json::json;

use super::state::Daemon;
use crate::control::Answer;
use crate::engine::FenceError;
use crate::tables;

impl Daemon {
    /// Forgets an address, until it registers or is asked for something again.
    pub(super) fn forget_trust(&mut self, address: &str) -> Result<Answer> {
        let ip: IpAddr = address
            .parse()
            .with_context(|| format!("`{address}` is not an IP address, such as 192.0.2.7"))?;
        let ip = ip.to_canonical();
        self.sweep_now()?;
        let change = self.trust.known.forget(ip);
        self.store.change_trust(&change)?;
        self.trust.known.note(change);
        let address = tables::address(ip);
        let mut found = self.fence.standing(address)?.is_some();
        self.fence.set_standing(address, None)?;
        let contacts = self.fence.contacts()?;
        for (key, _) in contacts.iter().filter(|(key, _)| key.address == address) {
            found = true;
            self.fence.set_contact(*key, None)?;
        }
        self.forget_net(address, &contacts)?;
        let what = if found {
            "is no longer trusted, until it registers again or answers what this host asks of it"
        } else {
            "was not trusted"
        };
        Ok(Answer::done(
            format!("{ip} {what}"),
            json!({ "address": ip, "forgotten": found }),
        ))
    }

    /// The network of an IPv6 address is as good as the other addresses in it.
    fn forget_net(
        &mut self,
        address: Address,
        contacts: &[(ContactKey, Contact)],
    ) -> Result<(), FenceError> {
        let net = address.subject();
        if net == address {
            return Ok(());
        }
        let others = contacts
            .iter()
            .filter(|(key, _)| key.address != address && key.address.subject() == net);
        let until = others.map(|(_, contact)| contact.until).max();
        if let Some(found) = self.fence.standing(net)? {
            let standing = Standing {
                registered_until: until.unwrap_or(0),
                ..*found
            };
            let left = until.is_some().then_some(&standing);
            self.fence.set_standing(net, left)?;
        }
        Ok(())
    }
}
