//! A real sshd, and sessions with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ringfence_lab::{Lab, PBX_V4, Ringfence};

use crate::{LIMIT, Met, SHORT, tcp, until};

/// Its port.
pub const PORT: u16 = 2222;

/// An sshd in the telephone system's place, with keys and a configuration of its own.
pub struct Sshd<'lab> {
    lab: &'lab Lab,
    key: PathBuf,
    child: Child,
}

impl<'lab> Sshd<'lab> {
    /// Starts it, and returns when it listens.
    pub fn start(lab: &'lab Lab, fence: &Ringfence<'_>) -> Self {
        // Where it shuts itself in; the package's unit would make it.
        fs::create_dir_all("/run/sshd").unwrap();
        let directory = fence.state().parent().unwrap().to_owned();
        let file = |name: &str| directory.join(name);
        for name in ["host_key", "key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(file(name))
                .status();
            assert!(made.unwrap().success());
        }
        let config = format!(
            "Port {PORT}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nUseDNS no\n",
            file("host_key").display(),
            file("key.pub").display()
        );
        let path = fence.write("sshd_config", &config).unwrap();
        let log = fs::File::create(file("sshd.log")).unwrap();
        let child = lab
            .pbx
            .command("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        until("sshd listens", || {
            tcp(&lab.phone, PBX_V4.into(), PORT) == Met::Open
        });
        let key = file("key");
        Self { lab, key, child }
    }

    fn client(&self) -> Command {
        let mut command = self.lab.phone.command("ssh");
        command
            .args(["-F", "none", "-p", &PORT.to_string(), "-i"])
            .arg(&self.key)
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
            .args([
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "ConnectTimeout=2",
            ])
            .args(["-o", "LogLevel=ERROR"])
            .arg(format!("root@{PBX_V4}"));
        command
    }

    /// Whether one can log in anew.
    pub fn lets_in(&self) -> bool {
        let output = self.client().arg("echo in").output().unwrap();
        output.status.success() && output.stdout == b"in\n"
    }

    /// A session that says again what it hears.
    pub fn session(&self) -> Session {
        let mut child = self
            .client()
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let input = child.stdin.take().unwrap();
        let mut session = Session {
            child,
            input,
            heard,
            sent: 0,
        };
        assert!(session.lives_within(LIMIT), "the session is up");
        session
    }

    /// Runs a command in the session's environment, as one who is logged in would.
    pub fn run(&self, words: &str) -> (bool, String) {
        let output = self.client().arg(words).output().unwrap();
        let both = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&both).into_owned(),
        )
    }
}

impl Drop for Sshd<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A session that is up.
pub struct Session {
    child: Child,
    input: ChildStdin,
    heard: mpsc::Receiver<String>,
    sent: u32,
}

impl Session {
    /// Whether it answers soon.
    pub fn lives(&mut self) -> bool {
        self.lives_within(SHORT)
    }

    /// Whether what is said now is answered within this time.
    pub fn lives_within(&mut self, time: Duration) -> bool {
        self.sent += 1;
        let wanted = self.sent.to_string();
        if writeln!(self.input, "{wanted}")
            .and_then(|()| self.input.flush())
            .is_err()
        {
            return false;
        }
        let end = std::time::Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(line) if line == wanted => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that wait for the end of a trial of this state directory.
pub fn timers(state: &Path) -> Vec<i32> {
    let state = state.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            let line = fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains("host expire") && line.contains(&state)).then_some(id)
        })
        .collect()
}
