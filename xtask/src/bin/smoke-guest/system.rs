//! What a first process does for its machine.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::reboot::{RebootMode, reboot};

/// Mounts the file systems that programs expect.
pub fn mount_all() -> Result<()> {
    for (kind, place) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
        ("bpf", "/sys/fs/bpf"),
    ] {
        fs::create_dir_all(place).with_context(|| format!("cannot make {place}"))?;
        mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("cannot mount {place}"))?;
    }
    Ok(())
}

/// Ends the machine: qemu takes a restart for the end. Where that fails, the kernel panics as its first process ends,
/// which comes to the same. Whoever is not the first process has no machine to end.
pub fn turn_off() {
    if std::process::id() == 1 {
        let _ = reboot(RebootMode::RB_AUTOBOOT);
    }
}

/// Loads the modules that came with the machine, in the order of their names. On a machine of another kind there are
/// none.
pub fn load_modules() -> Result<()> {
    let modules = fs::read_dir("/modules").into_iter().flatten();
    let mut paths = modules
        .map(|module| Ok(module?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        match finit_module(&File::open(&path)?, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the kernel refuses the module {}", path.display()));
            }
        }
    }
    Ok(())
}

/// Runs a tool of iproute2; what it prints.
pub fn tool(name: &str, arguments: &str) -> Result<String> {
    let mut command = Command::new(format!("/bin/{name}"));
    let output = command.args(arguments.split(' ')).output();
    let output = output.with_context(|| format!("cannot start /bin/{name}"))?;
    ensure!(
        output.status.success(),
        "{name} {arguments}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Another network namespace.
pub struct Elsewhere(File);

impl Elsewhere {
    /// Makes it.
    pub fn new() -> Result<Self> {
        let made = thread::spawn(|| -> Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(File::open("/proc/thread-self/ns/net")?)
        });
        let made = made.join().map_err(|_| anyhow!("a thread panicked"))?;
        made.map(Self).context("cannot make a network namespace")
    }

    /// Does something there. A socket that is opened there stays there.
    pub fn with<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let done = thread::scope(|scope| {
            let there = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET)?;
                work()
            });
            there.join()
        });
        done.map_err(|_| anyhow!("a thread panicked"))?
    }

    /// Makes a cable between here and there. What is sent here from 192.0.2.10 is heard there at 198.51.100.50.
    pub fn cable(&self, here: &str, there: &str) -> Result<()> {
        let ip = |arguments: &str| tool("ip", arguments).map(drop);
        let place = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        ip(&format!("link add {here} type veth peer name {there}"))?;
        ip(&format!("link set {there} netns {place}"))?;
        for (end, own, other) in [
            (here, "192.0.2.10/24", "198.51.100.0/24"),
            (there, "198.51.100.50/24", "192.0.2.0/24"),
        ] {
            let connect = || {
                ip(&format!("address add {own} dev {end}"))?;
                ip(&format!("link set {end} up"))?;
                ip(&format!("route add {other} dev {end}"))
            };
            if end == here {
                connect()?;
            } else {
                self.with(connect)?;
            }
        }
        Ok(())
    }
}
