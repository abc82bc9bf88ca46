//! Ringfence as it is installed: with the privileges of its unit and no more, and from its package.

mod capabilities;
mod package;
mod unit;

use std::net::{IpAddr, SocketAddr};

use ringfence_lab::{Lab, PacketCounter};

/// Phones are British, attackers Russian.
const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.255,RU
";

/// Counts SIP from this address that reaches the host behind the fence.
fn passed(lab: &Lab, from: IpAddr) -> PacketCounter {
    lab.count_packets(&lab.pbx, "eth0", move |packet| {
        !packet.outgoing && packet.src == from && packet.has_port(5060)
    })
    .unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
