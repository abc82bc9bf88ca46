//! The kernel memory that the maps take up.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use aya::maps::MapData;

use super::layout::{EVENTS, LESSONS, MAPS};
use super::{Fence, FenceError};

impl Fence {
    /// Bytes of kernel memory of all maps, as the kernel counts them. One that fills only as it is needed counts with all
    /// that it may come to need, on kernels before 6.4.
    pub(super) fn locked_memory(&self) -> Result<u64, FenceError> {
        let mut sum = 0;
        for (name, _) in MAPS.iter().chain([&EVENTS, &LESSONS]) {
            let failed = |source| FenceError::Map {
                name,
                action: "measure",
                source,
            };
            let map = MapData::from_pin(self.pins.map(name)).map_err(io::Error::other);
            let map = map.map_err(failed)?;
            let fd = map.fd().as_fd().as_raw_fd();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).map_err(failed)?;
            sum += locked(&info).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        }
        Ok(sum)
    }
}

/// The bytes that the kernel has set apart for a map, out of what it says of a descriptor.
fn locked(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let info = "pos:\t0\nflags:\t02000002\nmap_type:\t2\nmax_entries:\t1\nmemlock:\t4096\nmap_id:\t7\n";
        assert_eq!(locked(info), Some(4096));
        assert_eq!(locked("pos:\t0\n"), None);
        assert_eq!(locked("memlock:\tmuch\n"), None);
    }
}
