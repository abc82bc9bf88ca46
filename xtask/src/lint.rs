//! `cargo xtask lint`: formatting and clippy.

use anyhow::Result;

use crate::shell::{self, cargo};

/// Runs the command.
pub fn run() -> Result<()> {
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    // The BPF programs compile for a BPF target only.
    shell::run(
        cargo()
            .args(["clippy", "--workspace", "--exclude", "ringfence-ebpf"])
            .args(["--all-targets", "--locked", "--", "-D", "warnings"]),
    )
}
