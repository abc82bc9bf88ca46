//! Where maps and links are pinned, so that the fence stands without the daemon.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use ringfence_core::control::LAYOUT;

use super::layout::{EVENTS, LESSONS, MAPS, Shape};
use super::raw::Link;
use super::{FenceError, egress};

/// The directory of the pins of one layout, `<bpffs>/ringfence/v<LAYOUT>`.
#[derive(Debug, Clone)]
pub struct Pins {
    bpffs: PathBuf,
    directory: PathBuf,
    layout: u32,
}

/// The right to change what is pinned.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close the file is not enough while a child that was just forked has it too.
        let _ = self.0.unlock();
    }
}

const LINK: &str = "link-";
/// Of links of the program for what this host sends.
const EGRESS: &str = "out-";

impl Pins {
    /// The pins of this program's layout below a mount point; nothing is made.
    pub fn below(bpffs: &Path) -> Self {
        Self::of_layout(bpffs, LAYOUT)
    }

    fn of_layout(bpffs: &Path, layout: u32) -> Self {
        Self {
            bpffs: bpffs.to_owned(),
            directory: bpffs.join("ringfence").join(format!("v{layout}")),
            layout,
        }
    }

    /// The pins of other layouts at the same place, the oldest first.
    pub fn others(&self) -> Result<Vec<Self>, FenceError> {
        let mut layouts = Vec::new();
        for name in names(&self.bpffs.join("ringfence"))? {
            let number = name
                .strip_prefix('v')
                .and_then(|number| number.parse().ok());
            layouts.extend(number.filter(|layout: &u32| {
                // Another spelling of a number is another directory, and none of ours.
                *layout != self.layout && format!("v{layout}") == name
            }));
        }
        layouts.sort_unstable();
        let of = |layout| Self::of_layout(&self.bpffs, layout);
        Ok(layouts.into_iter().map(of).collect())
    }

    /// The layout that they are of.
    pub fn layout(&self) -> u32 {
        self.layout
    }

    /// Makes the directory.
    pub fn create(&self) -> Result<(), FenceError> {
        let is_bpffs = statfs(&self.bpffs).is_ok_and(|fs| fs.filesystem_type() == BPF_FS_MAGIC);
        if !is_bpffs {
            return Err(FenceError::NoBpffs {
                path: self.bpffs.clone(),
            });
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(failed("make", &self.directory))?;
        let root = self.bpffs.join("ringfence");
        [root, self.directory.clone()]
            .into_iter()
            .try_for_each(is_ours)
    }

    /// Whether a program is pinned, of any layout.
    pub fn stand(&self) -> bool {
        let entries = |path| fs::read_dir(path).into_iter().flatten().flatten();
        entries(self.bpffs.join("ringfence"))
            .flat_map(|layout| entries(layout.path()))
            .any(|pin| pin.file_name().to_string_lossy().starts_with(LINK))
    }

    /// Locks the pins of all layouts for as long as the value lives.
    pub fn lock(&self) -> Result<Lock, FenceError> {
        let path = &self.bpffs.join("ringfence");
        let failed = |source| FenceError::Pin {
            action: "lock",
            path: path.clone(),
            source,
        };
        let directory = File::open(path).map_err(failed)?;
        match directory.try_lock() {
            Ok(()) => Ok(Lock(directory)),
            Err(TryLockError::WouldBlock) => Err(FenceError::Held { path: path.clone() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The pin of an interface's link. A BPF file system takes no dots, which the names of VLANs have.
    pub fn link(&self, interface: &str) -> PathBuf {
        self.pin(LINK, interface)
    }

    /// The pin of the interface's link for what is sent there.
    pub fn egress(&self, interface: &str) -> PathBuf {
        self.pin(EGRESS, interface)
    }

    fn pin(&self, kind: &str, interface: &str) -> PathBuf {
        let name = interface.replace('%', "%25").replace('.', "%2e");
        self.directory.join(format!("{kind}{name}"))
    }

    /// The interfaces whose links are pinned.
    pub fn interfaces(&self) -> Vec<String> {
        let pins = names(&self.directory).unwrap_or_default();
        let links = pins.iter().filter_map(|name| name.strip_prefix(LINK));
        links
            .map(|name| name.replace("%2e", ".").replace("%25", "%"))
            .collect()
    }

    /// The names of the pinned maps.
    pub fn maps(&self) -> Result<Vec<String>, FenceError> {
        let mut names = names(&self.directory)?;
        names.retain(|name| !is_link(name));
        Ok(names)
    }

    /// Compares each pinned map with what the program needs: opening another one would corrupt memory.
    pub fn check(&self) -> Result<(), FenceError> {
        for (name, wanted) in MAPS.iter().chain([&EVENTS, &LESSONS]) {
            let path = self.map(name);
            if !path.exists() {
                continue;
            }
            let found = MapInfo::from_pin(&path)
                .ok()
                .and_then(|info| Shape::of(&info));
            if found.as_ref() != Some(wanted) {
                return Err(FenceError::Layout { name, path });
            }
        }
        Ok(())
    }

    /// Removes every pin, of every layout, links first: the programs are detached. Whether there were any.
    pub fn remove(&self) -> Result<bool, FenceError> {
        let root = self.bpffs.join("ringfence");
        if fs::symlink_metadata(&root).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(false);
        }
        // A link to elsewhere, planted by another user, would have files removed there.
        is_ours(root.clone())?;
        for pins in self.others()?.iter().chain([self]) {
            for interface in pins.interfaces() {
                egress::detach_filter(&interface);
            }
        }
        let mut any = false;
        for version in names(&root)? {
            any |= remove_directory(&root.join(version))?;
        }
        fs::remove_dir(&root).map_err(failed("remove", &root))?;
        Ok(any)
    }

    /// Removes the pins of this layout alone, links first.
    pub fn remove_layout(&self) -> Result<(), FenceError> {
        remove_directory(&self.directory).map(drop)
    }
}

/// Refuses a directory that somebody else may write. A BPF file system often lets any user make one, and whoever may
/// remove a link opens the fence.
fn is_ours(path: PathBuf) -> Result<(), FenceError> {
    let found = fs::symlink_metadata(&path).map_err(failed("read", &path))?;
    let owner = found.uid() == nix::unistd::geteuid().as_raw();
    if found.is_dir() && owner && found.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(FenceError::Foreign { path })
    }
}

fn is_link(name: &str) -> bool {
    name.starts_with(LINK) || name.starts_with(EGRESS)
}

/// Removes a directory and the pins in it; whether there were any.
fn remove_directory(directory: &Path) -> Result<bool, FenceError> {
    let mut pins = names(directory)?;
    pins.sort_by_key(|name| !is_link(name));
    for name in &pins {
        let path = directory.join(name);
        // Whoever is told that the fence is down may attach another program at once. What cannot be detached goes with
        // its pin.
        if is_link(name)
            && let Ok(link) = Link::open(&path)
        {
            let _ = link.detach();
        }
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    fs::remove_dir(directory).map_err(failed("remove", directory))?;
    Ok(!pins.is_empty())
}

/// The names in a directory, sorted; none where it is not there.
fn names(directory: &Path) -> Result<Vec<String>, FenceError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed("read", directory))?.file_name();
        // The BPF file system takes any name, and nothing of ours has another than this.
        names.extend(name.into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FenceError {
    let path = path.to_owned();
    move |source| FenceError::Pin {
        action,
        path,
        source,
    }
}
