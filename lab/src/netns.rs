//! One network namespace: made, entered and taken away.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{During, Result};
use crate::process::must;

/// Where the system keeps named namespaces.
pub(crate) const DIRECTORY: &str = "/run/netns";
/// What the name of every namespace of the laboratory begins with.
pub(crate) const PREFIX: &str = "rf-";

/// A network namespace, which is removed with every process in it when this value is dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes a namespace called `rf-PID-COUNTER-PLACE` with its loopback interface up and
    /// without duplicate address detection, so that addresses serve at once.
    pub fn create(counter: u32, place: &str) -> Result<Self> {
        let name = format!("{PREFIX}{}-{counter}-{place}", std::process::id());
        must(Command::new("ip").args(["netns", "add", &name]))?;
        let made = Self { name };
        must(made.ip().args(["link", "set", "lo", "up"]))?;
        made.set("net/ipv6/conf/all/accept_dad", "0")?;
        made.set("net/ipv6/conf/default/accept_dad", "0")?;
        Ok(made)
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside the namespace. The mount namespace stays that of the
    /// test, so that what is pinned in a bpffs is found again.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg(program.as_ref());
        command
    }

    /// Runs `work` on a thread inside the namespace. Sockets opened there stay in it.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = self.path();
        let entered = File::open(&path).during(format!("open {}", path.display()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(entered, CloneFlags::CLONE_NEWNET)
                    .during(format!("enter {}", path.display()))
                    .map(|()| work())
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Writes a value below `/proc/sys`, where `net/` is that of this namespace.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{key}");
        self.inside(|| fs::write(&path, value))?
            .during(format!("write {path}"))
    }

    /// The `ip` command on this namespace.
    pub(crate) fn ip(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]);
        command
    }

    /// Whether a socket is bound to this port: `protocol` is `udp`, or `tcp` for one that
    /// listens.
    pub(crate) fn listens(&self, protocol: &str, address: IpAddr, port: u16) -> Result<bool> {
        let family = if address.is_ipv6() { "6" } else { "" };
        let path = format!("/proc/thread-self/net/{protocol}{family}");
        let table = self
            .inside(|| fs::read_to_string(&path))?
            .during(format!("read {path}"))?;
        let port = format!(":{port:04X}");
        // The kernel's state numbers: 07 is an unconnected UDP socket, 0A a listening TCP socket.
        let state = if protocol == "udp" { "07" } else { "0A" };
        Ok(table.lines().any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            columns.next().is_some_and(|local| local.ends_with(&port))
                && columns.nth(1) == Some(state)
        }))
    }

    fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // A second failure while cleaning up would hide the first; the next laboratory sweeps.
        let _ = remove(&self.name);
    }
}

/// Whoever runs in a namespace of the laboratory was started by it.
pub(crate) fn remove(name: &str) -> Result<()> {
    for pid in must(Command::new("ip").args(["netns", "pids", name]))?.split_whitespace() {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    must(Command::new("ip").args(["netns", "delete", name])).map(drop)
}
