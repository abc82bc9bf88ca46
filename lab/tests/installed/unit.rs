//! The unit, by systemd's own judgement. systemd need not run for it.

use std::fs;
use std::process::Command;

use ringfence_lab::{needs_root, program};

const UNIT: &str = include_str!("../../../packaging/ringfence.service");

#[test]
fn systemd_finds_nothing_wrong() {
    if needs_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ringfence.service");
    let here = program();
    let unit = UNIT.replace("/usr/bin/ringfence", &here.to_string_lossy());
    let verified = |unit: &str| {
        fs::write(&path, unit).unwrap();
        let mut command = Command::new("systemd-analyze");
        let output = command.args(["verify", "--man=no"]).arg(&path).output();
        let output = output.expect("lab/setup.sh installs systemd");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Units of this machine that ours touches are none of our business.
        let ours = said.lines().filter(|line| line.contains("ringfence"));
        let ours: Vec<_> = ours.map(str::to_owned).collect();
        (output.status.success() && ours.is_empty(), said)
    };
    let (fine, said) = verified(&unit);
    assert!(fine, "{said}");
    let (fine, said) = verified(&unit.replace("ProtectSystem=strict", "ProtectSystem=perhaps"));
    assert!(!fine, "{said}");
    // In systemd 252 it wins over `ReadWritePaths=/sys/fs/bpf`, and there would be no fence.
    assert!(!UNIT.contains("\nProtectKernelTunables=yes"));
}

/// What is listed for the RPM is there: the tool that builds it is not, everywhere.
#[test]
fn files_of_the_rpm() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let manifest = fs::read_to_string(format!("{root}/crates/ringfence/Cargo.toml")).unwrap();
    let (_, rpm) = manifest
        .split_once("[package.metadata.generate-rpm]")
        .unwrap();
    let values = |key: &str| -> Vec<String> {
        let lines = rpm.lines().filter_map(|line| line.split_once(key));
        let quoted = lines.filter_map(|(_, rest)| rest.split('"').nth(1));
        quoted.map(str::to_owned).collect()
    };
    let staged = ringfence::install::files(
        std::path::Path::new("/usr"),
        &<ringfence::cli::Cli as clap::CommandFactory>::command(),
    )
    .unwrap();
    let staged: Vec<_> = staged
        .iter()
        .map(|file| format!("target/package{}", file.path.display()))
        .collect();
    let sources = values("source = ");
    assert!(sources.len() > 8, "{sources:?}");
    for source in sources.iter().chain(&values("_script = ")) {
        let (directory, all) = match source.split_once('*') {
            Some((directory, _)) => (directory, true),
            None => (source.as_str(), false),
        };
        let is_staged = staged.iter().any(|file| match all {
            true => file.starts_with(directory),
            false => file == source,
        });
        let built = source == "target/release/ringfence";
        let there = fs::metadata(format!("{root}/{directory}")).is_ok();
        let fine = built || is_staged || there && !source.starts_with("target/");
        assert!(fine, "{source} is listed for the RPM and is nowhere");
    }
    // And nothing that is installed is forgotten.
    for file in staged.iter().filter(|file| !file.contains("/man1/")) {
        assert!(sources.contains(file), "{file} is not listed for the RPM");
    }
}
