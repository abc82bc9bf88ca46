//! What the process may do, and what the parts of the program need. Source: capabilities(7).

use std::fs;
use std::io;

/// A capability by its bit (linux/capability.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Its name.
    pub name: &'static str,
    bit: u32,
    /// CAP_SYS_ADMIN, from which it was split off, stands for it.
    by_admin: bool,
}

const NET_ADMIN: Capability = Capability {
    name: "CAP_NET_ADMIN",
    bit: 12,
    by_admin: false,
};
const NET_RAW: Capability = Capability {
    name: "CAP_NET_RAW",
    bit: 13,
    by_admin: false,
};
const SYS_ADMIN: Capability = Capability {
    name: "CAP_SYS_ADMIN",
    bit: 21,
    by_admin: false,
};
const PERFMON: Capability = Capability {
    name: "CAP_PERFMON",
    bit: 38,
    by_admin: true,
};
const BPF: Capability = Capability {
    name: "CAP_BPF",
    bit: 39,
    by_admin: true,
};

/// What a fence over queues of nftables needs.
pub const QUEUE: &[Capability] = &[NET_ADMIN];
/// What loading and attaching the fence needs.
pub const FENCE: &[Capability] = &[NET_ADMIN, BPF, PERFMON];
/// What looking on at packets needs.
pub const WATCH: &[Capability] = &[NET_RAW];
/// What the demonstration needs, which makes namespaces and plays packets as well.
pub const DEMO: &[Capability] = &[NET_ADMIN, NET_RAW, SYS_ADMIN];

/// Which of these the process lacks.
pub fn missing(needed: &[Capability]) -> io::Result<Vec<&'static str>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let held = held(&status).ok_or(io::ErrorKind::InvalidData)?;
    Ok(missing_of(held, needed))
}

/// The capabilities in effect, by the text of `/proc/self/status`.
fn held(status: &str) -> Option<u64> {
    let text = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(text.trim(), 16).ok()
}

fn missing_of(held: u64, needed: &[Capability]) -> Vec<&'static str> {
    let has = |capability: &Capability| held >> capability.bit & 1 == 1;
    needed
        .iter()
        .filter(|needed| !(has(needed) || needed.by_admin && has(&SYS_ADMIN)))
        .map(|needed| needed.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let all = held("Name:\tx\nCapEff:\t000001ffffffffff\n").unwrap();
        assert!(missing_of(all, FENCE).is_empty() && missing_of(all, DEMO).is_empty());
        assert_eq!(
            missing_of(0, FENCE),
            ["CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON"]
        );
        assert_eq!(missing_of(1 << 12 | 1 << 13, DEMO), ["CAP_SYS_ADMIN"]);
        // Before Linux 5.8 there was but the one.
        assert!(missing_of(1 << 12 | 1 << 21, FENCE).is_empty());
        assert_eq!(held("Name:\tx\n"), None);
        assert!(missing(FENCE).is_ok());
    }
}
