//! `cargo xtask smoke`: boots the oldest supported kernel and proves that the BPF object works there.

mod image;
mod kernel;
mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::shell::{self, cargo, output};
use image::Image;
use machine::Machine;

/// Boots Debian 12's kernel in qemu and proves that the BPF object works there; as root.
#[derive(clap::Args)]
pub struct Args {
    /// Another object than the committed one: the daemon has that inside, so this one is loaded only
    #[arg(long, requires = "load_only")]
    object: Option<PathBuf>,
    /// Load the programs of the object, report what the verifier says, and end
    #[arg(long)]
    load_only: bool,
    /// How much the verifier tells with --load-only: 4 is its sums, 1 each instruction, 2 more
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=7))]
    log: u32,
    /// How many of its last lines are shown with --load-only
    #[arg(long, default_value_t = 100)]
    tail: usize,
    /// A Debian package of a kernel, as a file [default: Debian 12's, by apt-get download]
    #[arg(long)]
    kernel: Option<PathBuf>,
    /// What runs the guest: tcg anywhere, kvm where the processor lets qemu
    #[arg(long, default_value = "tcg", value_parser = ["tcg", "kvm"])]
    accel: String,
    /// Memory of the guest, in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// Seconds after which the guest is ended
    #[arg(long, default_value_t = 900)]
    timeout: u64,
}

/// The object that is committed.
const OBJECT: &str = "crates/ringfence/bpf/ringfence.o";
/// What the guest needs of its kernel beyond the image, each behind what it depends on: the cable, a look at TCP
/// sessions, and filters of what is sent.
const MODULES: [&str; 5] = [
    "drivers/net/veth.ko",
    "net/ipv4/inet_diag.ko",
    "net/ipv4/tcp_diag.ko",
    "net/sched/sch_ingress.ko",
    "net/sched/cls_bpf.ko",
];
/// The guest's own program, which is its /init.
const GUEST: &str = "smoke-guest";

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    install()?;
    let kernel = kernel::Kernel::unpacked(args.kernel.as_deref())?;
    shell::run(cargo().args([
        "build", "--locked", "--quiet", "-p", "xtask", "--bin", GUEST,
    ]))?;
    let mut image = Image::new();
    image.program("/init", &built(&format!("debug/{GUEST}")))?;
    image.file(
        "/object.o",
        args.object.as_deref().unwrap_or(Path::new(OBJECT)),
    )?;
    let arguments = if args.load_only {
        format!("load {} {}", args.log, args.tail)
    } else {
        // As it is shipped: without optimisation it takes minutes to start on a processor that is emulated.
        shell::run(cargo().args([
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--bin",
            "ringfence",
        ]))?;
        image.program("/bin/ringfence", &built("release/ringfence"))?;
        for tool in ["ip", "tc"] {
            image.program(&format!("/bin/{tool}"), &Path::new("/sbin").join(tool))?;
        }
        for (place, module) in MODULES.iter().enumerate() {
            image.file(&format!("/modules/{place}.ko"), &kernel.module(module))?;
        }
        "all".to_owned()
    };
    let initrd = kernel.directory.join("initrd");
    image.write(&initrd)?;
    let machine = Machine {
        kernel: &kernel.image,
        initrd: &initrd,
        arguments: &arguments,
        accel: &args.accel,
        memory: args.memory,
    };
    println!(
        "{} in qemu ({}), {} MiB",
        kernel.release, args.accel, args.memory
    );
    let passed = machine.run(Duration::from_secs(args.timeout))?;
    println!("{:.0} s", begun.elapsed().as_secs_f64());
    ensure!(passed, "the object does not work on {}", kernel.release);
    Ok(())
}

fn built(program: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    target.join(program)
}

/// Installs qemu, where it is missing.
fn install() -> Result<()> {
    const QEMU: &str = "qemu-system-x86";
    if Path::new("/usr/bin/qemu-system-x86_64").exists() {
        return Ok(());
    }
    let root = output(Command::new("id").arg("-u"))? == "0";
    ensure!(root, "qemu is not here: run as root, or install {QEMU}");
    shell::run(Command::new("apt-get").args(["update", "-q"]))?;
    shell::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-q", "--no-install-recommends", QEMU]),
    )
}
