//! The kernel that is booted: Debian 12's for clouds, taken from its package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell::{self, output};

/// What names the current package, and what its kernel's release begins with.
const META: &str = "linux-image-cloud-amd64";
const SERIES: &str = "linux-image-6.1.";

const REMEDY: &str = "Debian 12's package of Linux 6.1 is needed (linux-image-6.1.0-NN-cloud-amd64): \
                      run this on Debian 12, or fetch the package from a Debian mirror and name the file with --kernel";

/// An unpacked kernel.
pub struct Kernel {
    /// Where it was unpacked.
    pub directory: PathBuf,
    /// The compressed image.
    pub image: PathBuf,
    /// What `uname -r` says there.
    pub release: String,
}

impl Kernel {
    /// Unpacks the kernel of a package, or of the one that the system's package lists name. What was unpacked once
    /// is used again.
    pub fn unpacked(package: Option<&Path>) -> Result<Self> {
        let home = PathBuf::from("target/smoke");
        fs::create_dir_all(&home)?;
        let (name, file) = match package {
            Some(file) => {
                let name = output(Command::new("dpkg-deb").arg("-f").arg(file).arg("Package"))?;
                (name, Some(fs::canonicalize(file)?))
            }
            None => (current().or_else(|_| refreshed())?, None),
        };
        let directory = home.join(&name);
        if file.is_some() || !directory.join("unpacked").exists() {
            let file = file.map_or_else(|| download(&home, &name), Ok)?;
            shell::run(Command::new("dpkg-deb").arg("-x").arg(file).arg(&directory))?;
            fs::write(directory.join("unpacked"), "")?;
        }
        let release = name.trim_start_matches("linux-image-").to_owned();
        let image = directory.join("boot").join(format!("vmlinuz-{release}"));
        ensure!(image.exists(), "there is no {}", image.display());
        Ok(Self {
            directory,
            image,
            release,
        })
    }

    /// A module, by its path below the kernel's own.
    pub fn module(&self, path: &str) -> PathBuf {
        let modules = self.directory.join("lib/modules").join(&self.release);
        modules.join("kernel").join(path)
    }
}

/// The name of the package that the system's lists hold to be current.
fn current() -> Result<String> {
    let depends = output(Command::new("apt-cache").args(["depends", META])).context(REMEDY)?;
    let name = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|name| name.starts_with(SERIES))
        .context(REMEDY)?;
    Ok(name.to_owned())
}

/// The same, once the lists are those of today.
fn refreshed() -> Result<String> {
    shell::run(Command::new("apt-get").args(["update", "-q"])).context(REMEDY)?;
    current()
}

fn download(home: &Path, name: &str) -> Result<PathBuf> {
    let files = || -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(home)?.collect::<std::io::Result<Vec<_>>>()?;
        let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        files.retain(|path| {
            path.extension().is_some_and(|it| it == "deb")
                && path.to_string_lossy().contains(&format!("{name}_"))
        });
        Ok(files)
    };
    if files()?.is_empty() {
        shell::run(
            Command::new("apt-get")
                .args(["download", "-q", "-o", "APT::Sandbox::User=root", name])
                .current_dir(home),
        )
        .context("cannot download the kernel; run `apt-get update` and try again")?;
    }
    files()?
        .pop()
        .with_context(|| format!("apt-get left no {name}_*.deb in {}", home.display()))
}
