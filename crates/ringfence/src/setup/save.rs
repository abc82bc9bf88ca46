//! Writing the file: whole or not at all, and what was there stays beside it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Copies of earlier files beyond which none is made any more.
const COPIES: u32 = 99;

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where the file is that stood there before, if one did.
    pub kept: Option<PathBuf>,
}

/// Writes `text` to `path`, which is readable by whoever could read the file before, else by all. What is there is moved
/// to the first free of `path.bak`, `path.bak.1` and so on. The directory is made where it is missing.
///
/// # Errors
/// What the system says; then the file is as it was.
pub fn save(path: &Path, text: &str) -> io::Result<Saved> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)?;
    }
    let before = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Some(metadata.permissions().mode() & 0o777),
        Ok(_) => return Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let new = beside(path, ".new");
    // What an earlier run left when it was cut off.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = before.unwrap_or(0o644);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    let kept = written.and_then(|()| before.map(|_| keep(path)).transpose());
    let kept = kept.and_then(|kept| fs::rename(&new, path).map(|()| kept));
    if kept.is_err() {
        // The error that is told is the first one.
        let _ = fs::remove_file(&new);
    }
    kept.map(|kept| Saved { kept })
}

/// Gives the file a second name, so that at no time there is none under the first.
fn keep(path: &Path) -> io::Result<PathBuf> {
    for number in 0..=COPIES {
        let copy = match number {
            0 => beside(path, ".bak"),
            number => beside(path, &format!(".bak.{number}")),
        };
        match fs::hard_link(path, &copy) {
            Ok(()) => return Ok(copy),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!(
        "{} copies of earlier files are there; remove some",
        COPIES + 1
    )))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/ringfence.toml");
        assert_eq!(save(&path, "one").unwrap().kept, None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let first = save(&path, "two").unwrap().kept.unwrap();
        let second = save(&path, "three").unwrap().kept.unwrap();
        assert_ne!(first, second);
        let texts = [&first, &second, &path].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(texts, ["one", "two", "three"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 3);
    }

    #[test]
    fn a_directory_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(save(folder.path(), "x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
