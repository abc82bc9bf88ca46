//! The guarded interfaces, which come and go.

use anyhow::Result;
use ringfence_core::control::Interface as Place;
use ringfence_core::packet::Link;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::state::Daemon;
use crate::engine::{Attached, Engine, FenceError};
use crate::net::{Interface, LinkType, XdpMode};

const NOT_THERE: &str = "not there";

/// A guarded interface.
#[derive(Debug, Clone)]
pub struct Guarded {
    pub(super) name: String,
    /// The index of the interface that the program is attached to.
    attached: Option<u32>,
    /// How it is attached, or why it is not.
    how: String,
    /// Why nothing that the interface sends is seen, where it is so.
    unseen: Option<String>,
}

impl Guarded {
    /// One that the program is not attached to yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            attached: None,
            how: String::new(),
            unseen: None,
        }
    }

    /// Attaches the programs to the interface that was found under the name, where they are not.
    fn attach(
        &mut self,
        fence: &mut dyn Engine,
        found: Option<&Interface>,
    ) -> Result<(), FenceError> {
        let name = &self.name;
        let Some(found) = found else {
            if self.how != NOT_THERE {
                warn!("the interface {name} is not there; it is guarded as soon as it comes");
            }
            self.attached = None;
            self.how = NOT_THERE.into();
            return Ok(());
        };
        if self.attached != Some(found.index) {
            self.attached = None;
            self.how = match fence.attach(name, found.index) {
                Ok(attached) => how(&attached, found),
                Err(error) => {
                    self.how = error.to_string();
                    return Err(error);
                }
            };
            self.attached = Some(found.index);
            info!("guarding {name} ({})", self.how);
        } else if self.unseen.is_none() {
            return Ok(());
        }
        let unseen = fence.attach_egress(name, found.index).err();
        let unseen = unseen.map(|error| error.to_string());
        if let Some(why) = &unseen
            && self.unseen != unseen
        {
            warn!("what {name} sends is not seen, so a dropped connection may be reset: {why}");
        }
        self.unseen = unseen;
        Ok(())
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let Self { name, how, .. } = self;
        match (self.attached, &self.unseen) {
            (None, _) => format!("{name} NOT guarded: {how}"),
            (Some(_), None) => format!("{name} guarded: {how}"),
            (Some(_), Some(why)) => format!(
                "{name} guarded: {how}; what it sends is NOT seen, so a dropped connection may be reset: {why}"
            ),
        }
    }

    /// The same for programs.
    pub fn data(&self) -> Value {
        let attached = self.attached.is_some();
        json!({
            "name": self.name, "index": self.attached, "attached": attached, "mode": self.how,
            "egress": attached && self.unseen.is_none(),
        })
    }
}

fn how(attached: &Attached, found: &Interface) -> String {
    let xdp = found.xdp.as_ref();
    match attached {
        Attached::Driver => "driver".to_owned(),
        Attached::Generic { why } => {
            format!("generic, since the driver's mode was refused: {why}")
        }
        Attached::TakenOver if xdp.is_some_and(|xdp| xdp.mode == XdpMode::Generic) => {
            "generic, taken over".to_owned()
        }
        Attached::Queued(first, last) => format!("queued by nftables, {first} to {last}"),
        Attached::TakenOver => "driver, taken over".to_owned(),
    }
}

impl Daemon {
    pub(super) fn place(&self, name: &str) -> Place {
        match self
            .watch
            .interfaces()
            .iter()
            .find(|found| found.name == name)
        {
            // An index that no packet has: the place stays taken while the interface is away.
            None => Place {
                index: u32::MAX,
                link: Link::Ethernet as u32,
            },
            Some(found) => {
                let raw = found.link_type == LinkType::RawIp;
                Place {
                    index: found.index,
                    link: if raw { Link::RawIp } else { Link::Ethernet } as u32,
                }
            }
        }
    }

    /// Follows interfaces that came and went.
    pub fn stand(&mut self) -> Result<()> {
        let names = self.guarded.iter().map(|known| &known.name);
        let places: Vec<_> = names.map(|name| self.place(name)).collect();
        self.fence.guard(&places, self.config.events_per_second)?;
        self.attach()
    }

    /// Attaches wherever it is not, and detaches where it no longer should be. An error is that of the first interface
    /// that could not be guarded.
    pub fn attach(&mut self) -> Result<()> {
        for name in self.fence.attached() {
            if !self.guarded.iter().any(|known| known.name == name) {
                info!("{name} is no longer guarded");
                self.fence.detach(&name)?;
            }
        }
        let mut failed = None;
        for known in &mut self.guarded {
            let interfaces = self.watch.interfaces();
            let found = interfaces.iter().find(|found| found.name == known.name);
            // The others are guarded all the same.
            if let Err(error) = known.attach(&mut *self.fence, found) {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}
