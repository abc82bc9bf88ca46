//! The places that judge: which tables a packet meets, and how its bytes are reached.

pub mod memory;
pub mod trial;
