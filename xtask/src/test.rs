//! `cargo xtask test`: all tests, with the laboratory where there is root.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

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
    run_counted(tests.arg("--").args(args.rest))
}

/// Runs the test runner, passes on what it prints, and sums up its summaries at the end.
fn run_counted(tests: &mut Command) -> Result<()> {
    let mut child = tests.stdout(Stdio::piped()).spawn()?;
    let (mut passed, mut failed) = (0, 0);
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            if let Some(summary) = line.strip_prefix("test result: ") {
                passed += count(summary, " passed");
                failed += count(summary, " failed");
            }
        }
    }
    let status = child.wait()?;
    println!("{passed} passed, {failed} failed");
    ensure!(status.success() && failed == 0, "some tests failed");
    ensure!(passed > 0, "no test ran");
    Ok(())
}

/// The number before `what` in a summary such as `ok. 3 passed; 0 failed; ...`.
fn count(summary: &str, what: &str) -> u64 {
    let before = summary.split(what).next().unwrap_or_default();
    before
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
