//! Ringfence as an administrator runs it: the real daemon, with a configuration file.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use ringfence::control::{Request, ask};
use tempfile::TempDir;

use super::place::{GUARDED, Place, write};
use crate::shell::{self, cargo};

use super::traffic::{COUNTRIES, DOMAIN, World};

/// Builds the program that is measured, as it is shipped.
pub fn program() -> Result<PathBuf> {
    let build = [
        "build",
        "--locked",
        "--quiet",
        "--release",
        "--bin",
        "ringfence",
    ];
    shell::run(cargo().args(build))?;
    Ok(Path::new("target/release/ringfence").canonicalize()?)
}

const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A daemon, with a BPF file system of its own. Dropping it takes the fence down.
pub struct Fence {
    daemon: Child,
    directory: TempDir,
}

impl Fence {
    /// Stands a fence up and waits until it answers.
    pub fn start(place: &Place, world: &World, program: &Path, bans: bool) -> Result<Self> {
        Self::start_with(place, world, program, bans, "xdp")
    }

    /// The same with another engine.
    pub fn start_with(
        place: &Place,
        world: &World,
        program: &Path,
        bans: bool,
        engine: &str,
    ) -> Result<Self> {
        Self::start_by(place, &config(world, bans)?, program, engine)
    }

    /// The same by a configuration of its own.
    pub fn start_by(place: &Place, config: &str, program: &Path, engine: &str) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(&format!("{}{}-", ringfence_lab::PREFIX, std::process::id()))
            .tempdir()?;
        let at = |name: &str| directory.path().join(name);
        write(&at("ringfence.toml"), config)?;
        std::fs::create_dir(at("bpf"))?;
        mount(
            Some("bpf"),
            &at("bpf"),
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .context("cannot mount a BPF file system")?;
        let log = std::fs::File::create(at("log"))?;
        let mut command: Command = place.command(&program.to_string_lossy());
        command
            .args(["run", "--yes", "--engine", engine])
            .arg("--config")
            .arg(at("ringfence.toml"));
        command
            .arg("--bpffs")
            .arg(at("bpf"))
            .arg("--state")
            .arg(at("state"));
        command.arg("--socket").arg(at("socket"));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let daemon = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut fence = Self { daemon, directory };
        let begun = Instant::now();
        let socket = fence.directory.path().join("socket");
        while ask(&socket, &Request::Status).is_err() {
            if fence.daemon.try_wait()?.is_some() || begun.elapsed() > STARTS_WITHIN {
                let log = std::fs::read_to_string(fence.directory.path().join("log"))?;
                bail!("`ringfence run` does not stand:\n{log}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(fence)
    }
}

impl Fence {
    /// Asks the daemon, and takes the data of its answer.
    pub fn ask(&self, request: &Request) -> Result<serde_json::Value> {
        let socket = self.directory.path().join("socket");
        let answer = ask(&socket, request)?.next().context("no answer")??;
        ensure!(answer.ok, "{}", answer.text);
        Ok(answer.data)
    }

    /// The process of the daemon.
    pub fn process(&self) -> u32 {
        self.daemon.id()
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // What cannot be taken down here goes with the namespace; nobody is left to hear an error.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = umount2(&self.directory.path().join("bpf"), MntFlags::MNT_DETACH);
    }
}

/// What the rivals do, as a configuration. The budget of strangers is at its largest: the phones of this measurement
/// come all at once.
fn config(world: &World, bans: bool) -> Result<String> {
    let mut listed = String::new();
    for address in &world.listed {
        write!(listed, "\"{}\", ", Ipv4Addr::from(*address))?;
    }
    Ok(format!(
        "mode = \"enforce\"\ninterfaces = [\"{GUARDED}\"]\ncountries = {COUNTRIES:?}\ndeny = [{listed}]\n\
         [ban]\nenable = {bans}\n\
         [[service]]\nname = \"sip\"\nkind = \"sip\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n\
         domains = [\"{DOMAIN}\"]\nbudget = \"1000000/s burst 1000000\"\n"
    ))
}
