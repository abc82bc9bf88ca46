//! What runs in the guest of `cargo xtask smoke`, as its first process.

mod daemon;
mod load;
mod report;
mod scenario;
mod silence;
mod system;

use anyhow::{Context, Result, bail};
use report::Report;

const OBJECT: &str = "/object.o";

fn main() {
    let passed = run().unwrap_or_else(|error| {
        println!("FAIL: {error:#}");
        false
    });
    println!("smoke: {}", if passed { "passed" } else { "failed" });
    system::turn_off();
}

fn run() -> Result<bool> {
    system::mount_all()?;
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["load", log, tail] => load::all(
            OBJECT,
            log.parse().context("the log level")?,
            tail.parse().context("the number of lines")?,
        ),
        ["all"] => {
            // The verifier's sums come first: where it refuses, the daemon would only say that it does.
            if !load::all(OBJECT, 4, 100)? {
                return Ok(false);
            }
            let mut report = Report::default();
            let outcome = scenario::run(&mut report);
            let all_hold = report.end();
            outcome.map(|()| all_hold)
        }
        _ => bail!("unknown arguments {arguments:?}"),
    }
}
