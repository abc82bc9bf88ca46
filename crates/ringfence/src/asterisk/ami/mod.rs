//! The Asterisk Manager Interface (AMI): blocks of `Key: value` lines over TCP.

mod action;
mod client;
mod error;
mod framing;
mod gather;
mod login;
mod message;
mod reach;
mod session;
mod shape;
mod sieve;

pub use action::Action;
pub use client::{Heard, Link, Settings, Timing, connect, connect_timed};
pub use error::AskError;
pub use framing::{Framed, Framing};
pub use login::{EVENT_MASK, FILTERS};
pub use message::{Kind, Message};
pub use reach::reach;
pub use sieve::{Sieve, Sifted, TICK};
