//! The judge in the kernel: the XDP program, its maps, and where they are pinned.

mod attach;
mod egress;
mod engine;
mod fence;
mod layout;
mod mapping;
mod memory;
mod pins;
mod raw;
mod tables;
mod upgrade;

pub use super::FenceError;
pub use fence::{FEEDS, Fence, feed_table};
pub use mapping::Mapping;
pub use pins::Pins;
pub use upgrade::{Fate, Inherited};

#[cfg(test)]
mod tests;
