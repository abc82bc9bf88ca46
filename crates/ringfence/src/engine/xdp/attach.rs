//! Attaching, and taking over what an earlier daemon left attached.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::raw::{FLAG_DRIVER, FLAG_GENERIC, Link};
use super::{Fence, FenceError, Pins, egress};
use crate::engine::Attached;

impl Fence {
    /// Attaches the program to an interface and pins it there. Where a link is pinned already, by this or by another
    /// layout, the program in it is replaced: no packet passes unjudged.
    pub(super) fn attach_ingress(
        &self,
        interface: &str,
        index: u32,
    ) -> Result<Attached, FenceError> {
        let program = self.program()?;
        self.adopt(Pins::link, interface, index)?;
        let path = self.pins.link(interface);
        if take_over(program, &path, index)? {
            return Ok(Attached::TakenOver);
        }
        let occupied =
            |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST));
        let (link, attached) = match Link::create(program, index, FLAG_DRIVER) {
            Ok(link) => (link, Attached::Driver),
            Err(driver) if occupied(&driver) => {
                return Err(FenceError::Occupied {
                    interface: interface.to_owned(),
                });
            }
            Err(driver) => match Link::create(program, index, FLAG_GENERIC) {
                Ok(link) => (link, Attached::Generic { why: driver }),
                Err(generic) if occupied(&generic) => {
                    return Err(FenceError::Occupied {
                        interface: interface.to_owned(),
                    });
                }
                Err(generic) => {
                    return Err(FenceError::Attach {
                        interface: interface.to_owned(),
                        driver,
                        generic,
                    });
                }
            },
        };
        pin(&link, &path)?;
        Ok(attached)
    }

    /// Gives another layout's pin of a link that lives the name that ours would have. It is one step: at no time is the
    /// link without a pin.
    pub(super) fn adopt(
        &self,
        pin: fn(&Pins, &str) -> PathBuf,
        interface: &str,
        index: u32,
    ) -> Result<(), FenceError> {
        for other in self.pins.others()? {
            let path = pin(&other, interface);
            if Link::open(&path).is_ok_and(|link| link.interface().is_ok_and(|i| i == Some(index)))
            {
                let ours = pin(&self.pins, interface);
                fs::rename(&path, ours).map_err(|source| FenceError::Pin {
                    action: "move",
                    path,
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// Detaches from an interface that is no longer guarded.
    pub(super) fn detach_from(&self, interface: &str) -> Result<(), FenceError> {
        egress::detach_filter(interface);
        for path in [self.pins.link(interface), self.pins.egress(interface)] {
            if let Err(source) = fs::remove_file(&path)
                && source.kind() != io::ErrorKind::NotFound
            {
                return Err(FenceError::Pin {
                    action: "remove",
                    path,
                    source,
                });
            }
        }
        Ok(())
    }
}

/// Puts the program into the link that is pinned there, if it is one to the interface; whether it was. A link outlives
/// its interface, but never comes back to life: such a pin is removed.
pub(super) fn take_over(
    program: BorrowedFd<'_>,
    path: &Path,
    index: u32,
) -> Result<bool, FenceError> {
    let link = match Link::open(path) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("open", path)(error)),
    };
    if link.interface().map_err(failed("read", path))? == Some(index) {
        match link.replace(program) {
            Ok(()) => return Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
            Err(error) => return Err(failed("take over", path)(error)),
        }
    }
    fs::remove_file(path).map_err(failed("remove", path))?;
    Ok(false)
}

/// Pins a new link.
pub(super) fn pin(link: &Link, path: &Path) -> Result<(), FenceError> {
    link.pin(path).map_err(failed("pin the link at", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FenceError {
    let path = path.to_owned();
    move |source| FenceError::Pin {
        action,
        path,
        source,
    }
}
