//! The Asterisk Gateway Interface over TCP (FastAGI): the dial plan asks who a caller is before it answers.
//!
//! What Asterisk sends holds text of the caller, line ends included: `%0d%0a` in the user of a From header comes out as
//! lines of `agi_callerid`. So a caller can put lines into the block that opens a session, or end it early, so that the
//! rest reads like answers. Nothing of that decides: the address is asked for with a random mark that its answer bears.

mod environment;
mod judge;
mod lines;
mod peer;
mod reply;
mod server;
mod session;
#[cfg(test)]
mod tests;

pub use judge::{Judge, Verdict};
pub use server::{Counts, Server};
