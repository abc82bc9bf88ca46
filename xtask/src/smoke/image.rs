//! The guest's files: an archive that the kernel unpacks into its first file system.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::output;

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_755;

/// An archive in the form that `cpio -H newc` writes (kernel: Documentation/driver-api/early-userspace).
pub struct Image {
    /// Contents by path, without the first slash; None for a directory.
    entries: BTreeMap<String, Option<Vec<u8>>>,
}

impl Image {
    /// An image of nothing.
    pub fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }

    /// Adds a file, and the directories above it.
    pub fn file(&mut self, path: &str, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.put(path, bytes);
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>) {
        let path = path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            self.entries.insert(path[..end].to_owned(), None);
        }
        self.entries.insert(path.to_owned(), Some(bytes));
    }

    /// Adds a program without its debug information, and the libraries that it needs, where it looks for them.
    pub fn program(&mut self, path: &str, from: &Path) -> Result<()> {
        let stripped = from.with_extension("stripped");
        output(Command::new("strip").arg("-o").arg(&stripped).arg(from))?;
        self.file(path, &stripped)?;
        fs::remove_file(&stripped)?;
        // Each line is `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` for the loader.
        for line in output(Command::new("ldd").arg(from))?.lines() {
            let library = line.split(" => ").last().unwrap_or_default();
            let library = library.split_whitespace().next().unwrap_or_default();
            if library.starts_with('/') {
                self.file(library, Path::new(library))?;
            }
        }
        Ok(())
    }

    /// Writes the archive.
    pub fn write(&self, to: &Path) -> Result<()> {
        let mut archive = Vec::new();
        for (number, (path, contents)) in (1..).zip(&self.entries) {
            let mode = if contents.is_some() { FILE } else { DIRECTORY };
            member(
                &mut archive,
                number,
                mode,
                path,
                contents.as_deref().unwrap_or_default(),
            );
        }
        member(&mut archive, 0, 0, "TRAILER!!!", &[]);
        fs::write(to, archive).with_context(|| format!("cannot write {}", to.display()))
    }
}

fn member(archive: &mut Vec<u8>, number: u32, mode: u32, path: &str, bytes: &[u8]) {
    let (size, name) = (bytes.len() as u32, path.len() as u32 + 1);
    // Inode, mode, owner, group, links, time, size, device, device of a node, length of the name, sum.
    let fields = [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(path.bytes().chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}
