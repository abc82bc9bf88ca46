//! The service, where systemd runs.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The unit.
pub const UNIT: &str = "ringfence.service";

/// The systemd of this host.
#[derive(Debug)]
pub struct Service(());

impl Service {
    /// None where systemd does not run. Source: sd_booted(3).
    pub fn of_this_host() -> Option<Self> {
        Path::new("/run/systemd/system")
            .is_dir()
            .then_some(Self(()))
    }

    /// Enables the unit and starts it, or starts it anew.
    ///
    /// # Errors
    /// When systemd refuses, with what it said.
    pub fn start(&self) -> io::Result<()> {
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", UNIT])?;
        systemctl(&["restart", UNIT])
    }

    /// Stops the unit, which leaves the fence standing, and disables it.
    ///
    /// # Errors
    /// When systemd refuses, with what it said.
    pub fn stop(&self) -> io::Result<()> {
        systemctl(&["disable", "--now", UNIT])
    }

    /// Has systemd see that the unit is gone.
    ///
    /// # Errors
    /// When systemd refuses, with what it said.
    pub fn forget(&self) -> io::Result<()> {
        systemctl(&["daemon-reload"])
    }
}

fn systemctl(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!(
        "systemctl {}: {said}",
        arguments.join(" ")
    )))
}
