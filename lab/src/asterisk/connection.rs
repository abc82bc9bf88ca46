//! One connection to the manager interface.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

use md5::{Digest as _, Md5};

use super::recording::{blocks, field};
use super::script::{After, Script};
use super::{Shared, lock};

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    script: Script,
    shared: Arc<Shared>,
    /// Bytes written; held while a block is, so that none is torn by another.
    written: Mutex<usize>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, script: Script, shared: Arc<Shared>) -> Self {
        Self {
            stream,
            script,
            shared,
            written: Mutex::default(),
        }
    }

    /// Plays the script to its end. An error is the end of the connection, whoever made it.
    pub(super) fn run(self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.write(&self.script.greeting)?;
        let this = Arc::new(self);
        let mut lines = BufReader::new(this.stream.try_clone()?);
        let (mut challenge, mut welcome, mut block) = (String::new(), false, String::new());
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line != "\r\n" {
                block.push_str(&line);
                continue;
            }
            let asked = std::mem::take(&mut block);
            lock(&this.shared.asked).push(asked.clone());
            let get = |key| field(asked.as_bytes(), key).unwrap_or_default();
            let action = get("Action").to_ascii_lowercase();
            let id = get("ActionID");
            if this.script.silent.contains(&action) {
                continue;
            }
            match action.as_str() {
                "challenge" => {
                    challenge = format!("{}", 100_000 + asked.len());
                    this.respond("Success", &id, &format!("Challenge: {challenge}"))?;
                }
                "login" => {
                    let key = Md5::new().chain_update(&challenge);
                    let key = key.chain_update(&this.script.secret).finalize();
                    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    welcome = get("Username") == this.script.user
                        && get("AuthType") == "MD5"
                        && get("Key") == key;
                    if !welcome {
                        this.respond("Error", &id, "Message: Authentication failed")?;
                        return this.stream.shutdown(Shutdown::Write);
                    }
                    this.respond("Success", &id, "Message: Authentication accepted")?;
                }
                "ping" => this.respond("Success", &id, "Ping: Pong")?,
                _ if !welcome => this.respond("Error", &id, "Message: Permission denied")?,
                "filter" if !this.script.answers.contains_key("filter") => {
                    this.respond("Success", &id, "Message: Filter Added")?
                }
                "events" => {
                    this.respond("Success", &id, "Events: On")?;
                    let events = Arc::clone(&this);
                    thread::spawn(move || events.events());
                }
                _ => this.answer(&action, &id)?,
            }
        }
    }

    /// What was recorded, under another ActionID.
    fn answer(&self, action: &str, id: &str) -> io::Result<()> {
        let Some(answer) = self.script.answers.get(action) else {
            let message = format!(
                "Message: Invalid/unknown command: {action}. Use Action: ListCommands to show available commands."
            );
            return self.respond("Error", id, &message);
        };
        let text = String::from_utf8_lossy(answer);
        let recorded = field(answer, "ActionID").unwrap_or_default();
        let (from, to) = (
            format!("ActionID: {recorded}\r\n"),
            format!("ActionID: {id}\r\n"),
        );
        self.write(text.replace(&from, &to).as_bytes())
    }

    fn respond(&self, response: &str, id: &str, line: &str) -> io::Result<()> {
        self.write(format!("Response: {response}\r\nActionID: {id}\r\n{line}\r\n\r\n").as_bytes())
    }

    /// Sends the events that nobody has had whole.
    fn events(&self) -> io::Result<()> {
        let events = &self.script.events;
        let told = self.shared.told.load(Ordering::SeqCst);
        for (number, block) in blocks(events.get(told..).unwrap_or_default()).enumerate() {
            self.write(block)?;
            self.shared.told.fetch_add(block.len(), Ordering::SeqCst);
            if number % 100 == 99 {
                thread::sleep(self.script.pause);
            }
        }
        if self.script.after == After::Close {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Writes in pieces, up to where the connection is cut.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut written = lock(&self.written);
        let left = self
            .script
            .cut
            .map_or(usize::MAX, |cut| cut.saturating_sub(*written));
        let (kept, cut) = bytes.split_at(left.min(bytes.len()));
        for piece in kept.chunks(self.script.piece) {
            (&self.stream).write_all(piece)?;
            *written += piece.len();
        }
        if !cut.is_empty() {
            self.stream.shutdown(Shutdown::Write)?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}
