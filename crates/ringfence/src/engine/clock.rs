//! The kernel's clocks, and the system's randomness.

use std::io::Read;

use nix::time::{ClockId, clock_gettime};
use ringfence_core::hash::Key;

use super::FenceError;

fn clock(id: ClockId) -> Result<u64, FenceError> {
    let time = clock_gettime(id).map_err(|error| FenceError::System {
        what: "clock",
        source: error.into(),
    })?;
    Ok(time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
}

/// Boot time in ns: it runs on while the machine sleeps.
pub fn boot_time() -> Result<u64, FenceError> {
    clock(ClockId::CLOCK_BOOTTIME)
}

/// Boot time less monotonic time, in ns.
pub fn boot_offset() -> Result<u64, FenceError> {
    let monotonic = clock(ClockId::CLOCK_MONOTONIC)?;
    Ok(boot_time()?.saturating_sub(monotonic))
}

/// A random key.
pub fn random_key() -> Result<Key, FenceError> {
    let mut bytes = [[0; 8]; 2];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(bytes.as_flattened_mut()))
        .map_err(|source| FenceError::System {
            what: "randomness",
            source,
        })?;
    Ok(Key {
        words: bytes.map(u64::from_ne_bytes),
    })
}
