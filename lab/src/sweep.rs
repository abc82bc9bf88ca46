//! Takes away what a laboratory left whose process was killed, so that nothing was dropped.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use crate::error::{During, Result};
use crate::netns;

/// What the name of every directory of the laboratory begins with, before the process id.
pub const PREFIX: &str = "ringfence-lab-";

/// Removes the namespaces, mounts and directories of laboratories whose process is gone.
pub fn sweep() -> Result<()> {
    for (name, _) in left_in(Path::new(netns::DIRECTORY), netns::PREFIX) {
        netns::remove(&name)?;
    }
    for (_, directory) in left_in(&std::env::temp_dir(), PREFIX) {
        unmount_below(&directory)?;
        fs::remove_dir_all(&directory).during(format!("remove {}", directory.display()))?;
    }
    Ok(())
}

/// The names and paths in a directory that a laboratory made whose process is gone.
fn left_in(directory: &Path, prefix: &str) -> Vec<(String, PathBuf)> {
    // A system that never had a namespace has no directory for them.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry));
    named
        .filter(|(name, _)| {
            maker(name, prefix).is_some_and(|pid| !Path::new("/proc").join(pid).exists())
        })
        .map(|(name, entry)| (name, entry.path()))
        .collect()
}

/// The id of the process that made something, from its name: PREFIX, PID, `-`, the rest.
fn maker<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (pid, rest) = name.strip_prefix(prefix)?.split_once('-')?;
    (pid.parse::<u32>().is_ok() && !rest.is_empty()).then_some(pid)
}

fn unmount_below(directory: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").during("read the list of mounts")?;
    let targets = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(Path::new);
    for target in targets.filter(|target| target.starts_with(directory)) {
        umount2(target, MntFlags::MNT_DETACH).during(format!("unmount {}", target.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::maker;

    #[test]
    fn only_the_laboratorys_names_are_swept() {
        assert_eq!(maker("rf-12-3-pbx", "rf-"), Some("12"));
        for other in [
            "rf-pbx",
            "rf-x-3-pbx",
            "rf-12-",
            "rf-12",
            "12-3-pbx",
            "my-rf-12-3-pbx",
        ] {
            assert_eq!(maker(other, "rf-"), None, "{other}");
        }
    }
}
