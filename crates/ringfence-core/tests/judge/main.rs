//! The order of judgement, packet by packet.

#[path = "../bench/mod.rs"]
mod bench;
mod headers;
mod rates;
mod sip;
mod streams;
