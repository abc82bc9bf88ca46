//! The first configuration of a host: what listens here, who administers it, and a file that fits.
//!
//! [`Facts`] are what was found, [`Wishes`] what was asked for, [`Plan`] what comes of both, and [`file`] the text of it.
//! Nothing here asks anybody or attaches anything; [`save`] alone writes, and only the file that it is given.

mod asterisk;
mod conf;
mod facts;
mod plan;
mod save;
mod sockets;
mod text;
mod wishes;

use std::net::IpAddr;

pub use asterisk::{Configured, configured};
pub use facts::{Facts, SECRET};
pub use plan::{Offer, Permit, Plan};
pub use save::{Saved, save};
pub use sockets::{Heard, heard};
pub use text::file;
pub use wishes::{Trunk, Wishes, countries, domains, mail, trunk};

use crate::config::{Kind, Protocol};

/// A port where this host takes calls, or where something else listens that is worth a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// What is spoken there.
    pub kind: Kind,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The one address that it is bound to; none for all.
    pub address: Option<IpAddr>,
    /// How it is known: a program, a file, or both.
    pub why: String,
}

impl Bind {
    /// What makes two binds the same.
    fn key(&self) -> (Kind, Protocol, u16, Option<IpAddr>) {
        (self.kind, self.protocol, self.port, self.address)
    }

    /// Whether only this host itself reaches it.
    fn is_local(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }
}
