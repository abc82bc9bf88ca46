//! Ringfence itself, as an administrator runs it on the telephone system.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{During, Error, Result};
use crate::process::{Finished, Running, run, wait_until};
use crate::target_directory;
use crate::topology::Lab;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const ENDS_WITHIN: Duration = Duration::from_secs(20);
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The environment variable that names what judges, as `ringfence run --engine` takes it: the same tests hold for all. Without it, XDP judges.
pub const ENGINE: &str = "RINGFENCE_TEST_ENGINE";

/// The program under test: that of the environment variable `RINGFENCE_BIN`, or else the one that
/// `cargo build` makes.
pub fn program() -> PathBuf {
    let named = std::env::var_os("RINGFENCE_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| target_directory().join("debug/ringfence"))
}

/// A line for a policy that switches the shipped signatures off. To compile them takes longer than
/// all else of a start or reload.
pub fn without_signatures() -> String {
    let shipped = include_str!("../../assets/signatures.toml").lines();
    let ids: Vec<_> = shipped
        .filter_map(|line| line.strip_prefix("id = "))
        .collect();
    format!("signatures.disable = [{}]\n", ids.join(", "))
}

/// A Ringfence of the laboratory, with a bpffs, a state directory and a control socket of its
/// own. What is pinned in the bpffs outlives the daemon and goes with this value.
#[derive(Debug)]
pub struct Ringfence<'lab> {
    lab: &'lab Lab,
    binary: PathBuf,
    directory: PathBuf,
    daemon: Option<Running>,
}

impl<'lab> Ringfence<'lab> {
    /// Prepares the directories; nothing runs yet.
    pub fn prepare(lab: &'lab Lab) -> Result<Self> {
        Self::prepare_program(lab, program())
    }

    /// Prepares the directories for a given program.
    pub fn prepare_program(lab: &'lab Lab, program: PathBuf) -> Result<Self> {
        let directory = lab.directory("ringfence-")?;
        for name in ["bpf", "state"] {
            let path = directory.join(name);
            fs::create_dir(&path).during(format!("make {}", path.display()))?;
        }
        let bpffs = directory.join("bpf");
        mount(
            Some("bpf"),
            &bpffs,
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .during(format!("mount a bpffs at {}", bpffs.display()))?;
        Ok(Self {
            lab,
            binary: program,
            directory,
            daemon: None,
        })
    }

    /// Where the bpffs is mounted.
    pub fn bpffs(&self) -> PathBuf {
        self.directory.join("bpf")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }

    /// Writes a file beside the state, such as a configuration or a country list.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text).during(format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Writes a policy and a list of countries, `ringfence.toml` and `countries.csv`, and starts
    /// with them.
    pub fn guard(&mut self, policy: &str, countries: &str) -> Result<()> {
        let policy = self.write("ringfence.toml", policy)?;
        let countries = self.write("countries.csv", countries)?;
        self.start(&[
            "--config",
            &policy.to_string_lossy(),
            "--country-db",
            &countries.to_string_lossy(),
        ])
    }

    /// Starts `ringfence run ARGUMENTS` in the `pbx` and returns when its control socket
    /// answers. A daemon that runs already is killed first.
    pub fn start(&mut self, arguments: &[&str]) -> Result<()> {
        self.kill9()?;
        let daemon = Running::start(&mut self.run(arguments))?;
        let ready = wait_until(STARTS_WITHIN, || {
            Ok(daemon.has_ended()? || UnixStream::connect(self.socket()).is_ok())
        })?;
        if !ready || daemon.has_ended()? {
            return Err(Error::NotReady {
                what: format!("{} run", self.binary.display()),
                after: STARTS_WITHIN,
                output: daemon.kill()?.output(),
            });
        }
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The command `ringfence run ARGUMENTS` with the directories of this value.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("run").args(arguments);
        let places = [
            ("--bpffs", self.bpffs()),
            ("--state", self.state()),
            ("--socket", self.socket()),
        ];
        for (option, place) in places {
            command.arg(option).arg(place);
        }
        if !arguments.contains(&"--engine") {
            let engine = std::env::var(ENGINE);
            command.args(["--engine", engine.as_deref().unwrap_or("xdp")]);
        }
        command
    }

    /// Whether the daemon runs.
    pub fn is_running(&self) -> Result<bool> {
        self.daemon
            .as_ref()
            .map_or(Ok(false), |daemon| Ok(!daemon.has_ended()?))
    }

    /// What the daemon has printed until now.
    pub fn log(&self) -> Result<String> {
        self.daemon
            .as_ref()
            .map_or_else(|| Ok(String::new()), Running::output)
    }

    /// Sends the daemon a signal, if it runs.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let Some(daemon) = &self.daemon else {
            return Ok(());
        };
        kill(Pid::from_raw(daemon.pid().cast_signed()), signal).during("signal the daemon")
    }

    /// Waits for the daemon to end by itself.
    pub fn wait(&mut self) -> Result<Option<Finished>> {
        let daemon = self.daemon.take();
        daemon.map(|daemon| daemon.wait(ENDS_WITHIN)).transpose()
    }

    /// Stops the daemon with SIGTERM, which leaves the fence standing.
    pub fn terminate(&mut self) -> Result<Option<Finished>> {
        self.daemon.take().map(Running::terminate).transpose()
    }

    /// Kills the daemon with SIGKILL.
    pub fn kill9(&mut self) -> Result<Option<Finished>> {
        self.daemon.take().map(Running::kill).transpose()
    }

    /// Runs `ringfence ARGUMENTS --socket PATH` in the `pbx`.
    pub fn cli(&self, arguments: &[&str]) -> Result<Finished> {
        run(
            self.command()
                .args(arguments)
                .arg("--socket")
                .arg(self.socket()),
            ANSWERS_WITHIN,
        )
    }

    /// The program in the `pbx`, with no argument yet: for what needs no daemon.
    pub fn command(&self) -> Command {
        self.lab.pbx.command(&self.binary)
    }
}

impl Drop for Ringfence<'_> {
    fn drop(&mut self) {
        // The daemon goes before the directories that it uses; an error has nobody to hear it.
        self.daemon = None;
        let _ = umount2(&self.bpffs(), MntFlags::MNT_DETACH);
    }
}
