//! Threat lists in the judge's memory: a table that one writes while others judge.
//!
//! See [`ringfence_core::feed`] for how it is read.

mod blocks;
mod table;

pub use blocks::Blocks;
pub use table::{FeedTable, Placed};
