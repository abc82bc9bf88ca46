//! A fresh Debian, or Ubuntu, in the place of the telephone system: that of this machine, from its package archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{During, Error, Result};
use crate::process::{Finished, Running, run, wait_until};
use crate::topology::Lab;

/// How long the packages of a small system may take to come and be unpacked.
const INSTALLS_WITHIN: Duration = Duration::from_secs(240);
const READY_WITHIN: Duration = Duration::from_secs(20);
/// What is run inside takes no longer.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// The namespaces live no longer, whatever becomes of the test.
const LIVES: Duration = Duration::from_secs(600);

/// A small system of its own, with the network of the `pbx` and processes and mounts of its own. systemd does not run
/// there. Everything in it ends with this value.
#[derive(Debug)]
pub struct System<'lab> {
    lab: &'lab Lab,
    root: PathBuf,
    holder: Running,
}

/// A program that goes on inside a [`System`] until it ends, or this value is dropped.
#[derive(Debug)]
pub struct Service(Running);

impl Service {
    /// Asks it to end with SIGTERM, as service managers do, and waits for that.
    pub fn terminate(self) -> Result<Finished> {
        // The child of the program that entered the namespaces for it.
        let pid = self.0.pid();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(&path).during(format!("read {path}"))?;
        for child in children.split_whitespace().filter_map(|it| it.parse().ok()) {
            kill(Pid::from_raw(child), Signal::SIGTERM).during("end a service")?;
        }
        self.0.wait(ENDS_WITHIN)
    }

    /// Waits for it to end by itself.
    pub fn wait(self) -> Result<Finished> {
        self.0.wait(ENDS_WITHIN)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> Result<bool> {
        self.0.has_ended()
    }

    /// What it printed until now.
    pub fn log(&self) -> Result<String> {
        self.0.output()
    }
}

impl<'lab> System<'lab> {
    /// Makes it with `debootstrap`, with these packages beside the smallest set.
    pub fn install(lab: &'lab Lab, packages: &[&str]) -> Result<Self> {
        let root = lab.directory("system-")?;
        let (suite, mirror) = archive()?;
        let mut command = Command::new("debootstrap");
        command
            .arg("--variant=minbase")
            .arg(format!("--include={}", packages.join(",")))
            .args([&suite, &root.to_string_lossy().into_owned(), &mirror]);
        let finished = run(&mut command, INSTALLS_WITHIN)?;
        if finished.code != 0 || finished.timed_out {
            return Err(Error::Failed {
                command: format!("debootstrap of {suite}"),
                output: finished.output(),
            });
        }
        let mut command = lab.pbx.command("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["--propagation", "private", "sh", "-ec", HOLD, "sh"])
            .arg(&root)
            .arg(LIVES.as_secs().to_string());
        let holder = Running::start(&mut command)?;
        let ready = root.join(".ready");
        let stands = wait_until(READY_WITHIN, || Ok(holder.has_ended()? || ready.exists()))?;
        if !stands || holder.has_ended()? {
            return Err(Error::NotReady {
                what: "the mounts of a fresh system".into(),
                after: READY_WITHIN,
                output: holder.kill()?.output(),
            });
        }
        fs::remove_file(&ready).during("remove the mark of a fresh system")?;
        Ok(Self { lab, root, holder })
    }

    /// Where a file of the system is, seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// Runs a program inside to its end.
    pub fn run(&self, words: &[&str]) -> Result<Finished> {
        run(&mut self.command(words), ENDS_WITHIN)
    }

    /// Starts a program inside.
    pub fn start(&self, words: &[&str]) -> Result<Service> {
        Running::start(&mut self.command(words)).map(Service)
    }

    fn command(&self, words: &[&str]) -> Command {
        // What makes the namespaces stands in that of mounts, and not in that of processes.
        let maker = Path::new("/proc").join(self.holder.pid().to_string());
        let of =
            |kind: &str, name: &str| format!("--{kind}={}", maker.join("ns").join(name).display());
        let mut command = self.lab.pbx.command("nsenter");
        command
            .arg(of("mount", "mnt"))
            .arg(of("pid", "pid_for_children"))
            .args(["chroot", &self.root.to_string_lossy()])
            .args(words)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// The processes inside, as `ps` would show their commands, without those that hold and look.
    pub fn processes(&self) -> Result<Vec<String>> {
        let script = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null && echo; done";
        let shown = self.run(&["sh", "-c", script])?.stdout;
        let ours = |line: &&str| {
            let held = line.starts_with("sleep ") || line.starts_with("sh -c for p in ");
            !held && !line.starts_with("tr ") && !line.is_empty()
        };
        Ok(shown
            .lines()
            .map(str::trim)
            .filter(ours)
            .map(str::to_owned)
            .collect())
    }
}

/// Mounts what a system finds at its start, and stays. `$1` is the root, `$2` for how many seconds.
const HOLD: &str = r#"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount -t bpf -o mode=700 bpf "$1/sys/fs/bpf"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
for device in null zero random urandom; do
    [ -e "$1/dev/$device" ] || : >"$1/dev/$device"
    mount --bind "/dev/$device" "$1/dev/$device"
done
: >"$1/.ready"
exec sleep "$2"
"#;

/// The release of this machine, and where it gets its packages from.
fn archive() -> Result<(String, String)> {
    let release = fs::read_to_string("/etc/os-release").during("read /etc/os-release")?;
    let suite = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .unwrap_or_default();
    let mut command = Command::new("apt-get");
    command
        .args([
            "indextargets",
            "--format",
            "$(RELEASE) $(COMPONENT) $(SITE)",
        ])
        .arg("Created-By: Packages");
    let targets = run(&mut command, ENDS_WITHIN)?;
    let wanted = format!("{suite} main ");
    let mirror = targets
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix(&wanted));
    match mirror {
        Some(mirror) => Ok((suite, mirror.trim().to_owned())),
        None => Err(Error::Failed {
            command: format!("looking for the archive of {suite:?} in the sources of apt"),
            output: targets.output(),
        }),
    }
}
