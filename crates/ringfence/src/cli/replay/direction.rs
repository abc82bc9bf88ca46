//! Which packets of a capture the host sent that the fence stands before.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;

use ringfence_core::address::Address;
use ringfence_core::class::Class;
use ringfence_core::packet::{Link, protocol};
use ringfence_core::policy::Policy;
use ringfence_core::verdict::Verdict;

use super::ends::ends;
use super::frame;
use crate::capture::Capture;
use crate::tables;

/// Peers of one address beyond which no more are counted.
const PEERS: usize = 1000;

/// The host of a capture.
#[derive(Debug, clap::Args)]
pub struct Host {
    /// An address of the host that the fence stands before; repeat it for each
    ///
    /// What comes from one of them is not judged: the host sent it, and it is learned from.
    /// Without it, of a packet's two ends that one is the host to whose SIP and IAX2 services more
    /// addresses sent requests in the whole capture; between two with as many, a packet is judged.
    /// A capture from a pipe is read only once: name its host.
    #[arg(long = "host", value_name = "ADDRESS")]
    addresses: Vec<IpAddr>,
}

/// How packets that the host sends are told from those that it receives.
pub(in crate::cli) enum Direction {
    /// By its addresses.
    Named(HashSet<Address>),
    /// By those who sent requests to each address.
    Found(HashMap<Address, HashSet<Address>>),
}

impl Direction {
    /// By the addresses that were named; else by what the capture shows, where it is a file that
    /// can be read twice. Where that is damaged, the first part of it is what is looked at.
    pub(in crate::cli) fn new(host: &Host, file: &Path, policy: &Policy) -> Self {
        if !host.addresses.is_empty() {
            let addresses = host.addresses.iter().map(|ip| tables::address(*ip));
            return Self::Named(addresses.collect());
        }
        let mut asked = HashMap::new();
        if file.is_file()
            && let Ok(mut capture) = Capture::open(file)
        {
            while let Some(Ok(packet)) = capture.next_packet() {
                let (link, bytes) = frame(&packet);
                if let Some(ends) = ends(link, bytes)
                    && asks(policy, &ends)
                {
                    let peers: &mut HashSet<_> = asked.entry(ends.destination).or_default();
                    if peers.len() < PEERS {
                        peers.insert(ends.source);
                    }
                }
            }
        }
        Self::Found(asked)
    }

    /// The ends of a frame that the host sends.
    pub(in crate::cli) fn leaves(&self, link: Link, bytes: &[u8]) -> Option<Verdict> {
        let ends = ends(link, bytes)?;
        let leaves = match self {
            Self::Named(addresses) => addresses.contains(&ends.source),
            Self::Found(asked) => {
                let peers = |of| asked.get(&of).map_or(0, HashSet::len);
                peers(ends.source) > peers(ends.destination)
            }
        };
        leaves.then_some(ends)
    }
}

/// Whether a packet goes to a service that carries calls, and is no response.
fn asks(policy: &Policy, ends: &Verdict) -> bool {
    let ports = match ends.protocol {
        protocol::UDP => &policy.udp,
        protocol::TCP => &policy.tcp,
        _ => return false,
    };
    let number = ports[ends.destination_port as usize];
    let service = policy.service(number);
    number != 0 && service.kind().carries_calls() && ends.class != Class::Response as u8
}
