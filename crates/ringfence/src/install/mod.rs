//! Putting Ringfence onto a system without its packages, and taking it away again. The packages are made of the same files.

mod files;
mod put;
mod remains;
mod service;

pub use files::{CONFIGURATION, File, Kind, files, man_pages, packaged};
pub use put::{Outcome, copy_program, put, take};
pub use remains::{STATE, drop_tables, remove_runtime, remove_state};
pub use service::{Service, UNIT};
