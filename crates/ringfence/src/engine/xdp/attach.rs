//! Attaching, and taking over what an earlier daemon left attached.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::raw::{FLAG_DRIVER, FLAG_GENERIC, Link};
use super::{Fence, FenceError, Pins, egress};

/// How the program came to an interface.
#[derive(Debug)]
pub enum Attached {
    /// Attached in the driver.
    Driver,
    /// Attached in the network stack, since the driver refused.
    Generic {
        /// What the driver's mode was answered.
        why: io::Error,
    },
    /// In the place of the program of an earlier daemon, where that was.
    TakenOver,
}

impl Fence {
    /// Attaches the program to an interface and pins it there. Where a link is pinned already, by this or by another
    /// layout, the program in it is replaced: no packet passes unjudged.
    pub fn attach(&self, interface: &str, index: u32) -> Result<Attached, FenceError> {
        let program = self.program()?;
        self.adopt(Pins::link, interface, index)?;
        let path = self.pins.link(interface);
        let failed = |action| {
            let path = path.clone();
            move |source| FenceError::Pin {
                action,
                path,
                source,
            }
        };
        match Link::open(&path) {
            // A link outlives its interface, but never comes back to life; nor may it be another interface's.
            Ok(link) if link.interface().map_err(failed("read"))? == Some(index) => {
                match link.replace(program) {
                    Ok(()) => return Ok(Attached::TakenOver),
                    Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
                    Err(error) => return Err(failed("take over")(error)),
                }
                fs::remove_file(&path).map_err(failed("remove"))?;
            }
            Ok(_) => fs::remove_file(&path).map_err(failed("remove"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("open")(error)),
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
        link.pin(&path).map_err(failed("pin the link at"))?;
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
    pub fn detach(&self, interface: &str) -> Result<(), FenceError> {
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

    /// The interfaces with a pinned link.
    pub fn attached(&self) -> Vec<String> {
        self.pins.interfaces()
    }
}
