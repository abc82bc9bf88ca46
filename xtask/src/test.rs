//! `cargo xtask test`: all tests, with the laboratory where there is root.

use std::process::Command;

use anyhow::Result;

use crate::shell::{self, cargo, output};

/// All tests. As root also those with namespaces, real attackers and a real registrar.
#[derive(clap::Args)]
pub struct Args {
    /// What to pass on to the test runner, such as a part of a test's name
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let root = output(Command::new("id").arg("-u"))? == "0";
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--exclude", "ringfence-ebpf"]);
    tests.args(["--locked", "--no-fail-fast"]);
    if root {
        shell::run(Command::new("sh").arg("lab/setup.sh"))?;
        // The laboratory runs the real binary.
        shell::run(cargo().args(["build", "--locked", "--bin", "ringfence"]))?;
    } else {
        tests.args(["--exclude", "ringfence-lab"]);
        println!("skipped: the laboratory and the kernel's tests need root");
    }
    shell::run(tests.arg("--").args(args.rest))
}
