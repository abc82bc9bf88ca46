//! The places that judge packets.

pub mod xdp;
