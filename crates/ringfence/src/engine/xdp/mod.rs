//! The judge in the kernel: the XDP program, its maps, and where they are pinned.

mod attach;
mod charge;
mod clock;
mod egress;
mod error;
mod fence;
mod forgive;
mod layout;
mod memory;
mod pins;
mod raw;
mod upgrade;

pub use attach::Attached;
pub use clock::{boot_time, check_privilege};
pub use error::FenceError;
pub use fence::{Counts, Fence, Lists};
pub use pins::Pins;
pub use raw::readiness;
pub use upgrade::{Fate, Inherited};

#[cfg(test)]
mod tests;
