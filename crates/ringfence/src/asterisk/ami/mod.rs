//! The Asterisk Manager Interface (AMI): blocks of `Key: value` lines over TCP.

mod framing;
mod message;

pub use framing::{Framed, Framing};
pub use message::{Kind, Message};
