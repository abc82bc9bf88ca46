//! `cargo xtask test`: all tests, with the laboratory where there is root.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::shell::{self, cargo, output};

/// All tests. As root also those with namespaces, real attackers and a real registrar.
#[derive(clap::Args)]
pub struct Args {
    /// The laboratory's tests of the fence alone, all of them over queues of nftables
    #[arg(long)]
    queues: bool,
    /// What to pass on to the test runner, such as a part of a test's name
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let root = output(Command::new("id").arg("-u"))? == "0";
    ensure!(root || !args.queues, "the laboratory needs root");
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
    let (mut passed, mut failed) = (0, 0);
    let mut add = |counts: (u64, u64)| (passed, failed) = (passed + counts.0, failed + counts.1);
    if args.queues {
        add(run_counted(over_queues().arg("--").args(args.rest))?);
    } else {
        let some = args.rest.is_empty();
        add(run_counted(tests.arg("--").args(args.rest))?);
        if root && some {
            println!(
                "the same over queues of nftables, some of each kind; `cargo xtask test --queues` runs all"
            );
            add(run_counted(over_queues().arg("--").args(OVER_QUEUES))?);
        }
    }
    println!("{passed} passed, {failed} failed");
    ensure!(failed == 0, "some tests failed");
    ensure!(passed > 0, "no test ran");
    Ok(())
}

/// Of the laboratory's tests, those that run for both engines, in parts of their names.
const OVER_QUEUES: [&str; 8] = [
    "the_scanner_finds_nothing",
    "a_country_is_silent",
    "phones_call_while_attackers_run",
    "where_strangers_are_challenged",
    "registered::a_registered_phone",
    "sharing::a_guesser_behind",
    "trunk::it_is_in_while_it_is_registered",
    "emergency::a_banned_source",
];

/// The laboratory's tests that say nothing of XDP itself, with the other engine.
fn over_queues() -> Command {
    let mut tests = cargo();
    tests.env("RINGFENCE_TEST_ENGINE", "nfqueue");
    tests.args(["test", "-p", "ringfence-lab", "--locked", "--no-fail-fast"]);
    for name in ["guarded", "under_attack", "trust", "asterisk"] {
        tests.args(["--test", name]);
    }
    tests
}

/// Runs the test runner, passes on what it prints, and sums its summaries up: how many passed and failed.
fn run_counted(tests: &mut Command) -> Result<(u64, u64)> {
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
    // A test that does not build has no summary.
    ensure!(status.success() || failed > 0, "the tests could not be run");
    Ok((passed, failed))
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
