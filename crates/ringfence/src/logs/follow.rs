//! Follows a file that another program writes, through rotation and truncation.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::lines::{LONGEST, Lines};

/// Bytes that are read in one go.
const STEP: usize = 64 * 1024;
/// Bytes that are read at most before the caller has its turn.
const TURN: usize = 1 << 20;
/// Bytes that may be behind; more are left out, so that what is told is recent.
const BEHIND: u64 = 64 << 20;
/// Turns without anything new after which a file that was moved away is left: its writer has opened the new one.
const QUIET: u32 = 2;

/// The end of a file, as it grows.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// The file was there, or was looked for once: what appears from now on is new from its first byte.
    looked: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    at: u64,
    lines: Lines,
    quiet: u32,
}

impl Tail {
    /// Of the file at `path`, from its end on; it need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            looked: false,
            buffer: vec![0; STEP],
        }
    }

    /// Reads what is new, 1 MiB at most; `told` is called with each line that is whole, up to 16 KiB long. Gives whether
    /// there was anything.
    ///
    /// # Errors
    /// When the file is not there or cannot be read. Later turns try again.
    pub fn turn(&mut self, mut told: impl FnMut(&str)) -> io::Result<bool> {
        let now = fs::metadata(&self.path);
        if self.open.is_none() {
            let from_start = std::mem::replace(&mut self.looked, true);
            self.open = Some(Open::new(&self.path, from_start)?);
        }
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        let read = open.read(&mut self.buffer, &mut told)?;
        if read {
            open.quiet = 0;
            return Ok(true);
        }
        let moved = now.is_ok_and(|now| (now.dev(), now.ino()) != open.id);
        if moved {
            open.quiet += 1;
            if open.quiet >= QUIET {
                open.lines.end(&mut told);
                self.open = None;
            }
        }
        Ok(false)
    }
}

impl Open {
    fn new(path: &Path, from_start: bool) -> io::Result<Self> {
        // To open a pipe waits for a writer.
        if !fs::metadata(path)?.is_file() {
            let message = "it is no regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        let at = if from_start { 0 } else { meta.len() };
        let whole = at == 0 || ends_line(&mut file, at)?;
        file.seek(SeekFrom::Start(at))?;
        Ok(Self {
            file,
            id: (meta.dev(), meta.ino()),
            at,
            lines: Lines::new(LONGEST, whole),
            quiet: 0,
        })
    }

    fn read(&mut self, buffer: &mut [u8], told: &mut impl FnMut(&str)) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length < self.at {
            // Emptied in place, as `copytruncate` does.
            self.start_at(0, true)?;
        } else if length - self.at > BEHIND {
            self.start_at(length, false)?;
        }
        let mut read = 0;
        while read < TURN {
            let count = self.file.read(buffer)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            self.lines.read(bytes, &mut *told);
            self.at += count as u64;
            read += count;
        }
        Ok(read > 0)
    }

    fn start_at(&mut self, at: u64, whole: bool) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.at = at;
        self.lines = Lines::new(LONGEST, whole);
        Ok(())
    }
}

/// Whether the byte before `at` ends a line.
fn ends_line(file: &mut File, at: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(at - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// What a few turns tell.
    fn turns(tail: &mut Tail) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..6 {
            let _ = tail.turn(|line| all.push(line.to_owned()));
        }
        all
    }

    #[test]
    fn only_what_is_new_is_told_and_half_lines_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append(&path, "old\nhalf");
        let mut tail = Tail::new(&path);
        assert!(turns(&mut tail).is_empty());
        append(&path, " of it\none\ntw");
        assert_eq!(turns(&mut tail), ["one"]);
        append(&path, "o\n");
        assert_eq!(turns(&mut tail), ["two"]);
        append(&path, &format!("{}\nafter\n", "x".repeat(100_000)));
        assert_eq!(turns(&mut tail), ["after"]);
    }

    #[test]
    fn a_file_that_appears_is_new_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut tail = Tail::new(&path);
        assert!(tail.turn(|_| ()).is_err());
        append(&path, "first\n");
        assert_eq!(turns(&mut tail), ["first"]);
    }

    #[test]
    fn rotation_loses_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        append(&path, "");
        let mut tail = Tail::new(&path);
        assert!(turns(&mut tail).is_empty());
        append(&path, "one\n");
        fs::rename(&path, &old).unwrap();
        // The writer still has the old file open.
        append(&old, "two\n");
        assert_eq!(turns(&mut tail), ["one", "two"]);
        append(&old, "three\n");
        append(&path, "four\n");
        assert_eq!(turns(&mut tail), ["three", "four"]);
        append(&path, "five\n");
        assert_eq!(turns(&mut tail), ["five"]);
    }

    #[test]
    fn truncation_starts_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append(&path, "a long first line\nha");
        let mut tail = Tail::new(&path);
        append(&path, "lf\nwhole\n");
        turns(&mut tail);
        fs::write(&path, "").unwrap();
        assert!(turns(&mut tail).is_empty());
        append(&path, "new\n");
        assert_eq!(turns(&mut tail), ["new"]);
        fs::write(&path, "x\n").unwrap();
        assert_eq!(turns(&mut tail), ["x"]);
    }
}
