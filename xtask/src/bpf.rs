//! The system call `bpf` where aya keeps its own to itself.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Commands (linux/bpf.h).
const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const BTF_LOAD: libc::c_long = 18;
const MAP_FREEZE: libc::c_long = 22;
const LINK_CREATE: libc::c_long = 28;

const PROG_TYPE_SCHED_CLS: u32 = 3;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// Each packet of a test run goes the way that the program's answer says.
const LIVE_FRAMES: u32 = 1 << 1;

/// Calls `bpf`.
///
/// # Safety
/// Every address in `attributes` must be valid for what the command reads and writes there.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are readable; the caller answers for the addresses in them.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}

/// What a program is attached to, which the verifier must know.
#[derive(Clone, Copy, Debug, Default)]
pub enum Kind {
    /// What an interface receives.
    #[default]
    Xdp,
    /// A queueing discipline, or what an interface sends.
    Classifier,
}

/// A program as the kernel wants it.
#[derive(Debug, Default)]
pub struct Program<'a> {
    /// What it is attached to.
    pub kind: Kind,
    /// Instructions of 8 bytes.
    pub code: &'a [u8],
    /// BPF_F_XDP_HAS_FRAGS, or none.
    pub flags: u32,
    /// The types, and what they say of functions and lines, with the size of a record.
    pub types: Option<Types<'a>>,
    /// What the verifier tells.
    pub log_level: u32,
}

/// Types of a program, loaded before it.
#[derive(Debug)]
pub struct Types<'a> {
    /// The loaded types.
    pub btf: BorrowedFd<'a>,
    /// Records of functions.
    pub functions: &'a [u8],
    /// The size of one.
    pub function_size: usize,
    /// Records of lines.
    pub lines: &'a [u8],
    /// The size of one.
    pub line_size: usize,
}

#[repr(C)]
struct ProgLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
    btf: u32,
    function_size: u32,
    functions: u64,
    function_count: u32,
    line_size: u32,
    lines: u64,
    line_count: u32,
    zero: u32,
}

/// Loads a program. The verifier writes into `log`, where that has room and the level is not 0.
pub fn load(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let count = |records: &[u8], size: usize| records.len().checked_div(size).unwrap_or(0) as u32;
    let types = program.types.as_ref();
    let functions = types.map_or((&[][..], 0), |it| (it.functions, it.function_size));
    let lines = types.map_or((&[][..], 0), |it| (it.lines, it.line_size));
    let logs = program.log_level != 0;
    let (kind, attach_type) = match program.kind {
        Kind::Xdp => (PROG_TYPE_XDP, ATTACH_XDP),
        Kind::Classifier => (PROG_TYPE_SCHED_CLS, 0),
    };
    let attributes = ProgLoad {
        kind,
        instructions: count(program.code, 8),
        code: program.code.as_ptr() as u64,
        licence: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: program.log_level,
        log_size: if logs { log.len() as u32 } else { 0 },
        log: if logs { log.as_mut_ptr() as u64 } else { 0 },
        version: 0,
        flags: program.flags,
        name: [0; 16],
        interface: 0,
        attach_type,
        btf: types.map_or(0, |it| it.btf.as_raw_fd().cast_unsigned()),
        function_size: functions.1 as u32,
        functions: functions.0.as_ptr() as u64,
        function_count: count(functions.0, functions.1),
        line_size: lines.1 as u32,
        lines: lines.0.as_ptr() as u64,
        line_count: count(lines.0, lines.1),
        zero: 0,
    };
    // SAFETY: code, log, functions, lines and licence outlive the call, in the lengths that are given.
    unsafe { opened(bpf(PROG_LOAD, &attributes)) }
}

/// Loads types.
pub fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct BtfLoad {
        types: u64,
        log: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
        zero: u32,
    }
    let attributes = BtfLoad {
        types: types.as_ptr() as u64,
        log: 0,
        size: types.len() as u32,
        log_size: 0,
        log_level: 0,
        zero: 0,
    };
    // SAFETY: the types outlive the call.
    unsafe { opened(bpf(BTF_LOAD, &attributes)) }
}

/// Lets nobody write a map any more: the verifier takes its values for constants.
pub fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the attributes are a descriptor, and hold no address.
    unsafe { bpf(MAP_FREEZE, &map.as_raw_fd()) }.map(drop)
}

/// Runs a program on `repeat` copies of a frame, in the network namespace of the calling thread; what it redirects is
/// sent.
pub fn run_live(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> io::Result<()> {
    #[repr(C)]
    #[derive(Default)]
    struct TestRun {
        program: u32,
        answer: u32,
        size_in: u32,
        size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
        context: [u32; 2],
        contexts: [u64; 2],
        flags: u32,
        cpu: u32,
        batch: u32,
        zero: u32,
    }
    let attributes = TestRun {
        program: program.as_raw_fd().cast_unsigned(),
        size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat,
        flags: LIVE_FRAMES,
        ..TestRun::default()
    };
    // SAFETY: the frame outlives the call; no output is asked for.
    unsafe { bpf(PROG_TEST_RUN, &attributes) }.map(drop)
}

/// Attaches a program for XDP to an interface by the way that every driver has (generic mode), for as long as the link
/// is held.
pub fn attach_generic(program: BorrowedFd<'_>, interface: u32) -> io::Result<OwnedFd> {
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    let attributes = [
        program.as_raw_fd().cast_unsigned(),
        interface,
        ATTACH_XDP,
        XDP_FLAGS_SKB_MODE,
    ];
    // SAFETY: the attributes are numbers, and hold no address.
    unsafe { opened(bpf(LINK_CREATE, &attributes)) }
}

/// Makes a descriptor of what `bpf` answered.
///
/// # Safety
/// The answer must be a descriptor that was just opened for the caller alone.
unsafe fn opened(answer: io::Result<i32>) -> io::Result<OwnedFd> {
    // SAFETY: as the caller promises.
    answer.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}
