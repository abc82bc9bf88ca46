//! Who belongs: what the judge learns from what comes in and what this host answers.

mod behaviour;
#[path = "../bench/mod.rs"]
mod bench;
mod dialogues;
mod hostile;
mod iax2;
mod refusals;
mod registrations;
mod solicited;
mod story;
