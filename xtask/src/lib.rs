//! What the commands and the guest's program share: frames, a wire to put them on, and the system call `bpf`.

pub mod bpf;
pub mod frames;
pub mod wire;
