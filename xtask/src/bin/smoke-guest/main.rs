//! What runs in the guest of `cargo xtask smoke`, as its first process.

mod load;
mod system;

use anyhow::{Context, Result, bail};

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
            "/object.o",
            log.parse().context("the log level")?,
            tail.parse().context("the number of lines")?,
        ),
        _ => bail!("unknown arguments {arguments:?}"),
    }
}
