//! The judge of Ringfence: a packet and a set of tables in, a verdict out.
//!
//! One source for three places: the kernel (XDP), the daemon, and captures. It allocates nothing,
//! does no I/O and keeps no state of its own; what differs between the places is behind
//! [`bench::Bench`].
#![no_std]
#![forbid(unsafe_code)]

pub mod address;
pub mod automaton;
pub mod bench;
pub mod class;
pub mod control;
pub mod country;
pub mod event;
pub mod feed;
pub mod flow;
pub mod framing;
pub mod hash;
pub mod iax2;
pub mod judge;
pub mod known;
pub mod limit;
pub mod packet;
pub mod policy;
pub mod reason;
pub mod scan;
pub mod search;
pub mod sip;
pub mod tls;
pub mod trust;
pub mod verdict;
