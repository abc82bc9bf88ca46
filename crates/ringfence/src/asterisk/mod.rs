//! Asterisk beside the packets: its manager interface, its logs and its dial plan.

pub mod agi;
pub mod ami;
pub mod audit;
pub mod auths;
pub mod differences;
pub mod inventory;
pub mod security;
