//! The judge of Ringfence.
#![no_std]
#![forbid(unsafe_code)]

/// Countries: numbers, sets, and the table from address to country.
pub mod country;
