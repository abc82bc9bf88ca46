//! What a first process does for its machine.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
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

/// Makes a cable and turns both ends on.
pub fn veth(one: &str, other: &str) -> Result<()> {
    const MODULE: &str = "/veth.ko";
    if let Ok(module) = File::open(MODULE) {
        match finit_module(&module, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error).context("the kernel refuses the module veth"),
        }
    }
    for arguments in [
        format!("link add {one} type veth peer name {other}"),
        format!("address add 192.0.2.10/24 dev {one}"),
        format!("link set {one} up"),
        format!("link set {other} up"),
    ] {
        let status = Command::new("/bin/ip").args(arguments.split(' ')).status();
        let status = status.context("cannot start /bin/ip")?;
        ensure!(status.success(), "ip {arguments}: {status}");
    }
    Ok(())
}
