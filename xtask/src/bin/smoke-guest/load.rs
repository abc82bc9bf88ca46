//! Loads each program of an object by itself, for what the verifier says about it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use aya::maps::MapData;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use aya_obj::{EbpfSectionKind, Function, Object, ProgramSection};
use ringfence::engine::trial::put;
use xtask::bpf::{self, Kind, Program, Types};

/// The program takes packets of more than one buffer.
const HAS_FRAGS: u32 = 1 << 5;
/// A log of the verifier's sums fits in the first, any other in what the kernel permits at most.
const SUMS_ROOM: usize = 1 << 20;
const LOG_ROOM: usize = 1 << 29;

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
        let (kind, flags) = match program.section {
            ProgramSection::Xdp { frags: true, .. } => (Kind::Xdp, HAS_FRAGS),
            ProgramSection::Xdp { frags: false, .. } => (Kind::Xdp, 0),
            ProgramSection::SchedClassifier => (Kind::Classifier, 0),
            _ => bail!("the program {name} is of a type that is not known here"),
        };
        let room = if level == 4 { SUMS_ROOM } else { LOG_ROOM };
        let mut log = vec![0; room];
        println!(
            "{name}: {} instructions, verifying",
            function.instructions.len()
        );
        let begun = Instant::now();
        let answer = load(function, (kind, flags), &btf, level, &mut log);
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
    let features = aya::features().btf().context("the kernel knows no BTF")?;
    let types = object
        .fixup_and_sanitize_btf(features)?
        .context("the object has no BTF")?
        .to_bytes();
    bpf::load_types(&types).context("the kernel refuses the BTF")
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
            bpf::freeze(fd).with_context(|| format!("cannot freeze the map {name}"))?;
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
    (kind, flags): (Kind, u32),
    btf: &OwnedFd,
    log_level: u32,
    log: &mut [u8],
) -> io::Result<OwnedFd> {
    let functions = function.func_info.func_info_bytes();
    let lines = function.line_info.line_info_bytes();
    let code = &function.instructions;
    // SAFETY: instructions are 8 bytes each without padding, and outlive the call.
    let code =
        unsafe { std::slice::from_raw_parts(code.as_ptr().cast::<u8>(), size_of_val(&code[..])) };
    let types = Types {
        btf: btf.as_fd(),
        functions: &functions,
        function_size: function.func_info_rec_size,
        lines: &lines,
        line_size: function.line_info_rec_size,
    };
    let program = Program {
        kind,
        code,
        flags,
        types: Some(types),
        log_level,
    };
    bpf::load(&program, log)
}
