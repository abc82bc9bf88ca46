//! `cargo xtask package`: the Debian package, and the RPM where its tool is there.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_deb::compress::{CompressConfig, Format};
use cargo_deb::config::{BuildOptions, DebConfigOverrides, DebugSymbolOptions, Multiarch};
use cargo_deb::listener::StdErrListener;
use cargo_deb::{BuildProfile, CargoDeb, CargoLockingFlags, OutputPath};
use clap::CommandFactory;
use ringfence::cli::Cli;
use ringfence::install;

use crate::shell::{self, cargo};

/// What the crate's lists of assets name beside the program.
const STAGE: &str = "target/package";
/// Builds the RPM; it takes minutes to compile and is no part of this workspace.
const RPM_TOOL: &str = "cargo-generate-rpm";
const RPM_TOOL_INSTALL: &str = "cargo install cargo-generate-rpm --version 0.21.1 --locked";

/// The Debian package, and the RPM where `cargo-generate-rpm` is installed.
#[derive(clap::Args)]
pub struct Args {
    /// Package this program, which is built already, in place of a release build
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    program: Option<PathBuf>,
    /// Build for this target, such as x86_64-unknown-linux-musl
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// What stands behind the version of the package
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    revision: String,
    /// Where the packages are put
    #[arg(long, value_name = "DIR", default_value = "target/packages")]
    output: PathBuf,
    /// The Debian package alone
    #[arg(long)]
    deb: bool,
    /// Compress less
    #[arg(long)]
    quick: bool,
    /// Make the Debian package of what is staged already
    #[arg(long, hide = true)]
    staged: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    if args.staged {
        return deb(&args);
    }
    stage()?;
    let mut build = Command::new(env::current_exe()?);
    build.args(["package", "--staged", "--revision", &args.revision]);
    build.arg("--output").arg(&args.output);
    if args.quick {
        build.arg("--quick");
    }
    let mut target_directory = None;
    match &args.program {
        Some(program) => {
            // Packagers look for a program where cargo leaves one.
            let release = Path::new(STAGE).join("built/release");
            fs::create_dir_all(&release)?;
            fs::copy(program, release.join("ringfence"))
                .with_context(|| format!("cannot copy {}", program.display()))?;
            target_directory = Some(fs::canonicalize(Path::new(STAGE).join("built"))?);
        }
        None => {
            let mut release = cargo();
            release.args(["build", "--release", "--locked", "--bin", "ringfence"]);
            if let Some(target) = &args.target {
                release.args(["--target", target]);
                build.args(["--target", target]);
            }
            shell::run(&mut release)?;
        }
    }
    if let Some(directory) = &target_directory {
        build.env("CARGO_TARGET_DIR", directory);
    }
    shell::run(&mut build)?;
    if !args.deb {
        rpm(&args, target_directory.as_deref())?;
    }
    let mut packages: Vec<_> = fs::read_dir(&args.output)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    packages.sort();
    for package in packages {
        println!("{}", package.display());
    }
    Ok(())
}

/// Everything but the program, as `ringfence install` would write it.
fn stage() -> Result<()> {
    match fs::remove_dir_all(STAGE) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    for file in install::files(Path::new("/usr"), &Cli::command())? {
        install::put(Path::new(STAGE), &file, false)
            .with_context(|| format!("cannot stage {}", file.path.display()))?;
    }
    Ok(())
}

fn deb(args: &Args) -> Result<()> {
    fs::create_dir_all(&args.output)?;
    let mut overrides = DebConfigOverrides::default();
    overrides.deb_revision = Some(args.revision.clone());
    let package = CargoDeb {
        no_build: true,
        deb_output: Some(OutputPath {
            path: &args.output,
            is_dir: true,
        }),
        compress_config: CompressConfig {
            fast: true,
            compress_type: if args.quick { Format::Gzip } else { Format::Xz },
            compress_system: true,
            rsyncable: false,
        },
        options: BuildOptions {
            rust_target_triples: args.target.as_deref().into_iter().collect(),
            multiarch: Multiarch::None,
            selected_package_name: Some("ringfence"),
            debug: DebugSymbolOptions {
                strip_override: Some(true),
                ..DebugSymbolOptions::default()
            },
            overrides,
            build_profile: BuildProfile::default(),
            cargo_locking_flags: CargoLockingFlags {
                locked: true,
                ..CargoLockingFlags::default()
            },
            ..BuildOptions::default()
        },
        ..CargoDeb::default()
    };
    let listener = StdErrListener {
        verbose: false,
        // It warns of what cargo does not build, as man pages.
        quiet: true,
        color: anstream::ColorChoice::Never,
    };
    package
        .process(&listener)
        .context("the Debian package cannot be built")
}

fn rpm(args: &Args, target_directory: Option<&Path>) -> Result<()> {
    let there = env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path).any(|directory| directory.join(RPM_TOOL).is_file())
    });
    if !there {
        println!("no RPM: {RPM_TOOL} is not installed: {RPM_TOOL_INSTALL}");
        return Ok(());
    }
    let mut build = Command::new(RPM_TOOL);
    build.args(["--package", "crates/ringfence"]);
    build.arg("--output").arg(&args.output);
    let release = format!("release = \"{}\"", args.revision);
    build.args(["--set-metadata", &release]);
    if let Some(target) = &args.target {
        build.args(["--target", target]);
    }
    if let Some(directory) = target_directory {
        build.arg("--target-dir").arg(directory);
    }
    shell::run(&mut build)
}
