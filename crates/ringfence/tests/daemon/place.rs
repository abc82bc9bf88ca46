//! Where a test's fence stands, and the daemon there.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use ringfence::engine::xdp::Pins;
use ringfence_core::control::LAYOUT;
use tempfile::TempDir;

/// A BPF file system of its own, and a network namespace for the calling thread.
pub struct Place {
    bpffs: TempDir,
    files: TempDir,
}

impl Place {
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        for arguments in [
            "link set lo up",
            "link add sip.0 type veth peer name sip1",
            "link set sip.0 up",
            "link set sip1 up",
            "addr add 198.51.100.1/24 dev sip.0",
        ] {
            let ip = Command::new("ip").args(arguments.split(' ')).status();
            assert!(ip.unwrap().success(), "ip {arguments}");
        }
        let bpffs = tempfile::tempdir().unwrap();
        let (bpf, none) = (Some("bpf"), None::<&str>);
        mount(bpf, bpffs.path(), bpf, MsFlags::empty(), none).unwrap();
        let files = tempfile::tempdir().unwrap();
        Self { bpffs, files }
    }

    pub fn path(&self) -> &Path {
        self.bpffs.path()
    }

    pub fn layout(&self, number: u32) -> PathBuf {
        self.path().join(format!("ringfence/v{number}"))
    }

    /// A fence of another layout: one of this program, under another number.
    pub fn age(&self, number: u32) {
        fs::rename(self.layout(LAYOUT), self.layout(number)).unwrap();
    }

    /// The number of the program that guards the interface.
    pub fn program(&self) -> Option<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let interfaces = runtime.block_on(ringfence::net::interfaces()).unwrap();
        let guarded = interfaces.into_iter().find(|i| i.name == "sip.0").unwrap();
        guarded.xdp.map(|xdp| xdp.prog_id)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Pins::below(self.path()).remove();
        let _ = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}

/// Runs a test in a thread, whose namespace ends with it.
pub fn privileged(test: impl FnOnce(&Place) + Send) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    std::thread::scope(|scope| {
        let run = scope.spawn(|| test(&Place::new()));
        run.join().unwrap();
    });
}

/// A daemon with files of its own, killed when it is dropped.
pub struct Daemon<'a> {
    place: &'a Place,
    name: String,
    child: Child,
}

impl<'a> Daemon<'a> {
    /// Starts `ringfence run` with this configuration and returns when it answers.
    pub fn start(place: &'a Place, name: &str, config: &str, arguments: &[&str]) -> Self {
        fs::create_dir_all(place.files.path().join(name)).unwrap();
        place.write(name, "ringfence.toml", config);
        let child = place
            .command(name)
            .args(["run", "--interface", "sip.0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let daemon = Self {
            place,
            name: name.to_owned(),
            child,
        };
        wait("the daemon answers", || {
            daemon.ask(&["status"]).status.success()
        });
        daemon
    }

    /// A command to this daemon.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = self.place.command(&self.name);
        command.args(arguments).output().unwrap()
    }

    /// A command that must be done; its answer.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{error}");
        text
    }

    /// A command that must fail; what it says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Kills it; what it logged.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    /// Writes a file of the daemon with this name.
    pub fn write(&self, name: &str, file: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name).join(file);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, with the files of the daemon with this name.
    pub fn command(&self, name: &str) -> Command {
        let files = self.files.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        for (option, value) in [
            ("--config", files.join("ringfence.toml")),
            ("--bpffs", self.path().to_owned()),
            ("--state", files.join("state")),
            ("--socket", files.join("socket")),
        ] {
            command.arg(option).arg(value);
        }
        command
    }
}

/// Waits until something holds.
pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
