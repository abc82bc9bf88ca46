//! The pages as files.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{Page, Published};

/// The versions of the pages that were written.
pub type Written = BTreeMap<Page, String>;

/// Writes the pages whose version is not in `written` into a directory, which is made where it is not there. Each file is
/// whole at any moment: it is written beside its place, synced and renamed.
///
/// # Errors
/// When a file cannot be written; `written` says which were before it.
pub fn write(directory: &Path, published: &Published, written: &mut Written) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)?;
    for page in Page::ALL {
        let version = published.version(page);
        if written.get(&page).is_some_and(|known| known == version) {
            continue;
        }
        let beside = directory.join(format!(".{}.new", page.name()));
        // What an earlier run left, or somebody put there, is not followed.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&beside)?;
        file.write_all(published.text(page).as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, directory.join(page.name()))?;
        written.insert(page, version.to_owned());
    }
    Ok(())
}
