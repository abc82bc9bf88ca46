//! What the commands that ask the daemon share.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::{Format, Global};
use crate::config::{Config, Period};
use crate::control::{Request, ask};
use crate::daemon::CONFIG;

/// The control socket: the one given, else the configured one, else the usual one. A configuration that cannot be read
/// does not stand in the way of a command.
fn socket(global: &Global) -> PathBuf {
    if let Some(socket) = &global.socket {
        return socket.clone();
    }
    let config = global.config.clone().unwrap_or_else(|| CONFIG.into());
    Config::load(&config).unwrap_or_default().control.socket
}

/// Asks the daemon and prints its answers.
pub fn send(request: &Request, global: &Global) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut out = std::io::stdout();
    for answer in ask(&socket(global), request)? {
        let answer = answer?;
        if !answer.ok {
            code = ExitCode::FAILURE;
        }
        let written = match global.format {
            Format::Json => writeln!(out, "{}", answer.data),
            Format::Text if !answer.ok => {
                eprintln!("ringfence: {}", answer.text);
                Ok(())
            }
            Format::Text if answer.text.is_empty() => Ok(()),
            Format::Text => writeln!(out, "{}", answer.text),
        };
        // Whoever reads has seen enough.
        if written.is_err() {
            break;
        }
    }
    Ok(code)
}

/// Whole seconds of a length of time, at least one.
pub fn seconds(period: Period) -> u64 {
    period.get().as_secs().max(1)
}
