//! Where maps and links are pinned, so that the fence stands without the daemon.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use ringfence_core::control::LAYOUT;

use super::FenceError;
use super::layout::{EVENTS, MAPS, Shape};

/// The directory of the pins, `<bpffs>/ringfence/v<LAYOUT>`.
#[derive(Debug, Clone)]
pub struct Pins {
    bpffs: PathBuf,
    directory: PathBuf,
}

const LINK: &str = "link-";

impl Pins {
    /// The pins below a mount point; nothing is made.
    pub fn below(bpffs: &Path) -> Self {
        Self {
            bpffs: bpffs.to_owned(),
            directory: bpffs.join("ringfence").join(format!("v{LAYOUT}")),
        }
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
            .map_err(|source| FenceError::Pin {
                action: "make",
                path: self.directory.clone(),
                source,
            })
    }

    /// Whether a program is pinned, of any layout.
    pub fn stand(&self) -> bool {
        let entries = |path| fs::read_dir(path).into_iter().flatten().flatten();
        entries(self.bpffs.join("ringfence"))
            .flat_map(|layout| entries(layout.path()))
            .any(|pin| pin.file_name().to_string_lossy().starts_with(LINK))
    }

    /// Locks the pins of all layouts for as long as the file is open.
    pub fn lock(&self) -> Result<File, FenceError> {
        let path = &self.bpffs.join("ringfence");
        let failed = |source| FenceError::Pin {
            action: "lock",
            path: path.clone(),
            source,
        };
        let directory = File::open(path).map_err(failed)?;
        match directory.try_lock() {
            Ok(()) => Ok(directory),
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
        let name = interface.replace('%', "%25").replace('.', "%2e");
        self.directory.join(format!("{LINK}{name}"))
    }

    /// The interfaces whose links are pinned.
    pub fn interfaces(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                Some(
                    name.strip_prefix(LINK)?
                        .replace("%2e", ".")
                        .replace("%25", "%"),
                )
            })
            .collect();
        names.sort_unstable();
        names
    }

    /// Compares each pinned map with what the program needs: opening another one would corrupt memory.
    pub fn check(&self) -> Result<(), FenceError> {
        for (name, wanted) in MAPS.iter().chain([&EVENTS]) {
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
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FenceError::Pin {
                action: "remove",
                path,
                source,
            }
        };
        let versions = match fs::read_dir(&root) {
            Ok(versions) => versions,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(&root)(error)),
        };
        let mut any = false;
        for version in versions {
            let version = version.map_err(failed(&root))?.path();
            let mut pins: Vec<_> = fs::read_dir(&version)
                .map_err(failed(&version))?
                .collect::<io::Result<Vec<_>>>()
                .map_err(failed(&version))?;
            pins.sort_by_key(|pin| !pin.file_name().to_string_lossy().starts_with(LINK));
            for pin in pins {
                any = true;
                fs::remove_file(pin.path()).map_err(failed(&pin.path()))?;
            }
            fs::remove_dir(&version).map_err(failed(&version))?;
        }
        fs::remove_dir(&root).map_err(failed(&root))?;
        Ok(any)
    }
}
