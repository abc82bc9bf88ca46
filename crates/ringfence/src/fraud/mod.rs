//! Toll fraud: an endpoint that calls as no phone of its does, because somebody else has its password.
//!
//! Pure: it is fed with the blocks of Asterisk's manager interface and says what is beyond a limit. It connects to
//! nothing and does nothing.
//!
//! A caller can put line ends into its own name, and with them whole blocks into the stream, a `Newchannel` of somebody
//! else among them. Such a block stands behind the beginning of the event that it was put into, in the same moment. So
//! behind an event that was cut off a `Newchannel` counts only once another event of that channel, at another time,
//! shows that it is there.

mod alarm;
mod call;
mod guard;
mod limits;
mod number;
mod premium;
#[cfg(test)]
mod tests;

pub use alarm::{Alarm, Why};
pub use guard::Guard;
pub use premium::Premium;
