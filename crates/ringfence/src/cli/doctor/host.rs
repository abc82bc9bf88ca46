//! The kernel, what this process may do there, and what else is at work on this host.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::finding::{Finding, State, finding};

/// The oldest kernel that loads the programs.
const FLOOR: (u32, u32) = (6, 1);
/// Telephone systems, by the name of their process.
const SERVERS: [&str; 4] = ["asterisk", "freeswitch", "kamailio", "opensips"];

pub(super) fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let version = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    };
    let state = if version >= FLOOR {
        State::Fine
    } else {
        State::Problem
    };
    finding(
        "kernel",
        state,
        format!("Linux {release}"),
        "install Linux 6.1 or newer",
    )
}

pub(super) fn capabilities(missing: io::Result<Vec<&str>>) -> Finding {
    let (state, found) = match missing {
        Ok(missing) if missing.is_empty() => (State::Fine, "all there".to_owned()),
        Ok(missing) => (State::Problem, format!("{} missing", missing.join(", "))),
        Err(error) => (State::Note, format!("the kernel does not say: {error}")),
    };
    let remedy = "run as root, or give them with AmbientCapabilities= in the systemd unit";
    finding("capabilities", state, found, remedy)
}

pub(super) fn mount(bpffs: &Path) -> Finding {
    let mounted = statfs(bpffs).is_ok_and(|s| s.filesystem_type() == BPF_FS_MAGIC);
    let (state, found) = if mounted {
        (State::Fine, format!("mounted at {}", bpffs.display()))
    } else {
        (
            State::Problem,
            format!("no BPF file system at {}", bpffs.display()),
        )
    };
    let remedy = format!("mount -t bpf bpf {}", bpffs.display());
    finding("bpffs", state, found, &remedy)
}

pub(super) fn compiler(enabled: Option<String>) -> Finding {
    let (state, found) = match enabled.as_deref().map(str::trim) {
        Some("0") => (State::Note, "off: each packet costs many times more"),
        Some(_) => (State::Fine, "on"),
        None => (State::Note, "not visible here"),
    };
    finding(
        "BPF compiler",
        state,
        found.to_owned(),
        "sysctl -w net.core.bpf_jit_enable=1",
    )
}

/// The names of all processes.
pub(super) fn processes() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Whether there is something to guard.
pub(super) fn servers(running: &BTreeSet<String>) -> Finding {
    let found: Vec<_> = SERVERS
        .into_iter()
        .filter(|name| running.contains(*name))
        .collect();
    if found.is_empty() {
        let remedy = "start the telephone system; one that serves other ports than 5060 wants a [[service]] in the configuration";
        let found = "none known is running: there is no SIP server to guard".to_owned();
        return finding("telephone system", State::Note, found, remedy);
    }
    finding("telephone system", State::Fine, found.join(", "), "")
}

/// Whether the kernel holds the clock to be right; `None` where it does not say.
pub(super) fn synchronised() -> Option<bool> {
    // SAFETY: all zeroes is a value of this structure of integers.
    let mut answer: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: with `modes` 0 the call only writes to the structure it is given.
    let state = unsafe { libc::adjtimex(&raw mut answer) };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}

pub(super) fn clock(synchronised: Option<bool>) -> Finding {
    let (state, found) = match synchronised {
        Some(true) => (State::Fine, "synchronised"),
        Some(false) => (
            State::Note,
            "not synchronised: times of events may be wrong",
        ),
        None => (State::Note, "the kernel does not say"),
    };
    finding(
        "clock",
        state,
        found.to_owned(),
        "run a time service: apt-get install chrony",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels() {
        for (release, state) in [
            ("6.1.0-56-cloud-amd64", State::Fine),
            ("6.18.3", State::Fine),
            ("7.0-rc1", State::Fine),
            ("5.15.0-91-generic", State::Problem),
            ("strange", State::Problem),
        ] {
            assert_eq!(kernel(release).state, state, "{release}");
        }
    }

    #[test]
    fn every_trouble_has_a_remedy() {
        let findings = [
            kernel("5.10.0"),
            capabilities(Ok(vec!["CAP_BPF"])),
            mount(Path::new("/proc")),
            compiler(Some("0\n".to_owned())),
            servers(&BTreeSet::from(["sshd".to_owned()])),
            clock(Some(false)),
        ];
        for finding in findings {
            assert!(
                finding.state != State::Fine && !finding.remedy.is_empty(),
                "{finding:?}"
            );
        }
    }
}
