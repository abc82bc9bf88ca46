//! `ringfence notify`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{FAILED, Format, Global, Usage, offline, terminal};
use crate::config::{NoticeKind, Word};
use crate::notify::{Tried, hostname, test};

/// What to do with notices.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence notify test\n\n\
    Who is told of what: [notify] in the configuration.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Send a test notice by each way that the configuration names
    #[command(after_long_help = "Examples:\n  ringfence notify test\n  \
        ringfence notify test --kind fraud\n\n\
        It needs no daemon. Run it as the daemon's user: it reads the same\n\
        passwords.\n\n\
        Exit codes: 0 all were delivered, 1 one was not, 2 no way is configured.")]
    Test {
        /// The kind that it claims to be of: ban, audit, fraud, asterisk, country, feed, forged, fence
        #[arg(long, default_value = "ban", value_parser = kind)]
        kind: NoticeKind,
    },
}

fn kind(text: &str) -> Result<NoticeKind, String> {
    let words = || NoticeKind::ALL.map(NoticeKind::as_str).join(", ");
    NoticeKind::from_word(text).ok_or_else(|| format!("write one of {}", words()))
}

/// Sends a test notice.
///
/// # Errors
/// When the configuration cannot be read, or names no way.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let Action::Test { kind } = args.action;
    let config = offline::config(global)?.notify;
    if config.mail.is_none() && config.webhook.is_none() && config.command.is_none() {
        let message = "nobody is told of anything; write [notify.mail] and to = [\"admin@example.com\"] into the \
                       configuration";
        return Err(Usage(message.to_owned()).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let tried = runtime.block_on(test(&config, &hostname(), kind));
    print(&tried, global.format)?;
    let failed = tried.iter().any(|one| one.result.is_err());
    if !config.kinds.contains(&kind) {
        writeln!(
            io::stderr(),
            "ringfence: notices of kind {kind} are not told: `kinds` of [notify] leaves them out"
        )?;
    }
    Ok(ExitCode::from(if failed { FAILED } else { 0 }))
}

fn print(tried: &[Tried], format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for Tried { way, result } in tried {
        let error = result.as_ref().err().map(ToString::to_string);
        let line = match (format, &error) {
            (Format::Json, _) => {
                json!({ "way": way, "delivered": error.is_none(), "error": error }).to_string()
            }
            (Format::Text, None) => format!("{way}: delivered"),
            (Format::Text, Some(error)) => format!("{way}: not delivered: {error}"),
        };
        let line = match format {
            Format::Json => terminal::json(&line),
            Format::Text => terminal::text(&line),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}
