//! `cargo xtask ebpf`: builds the BPF objects that are committed, the one that is embedded in the
//! binary and the one that it is measured with, and tells when they are stale.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::shell::{self, cargo, output, root};

/// A BPF object: what the compiler calls it, and where it is committed.
struct Object {
    binary: &'static str,
    path: &'static str,
}

const OBJECTS: [Object; 2] = [
    Object {
        binary: "ringfence-ebpf",
        path: "crates/ringfence/bpf/ringfence.o",
    },
    Object {
        binary: "bench",
        path: BENCH,
    },
];
/// The object of the programs that only measuring needs.
pub const BENCH: &str = "crates/ringfence/bpf/bench.o";
const INPUTS: &str = "crates/ringfence/bpf/INPUTS.sha256";

/// Everything that decides the objects' bytes, beside the toolchain.
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "crates/ringfence-core/Cargo.toml",
    "crates/ringfence-core/src",
    "crates/ringfence-ebpf/Cargo.toml",
    "crates/ringfence-ebpf/src",
    "xtask/src/ebpf.rs",
    "xtask/src/shell.rs",
];
/// The packages of Cargo.lock that the objects are made of, beside the workspace's own.
const PACKAGES: [&str; 5] = [
    "aya-ebpf",
    "aya-ebpf-bindings",
    "aya-ebpf-cty",
    "aya-ebpf-macros",
    "zerocopy",
];

/// The compiler with its own sources in the system (Debian: rustc-web and rust-web-src).
const RUSTC: &str = "/usr/bin/rustc";
const OBJCOPY: &str = "llvm-objcopy-22";

/// Builds the BPF objects, or tells whether the committed ones are stale.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing; fail when an object is not what the sources make
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let inputs = inputs()?;
    let tools = toolchain();
    if args.check {
        return check(&inputs, tools.as_deref().ok());
    }
    let tools = tools.context(
        "the BPF toolchain is not complete. On Debian: \
         apt-get install rustc-web rust-web-src llvm-22-dev libpolly-22-dev libzstd-dev zlib1g-dev; then \
         LLVM_PREFIX=/usr/lib/llvm-22 LLVM_SYS_221_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker \
         --version 0.13.0 --no-default-features --features llvm-22",
    )?;
    build()?;
    let mut record = format!("inputs {inputs}\n");
    for object in &OBJECTS {
        let path = object.path;
        fs::create_dir_all(Path::new(path).parent().expect("a folder"))?;
        fs::copy(object.built(), path).with_context(|| format!("cannot write {path}"))?;
        let bytes = fs::read(path)?;
        let digest = digest(&bytes);
        writeln!(record, "object {digest}")?;
        println!("{path}: {} bytes, SHA-256 {digest}", bytes.len());
    }
    fs::write(INPUTS, record + &tools)?;
    Ok(())
}

/// Compares the record with the sources and the objects, and the objects with new ones where the
/// recorded toolchain is here: another one changes bytes.
fn check(inputs: &str, tools: Option<&str>) -> Result<()> {
    const REMEDY: &str = "run `cargo xtask ebpf` and commit the result";
    let record =
        fs::read_to_string(INPUTS).with_context(|| format!("cannot read {INPUTS}; {REMEDY}"))?;
    let mut lines = record.lines();
    let mut field = |name: &str| {
        lines
            .next()
            .and_then(|line| line.strip_prefix(name))
            .unwrap_or("")
            .trim()
    };
    ensure!(
        field("inputs") == inputs,
        "the BPF objects are stale: their sources have changed; {REMEDY}"
    );
    for Object { path, .. } in &OBJECTS {
        let bytes = fs::read(path).with_context(|| format!("cannot read {path}; {REMEDY}"))?;
        ensure!(
            digest(&bytes) == field("object"),
            "{path} is not the one that {INPUTS} names; {REMEDY}"
        );
    }
    let made_with: String = record
        .lines()
        .skip(1 + OBJECTS.len())
        .map(|line| format!("{line}\n"))
        .collect();
    if tools != Some(made_with.as_str()) {
        println!(
            "the BPF objects fit their sources; their bytes were not compared: they were made with\n{made_with}"
        );
        return Ok(());
    }
    build()?;
    for object in &OBJECTS {
        let path = object.path;
        ensure!(
            fs::read(object.built())? == fs::read(path)?,
            "{path} differs from what its sources make; {REMEDY}"
        );
        println!("{path} is what its sources make");
    }
    Ok(())
}

impl Object {
    /// Where it lies once it is built and stripped.
    fn built(&self) -> PathBuf {
        root().join("target/bpf").join(format!("{}.o", self.binary))
    }
}

/// Compiles and links the programs; the objects without DWARF, with BTF.
fn build() -> Result<()> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")?;
    let target = root().join("target/bpf");
    let flags = format!(
        "-C linker=bpf-linker -C link-arg=--btf -C debuginfo=2 --remap-path-prefix={}=/src \
         --remap-path-prefix={}=/cargo",
        root().display(),
        home.display()
    );
    shell::run(
        cargo()
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .args([
                "build",
                "--locked",
                "--profile",
                "bpf",
                "-p",
                "ringfence-ebpf",
            ])
            .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
            .arg("--target-dir")
            .arg(&target),
    )?;
    for object in &OBJECTS {
        let linked = target.join("bpfel-unknown-none/bpf").join(object.binary);
        shell::run(
            Command::new(OBJCOPY)
                .arg("--strip-debug")
                .arg(&linked)
                .arg(object.built()),
        )?;
    }
    Ok(())
}

/// The versions of the tools, a line each.
fn toolchain() -> Result<String> {
    let rustc = output(Command::new(RUSTC).arg("--version"))?;
    let linker = output(Command::new("bpf-linker").arg("--version"))?;
    let objcopy = output(Command::new(OBJCOPY).arg("--version"))?;
    let objcopy = objcopy
        .lines()
        .find(|line| line.contains("version"))
        .unwrap_or("unknown")
        .trim();
    Ok(format!("{rustc}\n{linker}\nllvm-objcopy: {objcopy}\n"))
}

/// SHA-256 over names and contents of everything that goes in.
fn inputs() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(Path::new(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(format!("{} {}\n", file.display(), bytes.len()));
        hash.update(bytes);
    }
    let lock = fs::read_to_string("Cargo.lock").context("cannot read Cargo.lock")?;
    for package in PACKAGES {
        let name = format!("name = \"{package}\"\n");
        for entry in lock.split("\n\n").filter(|entry| entry.contains(&name)) {
            hash.update(entry);
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}
