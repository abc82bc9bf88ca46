//! Where a test's fence stands, and the daemon there.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use ringfence::engine::xdp::Pins;
use ringfence_core::control::LAYOUT;
use tempfile::TempDir;

/// A BPF file system of its own, a network namespace for the calling thread, and another one behind a wire.
pub struct Place {
    peer: File,
    bpffs: TempDir,
    files: TempDir,
}

impl Place {
    fn new() -> Self {
        let peer = std::thread::spawn(namespace).join().unwrap();
        namespace();
        ip("link set lo up");
        ip("link add sip.0 type veth peer name sip1");
        let there = format!("/proc/{}/fd/{}", std::process::id(), peer.as_raw_fd());
        ip(&format!("link set sip1 netns {there}"));
        ip("link set sip.0 up");
        ip("addr add 198.51.100.1/24 dev sip.0");
        let bpffs = tempfile::tempdir().unwrap();
        let (bpf, none) = (Some("bpf"), None::<&str>);
        mount(bpf, bpffs.path(), bpf, MsFlags::empty(), none).unwrap();
        let files = tempfile::tempdir().unwrap();
        let place = Self { peer, bpffs, files };
        place.peer(|| {
            ip("link set sip1 up");
            ip("addr add 198.51.100.2/24 dev sip1");
        });
        place
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

    /// Does something at the other end of the wire, which is 198.51.100.2.
    pub fn peer(&self, work: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                setns(&self.peer, CloneFlags::CLONE_NEWNET).unwrap();
                work();
            });
            there.join().unwrap();
        });
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
        let _ = umount2(&self.files.path().join("d/state"), MntFlags::MNT_DETACH);
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

/// Puts the thread into a new network namespace.
fn namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn ip(arguments: &str) {
    let ip = Command::new("ip").args(arguments.split(' ')).status();
    assert!(ip.unwrap().success(), "ip {arguments}");
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
        let daemon = Self::spawn(place, name, config, arguments);
        wait("the daemon answers", || {
            daemon.ask(&["status"]).status.success()
        });
        daemon
    }

    /// Starts it and does not wait.
    pub fn spawn(place: &'a Place, name: &str, config: &str, arguments: &[&str]) -> Self {
        place.configure(name, config);
        let child = place
            .command(name)
            .args(["run", "--interface", "sip.0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            place,
            name: name.to_owned(),
            child,
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
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
    /// Writes the configuration of the daemon with this name; where its files are goes before.
    pub fn configure(&self, name: &str, config: &str) {
        let state = self.files.path().join(name).join("state");
        let places = format!("state = {state:?}\nbpffs = {:?}\n", self.path());
        self.write(name, "ringfence.toml", &(places + config));
    }

    /// Writes a file of the daemon with this name.
    pub fn write(&self, name: &str, file: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, with the files of the daemon with this name.
    pub fn command(&self, name: &str) -> Command {
        let files = self.files.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.arg("--config").arg(files.join("ringfence.toml"));
        command.arg("--socket").arg(files.join("socket"));
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
