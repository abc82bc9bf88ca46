//! A program for what leaves that does nothing: two instructions, of which no object is needed.

use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};

/// `r0 = -1; exit`: the packet is left to whatever comes next (`linux/bpf.h`).
const INSTRUCTIONS: [u64; 2] = [0xffff_ffff_0000_00b7, 0x95];
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;

/// The attributes of BPF_PROG_LOAD (`union bpf_attr`), as far as they are used.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    licence: u64,
}

/// Those of BPF_PROG_TEST_RUN.
#[repr(C)]
struct TestRun {
    program: i32,
    answer: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context: [u64; 3],
    batch: [u32; 2],
}

/// The loaded program.
pub struct Bare(OwnedFd);

fn call<T>(command: libc::c_long, attributes: &mut T) -> Result<i32, Error> {
    let size = size_of::<T>();
    // SAFETY: the attributes have the layout of the command, and what they point to outlives the
    // call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes as *mut T, size) };
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(result as i32)
}

impl Bare {
    /// Loads it.
    pub fn load() -> Result<Self> {
        let licence = c"GPL";
        let mut attributes = Load {
            kind: BPF_PROG_TYPE_SCHED_CLS,
            count: INSTRUCTIONS.len() as u32,
            instructions: INSTRUCTIONS.as_ptr() as u64,
            licence: licence.as_ptr() as u64,
        };
        let fd = call(BPF_PROG_LOAD, &mut attributes)
            .context("the kernel refuses a program of two instructions")?;
        // SAFETY: the kernel just gave it to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Mean ns of it.
    pub fn run(&self, frame: &[u8], packets: u32) -> Result<f64> {
        let mut attributes = TestRun {
            program: self.0.as_raw_fd(),
            answer: 0,
            size_in: frame.len() as u32,
            size_out: 0,
            data_in: frame.as_ptr() as u64,
            data_out: 0,
            repeat: packets,
            duration: 0,
            context: [0; 3],
            batch: [0; 2],
        };
        call(BPF_PROG_TEST_RUN, &mut attributes).context("the bare program does not run")?;
        Ok(f64::from(attributes.duration))
    }
}
