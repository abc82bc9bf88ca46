//! The host's firewall.

use super::port::PortRange;

/// The host's firewall: `[host]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFirewall {
    /// Whether the daemon keeps it. If not, nothing of nftables is touched.
    pub enable: bool,
    /// What becomes of what nothing admits.
    pub refuse: Refuse,
    /// The UDP ports of media that anyone may send to, or with `pinholes` who has a part in it.
    pub rtp: Option<PortRange>,
    /// Whether only who has a part in a call may send media.
    pub pinholes: bool,
}

impl Default for HostFirewall {
    fn default() -> Self {
        Self {
            enable: false,
            refuse: Refuse::Reject,
            rtp: None,
            pinholes: false,
        }
    }
}

super::words::words! {
    /// What becomes of what nothing admits.
    pub enum Refuse {
        /// The sender hears that it is administratively prohibited (ICMP).
        Reject = "reject",
        /// The sender hears nothing.
        Drop = "drop",
    }
}
