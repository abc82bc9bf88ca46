//! What the commands and their guest programs share: frames, and a wire to put them on.

pub mod frames;
pub mod wire;
