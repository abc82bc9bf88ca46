//! The kernel's programs and the judge over plain memory learn the same from the same packets, in
//! both directions.

mod dice;
mod generated;
mod iax2;
mod message;
mod story;
mod talk;

use std::net::SocketAddr;

use ringfence_core::packet::Link;
use ringfence_core::reason::{Action, Reason};

use crate::{Both, frames};

/// Only addresses of the US are admitted; one user is a decoy.
const LEARNING: &str = r#"
mode      = "enforce"
countries = ["US"]
permit_private = false
tripwires = ["admin", "9000-9099"]

[[trunk]]
name  = "provider"
hosts = ["198.51.100.128/28"]

[[proxy]]
addresses = ["198.51.100.200"]

[[service]]
name  = "sip"
kind  = "sip"
ports = ["udp/5060", "tcp/5060"]
from  = "countries"

[[service]]
name  = "iax"
kind  = "iax2"
ports = ["udp/4569"]
from  = "countries"
"#;

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Udp,
    Tcp,
}

impl Carrier {
    /// A frame with a text.
    fn frame(self, from: SocketAddr, to: SocketAddr, text: &[u8]) -> Vec<u8> {
        match self {
            Carrier::Udp => frames::udp(from, to, text),
            Carrier::Tcp => frames::tcp(from, to, 100, 0x18, text),
        }
    }
}

/// This host's end of what is said with `peer` over SIP.
fn host(peer: SocketAddr) -> SocketAddr {
    let text = if peer.is_ipv4() {
        "192.0.2.10:5060"
    } else {
        "[2001:db8:1::10]:5060"
    };
    crate::at(text)
}

/// The same over IAX2.
fn iax2_host(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(host(peer).ip(), 4569)
}

impl Both {
    /// A text comes in; the reason that both agree on.
    fn hears(&mut self, carrier: Carrier, from: SocketAddr, text: &[u8]) -> Reason {
        self.judge(&carrier.frame(from, host(from), text)).1
    }

    /// This host sends a text.
    fn says(&mut self, carrier: Carrier, to: SocketAddr, text: &[u8]) {
        self.leaves(&carrier.frame(host(to), to, text));
    }

    /// An IAX2 frame comes in; the reason that both agree on.
    fn hears_iax2(&mut self, from: SocketAddr, frame: &[u8]) -> Reason {
        self.judge(&frames::udp(from, iax2_host(from), frame)).1
    }

    /// This host sends an IAX2 frame.
    fn says_iax2(&mut self, to: SocketAddr, frame: &[u8]) {
        self.leaves(&frames::udp(iax2_host(to), to, frame));
    }

    /// A frame leaves; whether both drop it.
    fn leaves(&mut self, frame: &[u8]) -> bool {
        let action = self.memory.judge_leaving(self.now, Link::Ethernet, frame);
        let ran = self.kernel.run_leaving(frame, 1);
        let (dropped, _) = ran.expect("the program runs");
        let text = String::from_utf8_lossy(frame);
        assert_eq!(
            dropped,
            action == Action::Drop,
            "kernel against memory: {text}"
        );
        dropped
    }

    /// Both have learned the same.
    fn tables_are_equal(&self, when: &str) {
        let (kernel, memory) = (&self.kernel, &self.memory);
        let standings = kernel.standings().expect("standings are read");
        assert_eq!(&standings, memory.standings(), "standings {when}");
        let contacts = kernel.contacts().expect("contacts are read");
        assert_eq!(&contacts, memory.contacts(), "contacts {when}");
        let accounts = kernel.accounts().expect("accounts are read");
        assert_eq!(&accounts, memory.accounts(), "accounts {when}");
        let bans = kernel.bans().expect("bans are read");
        assert_eq!(&bans, memory.bans(), "bans {when}");
    }
}
