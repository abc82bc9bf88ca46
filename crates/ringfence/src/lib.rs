//! The daemon and the command line of Ringfence.

/// Autonomous systems: whose network an address is in.
pub mod asn;
/// Asterisk beside the packets: its manager interface, its logs and its dial plan.
pub mod asterisk;
/// Packet captures, read and written.
pub mod capture;
/// The command line.
pub mod cli;
/// Other firewalls on this host.
pub mod coexist;
/// The configuration file.
pub mod config;
/// How the command line and the daemon speak.
pub mod control;
/// Country data: sources, ranges and the table of the judge.
pub mod country;
/// The daemon.
pub mod daemon;
/// The demonstration in network namespaces of its own.
pub mod demo;
/// The places that judge packets.
pub mod engine;
/// Threat lists that others keep.
pub mod feeds;
/// Downloads over HTTP.
pub mod fetch;
/// Toll fraud: calls beyond what an endpoint usually makes.
pub mod fraud;
/// The firewall of the whole host, in nftables.
pub mod host;
/// Installation without packages, and the files that packages are made of.
pub mod install;
/// Logs of telephone systems.
pub mod logs;
/// The kernel's view of the network, over netlink.
pub mod net;
/// nftables: the one door to it.
pub mod nft;
/// Notices to people: by e-mail, webhook and command.
pub mod notify;
/// What the policy says of an address, asked of the judge.
pub mod opinion;
/// What the process may do.
pub mod privilege;
/// Host names and their addresses.
pub mod resolve;
/// The first configuration of a host.
pub mod setup;
/// Bans and counts for others.
pub mod share;
/// Signatures of scanners and attack tools.
pub mod signature;
/// What must last: operator lists, countries, bans and trust, in SQLite.
pub mod store;
/// Packets as a source might send them, made to ask the judge.
pub mod synthesis;
/// From the configuration to what the judge reads.
pub mod tables;
/// Text on its way to a terminal.
pub mod terminal;
/// Who belongs and who does not, over time.
pub mod trust;
