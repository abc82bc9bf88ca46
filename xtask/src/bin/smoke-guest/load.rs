//! Loads each program of an object by itself, for what the verifier says about it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use anyhow::{Context, Result};
use aya::maps::MapData;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use aya_obj::{EbpfSectionKind, Function, Object, ProgramSection};
use ringfence::engine::trial::put;

/// Commands of `bpf` (linux/bpf.h).
const PROG_LOAD: libc::c_long = 5;
const BTF_LOAD: libc::c_long = 18;
const MAP_FREEZE: libc::c_long = 22;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// The program takes packets of more than one buffer.
const HAS_FRAGS: u32 = 1 << 5;
/// A log of the verifier's sums fits in the first, any other in what the kernel permits at most.
const SUMS_ROOM: usize = 1 << 20;
const LOG_ROOM: usize = 1 << 29;

/// The attributes of BPF_PROG_LOAD, up to those that an object with BTF needs.
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

/// Loads every program of the object; whether the kernel took them all.
pub fn all(path: &str, level: u32, tail: usize) -> Result<bool> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let mut object = Object::parse(&bytes).context("the object is none of BPF")?;
    let btf = load_btf(&mut object)?;
    let _maps = make_maps(&mut object)?;
    let text: HashSet<_> = object
        .functions
        .keys()
        .map(|(section, _)| *section)
        .collect();
    object.relocate_calls(&text)?;
    object.sanitize_functions(aya::features());
    let mut names: Vec<_> = object.programs.keys().collect();
    names.sort();
    let mut passed = true;
    for name in names {
        let program = &object.programs[name];
        let function = &object.functions[&program.function_key()];
        let frags = matches!(program.section, ProgramSection::Xdp { frags: true, .. });
        let flags = if frags { HAS_FRAGS } else { 0 };
        let room = if level == 4 { SUMS_ROOM } else { LOG_ROOM };
        let mut log = vec![0; room];
        println!(
            "{name}: {} instructions, verifying",
            function.instructions.len()
        );
        let begun = Instant::now();
        let answer = load(function, flags, &btf, level, &mut log);
        let took = begun.elapsed();
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(room);
        let log = String::from_utf8_lossy(&log[..end]);
        let lines: Vec<_> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(tail)..] {
            println!("{name}| {line}");
        }
        match answer {
            Ok(_) => println!("PASS {name}: loaded in {:.1} s", took.as_secs_f64()),
            Err(error) => {
                println!(
                    "FAIL {name}: refused after {:.1} s: {error}",
                    took.as_secs_f64()
                );
                passed = false;
            }
        }
    }
    Ok(passed)
}

/// Loads the types of the object, without which the kernel knows no callbacks.
fn load_btf(object: &mut Object) -> Result<OwnedFd> {
    /// The attributes of BPF_BTF_LOAD.
    #[repr(C)]
    struct BtfLoad {
        types: u64,
        log: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
        zero: u32,
    }
    let features = aya::features().btf().context("the kernel knows no BTF")?;
    let types = object
        .fixup_and_sanitize_btf(features)?
        .context("the object has no BTF")?
        .to_bytes();
    let attributes = BtfLoad {
        types: types.as_ptr() as u64,
        log: 0,
        size: types.len() as u32,
        log_size: 0,
        log_level: 0,
        zero: 0,
    };
    // SAFETY: the types outlive the call.
    let fd = unsafe { bpf(BTF_LOAD, &attributes) }.context("the kernel refuses the BTF")?;
    // SAFETY: the kernel opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the maps of the object and tells its programs of them.
fn make_maps(object: &mut Object) -> Result<Vec<MapData>> {
    let mut made = Vec::new();
    for (name, map) in &mut object.maps {
        if map.map_type() == BPF_MAP_TYPE_RINGBUF as u32 {
            map.set_value_size(0);
        }
        let data = MapData::create(map.clone(), name, None)
            .with_context(|| format!("the kernel refuses the map {name}"))?;
        let fd = data.fd().as_fd();
        if !map.data().is_empty() {
            put(fd, &[0; 4], map.data()).with_context(|| format!("cannot fill the map {name}"))?;
        }
        if map.section_kind() == EbpfSectionKind::Rodata {
            // SAFETY: the attributes are a descriptor, and hold no address.
            unsafe { bpf(MAP_FREEZE, &fd.as_raw_fd()) }
                .with_context(|| format!("cannot freeze the map {name}"))?;
        }
        made.push((name.clone(), map.clone(), data));
    }
    let text: HashSet<_> = object
        .functions
        .keys()
        .map(|(section, _)| *section)
        .collect();
    let fds = made
        .iter()
        .map(|(name, map, data)| (name.as_str(), data.fd().as_fd().as_raw_fd(), map));
    object.relocate_maps(fds, &text)?;
    Ok(made.into_iter().map(|(_, _, data)| data).collect())
}

fn load(
    function: &Function,
    flags: u32,
    btf: &OwnedFd,
    level: u32,
    log: &mut [u8],
) -> io::Result<OwnedFd> {
    let functions = function.func_info.func_info_bytes();
    let lines = function.line_info.line_info_bytes();
    let attributes = ProgLoad {
        kind: PROG_TYPE_XDP,
        instructions: function.instructions.len() as u32,
        code: function.instructions.as_ptr() as u64,
        licence: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: level,
        log_size: log.len() as u32,
        log: log.as_mut_ptr() as u64,
        version: 0,
        flags,
        name: *b"smoke\0\0\0\0\0\0\0\0\0\0\0",
        interface: 0,
        attach_type: ATTACH_XDP,
        btf: btf.as_raw_fd().cast_unsigned(),
        function_size: function.func_info_rec_size as u32,
        functions: functions.as_ptr() as u64,
        function_count: function.func_info.len() as u32,
        line_size: function.line_info_rec_size as u32,
        lines: lines.as_ptr() as u64,
        line_count: function.line_info.len() as u32,
        zero: 0,
    };
    // SAFETY: code, log, functions, lines and licence outlive the call, in the lengths that are given.
    let fd = unsafe { bpf(PROG_LOAD, &attributes) }?;
    // SAFETY: the kernel opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
