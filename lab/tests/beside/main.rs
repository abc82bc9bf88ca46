//! Ringfence on a host that has something already: a server that listens, fail2ban with its bans, a foreign XDP program, a
//! bridge.

mod doctor;
mod fail2ban;
mod freepbx;
mod setup;

use std::process::Output;

use ringfence_lab::Ringfence;
use serde_json::Value;

/// Phones and the attacker are in different countries.
const COUNTRIES: &str = "198.51.100.0,198.51.100.255,GB\n203.0.113.0,203.0.113.255,RU\n";

/// Runs the program in the telephone system without a daemon.
fn run(fence: &Ringfence<'_>, arguments: &[&str]) -> Output {
    fence.command().args(arguments).output().unwrap()
}

/// Each line of JSON that a command prints.
fn lines(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
