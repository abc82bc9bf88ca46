//! The judge of Ringfence.
#![no_std]
#![forbid(unsafe_code)]

pub mod automaton;
