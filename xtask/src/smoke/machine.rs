//! The virtual machine, and what its guest prints.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What the guest prints last; everything before it is for whoever reads.
const PASSED: &str = "smoke: passed";
const FAILED: &str = "smoke: failed";

/// A machine that boots a kernel with a first file system and no disk.
pub struct Machine<'a> {
    pub kernel: &'a Path,
    pub initrd: &'a Path,
    /// For the guest's program.
    pub arguments: &'a str,
    pub accel: &'a str,
    pub memory: u32,
}

impl Machine<'_> {
    /// Runs the guest to its end and shows what it prints; whether it says that it passed.
    pub fn run(&self, limit: Duration) -> Result<bool> {
        let mut child = self.command().spawn().context("cannot start qemu")?;
        let console = child.stdout.take().context("qemu has no output")?;
        let (send, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut console = BufReader::new(console);
            let mut line = Vec::new();
            while console
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read != 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if send.send(text).is_err() {
                    break;
                }
            }
        });
        let until = Instant::now() + limit;
        let verdict = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.ends_with(PASSED) => break Ok(true),
                Ok(line) if line.ends_with(FAILED) => break Ok(false),
                Ok(line) => println!("{line}"),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    break Err("was not done in time (--timeout)");
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break Err("ended without a verdict"),
            }
        };
        // The guest turns the machine off; one that hangs does not.
        let _ = child.kill();
        child.wait().context("cannot wait for qemu")?;
        drop(lines);
        let _ = reader.join();
        verdict.or_else(|why| bail!("the guest {why}; its last lines are above"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-accel", self.accel, "-m", &self.memory.to_string()]);
        command.args(["-cpu", if self.accel == "kvm" { "host" } else { "max" }]);
        command.args([
            "-smp",
            "1",
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-serial",
            "stdio",
        ]);
        command.arg("-kernel").arg(self.kernel);
        command.arg("-initrd").arg(self.initrd);
        command.arg("-append");
        command.arg(format!(
            "console=ttyS0 quiet panic=-1 -- {}",
            self.arguments
        ));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}
