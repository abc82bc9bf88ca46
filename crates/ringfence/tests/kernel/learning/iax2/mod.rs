//! The same for IAX2, which shares its peers with SIP.

pub mod frame;
pub mod line;
mod story;
