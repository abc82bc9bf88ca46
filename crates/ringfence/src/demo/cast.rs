//! Who takes part, by source address, and what became of their packets.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ringfence_core::reason::{Action, Reason};
use serde::Serialize;

/// A sender of the capture, and what befell it.
#[derive(Debug, Serialize)]
pub struct Player {
    /// Who it is.
    pub who: &'static str,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it sends.
    pub sends: &'static str,
    /// Whether its packets are wanted at the PBX.
    pub wanted: bool,
    /// Packets sent.
    pub sent: u64,
    /// Packets that reached the PBX.
    pub passed: u64,
    /// Packets that did not.
    pub dropped: u64,
    /// Packets by the name of the kernel's reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

impl Player {
    fn new(address: [u8; 4], who: &'static str, sends: &'static str, wanted: bool) -> Self {
        Self {
            who,
            address: address.into(),
            sends,
            wanted,
            sent: 0,
            passed: 0,
            dropped: 0,
            reasons: BTreeMap::new(),
        }
    }

    /// Counts a packet: what the kernel counted it as, and whether it reached the PBX.
    pub fn count(&mut self, reason: Reason, arrived: bool) {
        self.sent += 1;
        *if arrived {
            &mut self.passed
        } else {
            &mut self.dropped
        } += 1;
        *self.reasons.entry(reason.name()).or_default() += 1;
    }

    /// The reasons, the most frequent first.
    pub fn why(&self) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let words: Vec<String> = reasons
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        words.join(", ")
    }
}

/// Everybody of the capture, in the order that they are shown.
pub fn players() -> Vec<Player> {
    vec![
        Player::new(
            [198, 51, 100, 20],
            "desk phone",
            "REGISTER and OPTIONS",
            true,
        ),
        Player::new(
            [198, 51, 100, 21],
            "softphone",
            "REGISTER, keep-alives, STUN",
            true,
        ),
        Player::new(
            [203, 0, 113, 66],
            "scanner",
            "OPTIONS as friendly-scanner",
            false,
        ),
        Player::new(
            [203, 0, 113, 80],
            "password guesser",
            "REGISTER to the address",
            false,
        ),
        Player::new(
            [203, 0, 113, 200],
            "toll fraudster",
            "INVITE from afar",
            false,
        ),
        Player::new([192, 0, 2, 77], "administrator", "SYN to port 22", true),
    ]
}

/// The source of a plain IPv4 packet behind an Ethernet header.
pub fn source(frame: &[u8]) -> Option<Ipv4Addr> {
    let ip = frame.get(14..)?;
    let is_ipv4 = frame.get(12..14)? == [0x08, 0x00];
    let octets: [u8; 4] = *ip.get(12..)?.first_chunk()?;
    is_ipv4.then(|| octets.into())
}

/// Whether the kernel's reason says that the packet reaches the PBX.
pub fn passes(reason: Reason) -> bool {
    reason.action() == Action::Pass
}
