//! The Asterisk Manager Interface (AMI): blocks of `Key: value` lines over TCP.

mod framing;
mod message;
mod shape;
mod sieve;

pub use framing::{Framed, Framing};
pub use message::{Kind, Message};
pub use sieve::{Sieve, Sifted, TICK};
