//! The FastAGI server of the dial plan.

use std::net::{Ipv4Addr, SocketAddr};

use super::address::AddressRange;

/// The port of FastAGI.
const PORT: u16 = 4573;

/// The FastAGI server: `[agi]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agi {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may ask, besides this host's loopback.
    pub from: Vec<AddressRange>,
    /// Host names in lower case, none twice, at most 64: who says in From to be one of them must come from its
    /// addresses.
    pub names: Vec<String>,
}

impl Default for Agi {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, PORT).into(),
            from: Vec::new(),
            names: Vec::new(),
        }
    }
}
