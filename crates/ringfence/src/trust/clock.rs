//! The kernel's clock and everybody else's.

use jiff::{SignedDuration, Timestamp};

/// One moment on both clocks: boot time, which the kernel's tables hold, and wall time, which the store holds.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Boot time, in ns.
    pub boot: u64,
    /// Wall time.
    pub wall: Timestamp,
}

impl Clock {
    /// The wall time of a boot time in ns; None of 0, which is never.
    pub fn wall_of(self, boot: u64) -> Option<Timestamp> {
        if boot == 0 {
            return None;
        }
        let distance = i128::from(boot) - i128::from(self.boot);
        let end = if distance < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let distance = i64::try_from(distance).map(SignedDuration::from_nanos);
        Some(
            distance
                .ok()
                .and_then(|distance| self.wall.checked_add(distance).ok())
                .unwrap_or(end),
        )
    }

    /// The boot time in ns of a wall time; 1 for one before the boot.
    pub fn boot_of(self, wall: Timestamp) -> u64 {
        let distance = wall.duration_since(self.wall).as_nanos();
        let boot = i128::from(self.boot).saturating_add(distance).max(1);
        u64::try_from(boot).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_both_ways() {
        let clock = Clock {
            boot: 100_000_000_000,
            wall: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        for boot in [1, 40_000_000_000, 100_000_000_000, 1 << 60] {
            assert_eq!(clock.boot_of(clock.wall_of(boot).unwrap()), boot);
        }
        assert_eq!(clock.wall_of(0), None);
        assert_eq!(clock.wall_of(u64::MAX), Some(Timestamp::MAX));
        assert_eq!(clock.boot_of(Timestamp::UNIX_EPOCH), 1);
    }
}
