//! Writing and removing the files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{File, Kind};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was written, or would be.
    Written,
    /// It is there as it should be.
    Unchanged,
    /// It is the administrator's, and stays as it is.
    Kept,
    /// It was removed, or would be.
    Removed,
    /// It was not there.
    Absent,
}

impl Outcome {
    /// A word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept, it is yours",
            Self::Removed => "removed",
            Self::Absent => "not there",
        }
    }
}

/// Where a path of the installed system stands below a root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Puts a file in its place below `root`. With `dry` it only tells.
///
/// # Errors
/// When the place cannot be read or written.
pub fn put(root: &Path, file: &File, dry: bool) -> io::Result<Outcome> {
    let path = below(root, &file.path);
    match fs::read(&path) {
        Ok(found) if found == file.contents => return Ok(Outcome::Unchanged),
        Ok(_) if file.kind == Kind::Configuration => return Ok(Outcome::Kept),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if !dry {
        replace(&path, file.mode, |new| new.write_all(&file.contents))?;
    }
    Ok(Outcome::Written)
}

/// Copies a program to `to` below `root`; one that runs from there goes on running from the old file.
///
/// # Errors
/// When either cannot be read, or the copy not be written.
pub fn copy_program(root: &Path, from: &Path, to: &Path, dry: bool) -> io::Result<Outcome> {
    let path = below(root, to);
    let contents = fs::read(from)?;
    match fs::read(&path) {
        Ok(found) if found == contents => return Ok(Outcome::Unchanged),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if !dry {
        replace(&path, 0o755, |new| new.write_all(&contents))?;
    }
    Ok(Outcome::Written)
}

/// Removes a file below `root`; a configuration that was changed only with `all`.
///
/// # Errors
/// When it cannot be read or removed.
pub fn take(root: &Path, file: &File, all: bool, dry: bool) -> io::Result<Outcome> {
    let path = below(root, &file.path);
    let found = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Absent),
        found => found?,
    };
    if file.kind == Kind::Configuration && !all && found != file.contents {
        return Ok(Outcome::Kept);
    }
    if !dry {
        fs::remove_file(&path)?;
        // The directory goes where it was made for us alone and nothing else is in it.
        let ours = path.parent().filter(|it| it.ends_with("etc/ringfence"));
        if let Some(directory) = ours {
            let _ = fs::remove_dir(directory);
        }
    }
    Ok(Outcome::Removed)
}

/// Writes a file beside its place and moves it there, so that nobody sees half of it.
fn replace(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".ringfence-new");
    let new = directory.join(name);
    // One that an earlier try left, whoever may write it.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| {
            // Whatever the mask is.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            write(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn file(kind: Kind) -> File {
        File {
            path: "/etc/ringfence/x".into(),
            mode: 0o600,
            kind,
            contents: b"new".to_vec(),
        }
    }

    #[test]
    fn a_changed_configuration_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let (root, config) = (root.path(), file(Kind::Configuration));
        let path = root.join("etc/ringfence/x");
        assert_eq!(put(root, &config, true).unwrap(), Outcome::Written);
        assert!(!path.exists(), "a dry run writes nothing");
        assert_eq!(put(root, &config, false).unwrap(), Outcome::Written);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(put(root, &config, false).unwrap(), Outcome::Unchanged);
        fs::write(&path, "mine").unwrap();
        assert_eq!(put(root, &config, false).unwrap(), Outcome::Kept);
        assert_eq!(take(root, &config, false, false).unwrap(), Outcome::Kept);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(
            put(root, &file(Kind::Part), false).unwrap(),
            Outcome::Written
        );
        assert_eq!(fs::read(&path).unwrap(), b"new");
        fs::write(&path, "mine").unwrap();
        assert_eq!(take(root, &config, true, true).unwrap(), Outcome::Removed);
        assert!(path.exists(), "a dry run removes nothing");
        assert_eq!(take(root, &config, true, false).unwrap(), Outcome::Removed);
        assert!(!path.parent().unwrap().exists());
        assert_eq!(take(root, &config, true, false).unwrap(), Outcome::Absent);
    }

    #[test]
    fn a_program_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        fs::write(&from, "one").unwrap();
        let copy = || copy_program(root.path(), &from, Path::new("/usr/bin/p"), false).unwrap();
        assert_eq!(copy(), Outcome::Written);
        let to = root.path().join("usr/bin/p");
        let first = fs::metadata(&to).unwrap();
        assert_eq!(first.mode() & 0o777, 0o755);
        assert_eq!(copy(), Outcome::Unchanged);
        fs::write(&from, "two").unwrap();
        assert_eq!(copy(), Outcome::Written);
        assert_ne!(fs::metadata(&to).unwrap().ino(), first.ino());
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
    }
}
