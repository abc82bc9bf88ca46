//! The program that sees what this host sends: attached beside the one that judges what comes in.

use aya::programs::links::Link as _;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcHandle};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType, tc};

use super::attach::{pin, take_over};
use super::raw::Link;
use super::{Fence, FenceError, Pins};

pub(super) const PROGRAM: &str = "egress";

/// Where the filter stands among those of the queueing discipline `clsact`, for kernels before 6.6.
const PRIORITY: u16 = 0x5246;
const HANDLE: TcHandle = TcHandle::new(0, 1);

impl Fence {
    /// Attaches the program for what this host sends to an interface, so that it stays there without the daemon. Where
    /// it is attached already, by this or an earlier daemon, of whatever layout, the program is replaced.
    pub(super) fn attach_sent(&mut self, interface: &str, index: u32) -> Result<(), FenceError> {
        self.adopt(Pins::egress, interface, index)?;
        let path = self.pins.egress(interface);
        let program = self.egress_program()?;
        if take_over(program, &path, index)? {
            return Ok(());
        }
        match Link::create_egress(program, index) {
            Ok(link) => pin(&link, &path),
            // Linux before 6.6 does not know this kind of link.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self
                .attach_filter(interface)
                .map_err(|source| FenceError::Egress {
                    interface: interface.to_owned(),
                    source: Box::new(source),
                }),
            Err(source) => Err(FenceError::Egress {
                interface: interface.to_owned(),
                source: Box::new(source.into()),
            }),
        }
    }

    /// The older way: a filter of the queueing discipline `clsact`, which stays until it is deleted.
    pub(super) fn attach_filter(&mut self, interface: &str) -> Result<(), ProgramError> {
        // It may be there already, of somebody else too.
        let _ = tc::qdisc_add_clsact(interface);
        let kind = TcAttachType::Egress;
        let program = self.egress_program_mut()?;
        let options = tc::TcAttachOptions::Netlink(NlOptions {
            priority: PRIORITY,
            handle: HANDLE,
            classid: None,
        });
        let link = match program.attach_with_options(interface, kind, options) {
            Ok(link) => link,
            Err(_) => {
                let link = SchedClassifierLink::attached(interface, kind, PRIORITY, HANDLE, None)
                    .map_err(tc::TcError::IoError)?;
                program.attach_to_link(link)?
            }
        };
        // What is dropped is detached.
        std::mem::forget(program.take_link(link)?);
        Ok(())
    }

    fn egress_program(&self) -> Result<std::os::fd::BorrowedFd<'_>, FenceError> {
        use std::os::fd::AsFd as _;
        let program: &SchedClassifier = self
            .ebpf
            .program(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(FenceError::Missing(PROGRAM))?;
        Ok(program.fd().map_err(Box::new)?.as_fd())
    }

    pub(super) fn egress_program_mut(&mut self) -> Result<&mut SchedClassifier, ProgramError> {
        self.ebpf
            .program_mut(PROGRAM)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()
    }
}

/// Removes the filter of [`Fence::attach_egress`] from an interface, where it is one. Others' filters stay, and so does
/// the queueing discipline, which may be theirs.
pub(super) fn detach_filter(interface: &str) {
    let kind = TcAttachType::Egress;
    if let Ok(link) = SchedClassifierLink::attached(interface, kind, PRIORITY, HANDLE, None) {
        let _ = link.detach();
    }
}
