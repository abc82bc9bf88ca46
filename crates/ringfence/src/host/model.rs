//! The rules as a model: what nftables, people and the lock-out check read.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::config::Protocol;

/// The name of the table, of the family `inet`.
pub const TABLE: &str = "ringfence_host";
/// The set of the TCP sessions that are up; the number of a family follows.
pub(super) const UP: &str = "up";
/// Bytes of a packet that a copy has at most.
pub(super) const SNAPLEN: u32 = 4096;
/// The chain that sees what is for this host.
pub const INPUT: &str = "input";
/// The chain that sees what is forwarded.
pub const FORWARD: &str = "forward";

/// A table of its own, and all in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset {
    /// Named counters.
    pub counters: Vec<String>,
    /// The TCP sessions that are up, each once: the connection tracking may know nothing of them yet.
    pub sessions: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Named sets of addresses.
    pub sets: Vec<AddressSet>,
    /// Sets whose elements come and go while the rules stand, and end by themselves.
    pub live: Vec<LiveSet>,
    /// Chains; one that another jumps to stands before it.
    pub chains: Vec<Chain>,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// As names end with it.
    pub fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

/// First and last address of a range, of one family.
pub type Range = (IpAddr, IpAddr);

/// A named set of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSet {
    /// Its name.
    pub name: String,
    /// The family of its addresses.
    pub family: Family,
    /// Ascending ranges that neither overlap nor touch.
    pub ranges: Vec<Range>,
    /// What it holds, for people.
    pub comment: String,
    /// Whether it holds countries, and is long.
    pub countries: bool,
}

/// A set that the daemon fills: addresses, or addresses with a port each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSet {
    /// Its name; the number of the family follows.
    pub name: &'static str,
    /// The family of its addresses.
    pub family: Family,
    /// Whether a port belongs to each.
    pub ports: bool,
    /// Elements that it has room for.
    pub room: u32,
    /// What it holds, for people.
    pub comment: &'static str,
}

/// A chain of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where the kernel calls it; None for one that others jump to.
    pub base: Option<Base>,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// Where the kernel calls a chain, and what holds at its end. Its priority is that of filters (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// The hook.
    pub hook: Hook,
    /// Whether what gets to its end is dropped.
    pub drop: bool,
}

/// A hook of netfilter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// What is for this host.
    Input,
    /// What passes through it.
    Forward,
}

/// A rule: what a packet must be, and what becomes of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All of them must hold.
    pub matches: Vec<Match>,
    /// The named counter that counts what they hold for.
    pub counter: Option<String>,
    /// What becomes of it.
    pub action: Action,
    /// Why, for people: at most 100 bytes, without quotation marks.
    pub comment: String,
}

/// What a packet must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Of this family.
    Family(Family),
    /// Come in by this interface.
    Interface(String),
    /// Of a TCP session that was up when the rules were made, from its other end.
    Up(Family),
    /// In one of these states of the connection tracking.
    State(Vec<State>),
    /// From or to one of these addresses.
    Address(End, Addresses),
    /// From an address and a UDP port that the live set of this name holds together.
    Stream(&'static str, Family),
    /// Longer than so many bytes, the IP header included.
    Longer(u16),
    /// From or to one of these ports, both ends of a range included.
    Port(End, Protocol, Vec<(u16, u16)>),
    /// ICMP of IPv4 or ICMPv6, of one of these types (IANA's numbers).
    Icmp(Family, Vec<u8>),
    /// With this hop limit (IPv6).
    HopLimit(u8),
    /// To many: broadcast or multicast.
    ToMany,
    /// Within so many a second, so many at once.
    Rate(u32, u32),
}

/// The end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

/// Addresses of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Those of a named set.
    Set(String, Family),
    /// These; never empty, of one family.
    These(Family, Vec<Range>),
}

impl Addresses {
    /// Their family.
    pub fn family(&self) -> Family {
        match self {
            Self::Set(_, family) | Self::These(family, _) => *family,
        }
    }
}

/// A state of the connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Part of a known connection.
    Established,
    /// Of a known connection, such as an ICMP error.
    Related,
    /// Of no connection that it could be of.
    Invalid,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Related => "related",
            Self::Invalid => "invalid",
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It passes this table.
    Accept,
    /// It is gone.
    Drop,
    /// It is gone, and its sender hears that this is administratively prohibited: ICMP type 3 code 13, ICMPv6 type 1
    /// code 1.
    Reject,
    /// Another chain decides; where it does not, the next rule is asked.
    Jump(String),
    /// Another chain decides.
    Goto(String),
    /// Programs that hold this group of netfilter's log get a copy; the next rule is asked.
    Copy(u16),
}
