//! `ringfence run`.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use super::{Format, Global};
use crate::config::{EngineChoice, Mode, Period, Word};
use crate::daemon::{self, Options};

/// How to run.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence run\n  ringfence run --interface eth0 --confirm 60s\n\n\
    RINGFENCE_LOG sets what is logged, such as debug. SIGTERM leaves the fence\n\
    standing; Ctrl-C on a terminal takes it down. --confirm enforces; a trial that\n\
    nobody confirms leaves the fence in shadow mode until the next start, or until\n\
    `ringfence reload --enforce` or `--confirm`."
)]
pub struct Args {
    /// Guard this interface; may be given more than once [default: the configured ones, or the default route's]
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// What judges packets: auto, xdp or nfqueue [default: the configured one]
    #[arg(long, value_parser = engine)]
    engine: Option<EngineChoice>,
    /// Drop nothing, whatever the configuration says
    #[arg(long, conflicts_with_all = ["enforce", "confirm"])]
    shadow: bool,
    /// Drop, whatever the configuration says
    #[arg(long)]
    enforce: bool,
    /// Enforce for this long, such as 60s, then fall back to shadow unless `ringfence confirm` was run
    #[arg(long, value_name = "TIME")]
    confirm: Option<Period>,
    /// Enforce also where the policy drops your SSH session or your router
    #[arg(long)]
    yes: bool,
    /// How the log is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: Format,
}

/// Stands the fence up and keeps it filled.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let filter =
        EnvFilter::try_from_env("RINGFENCE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    match args.log_format {
        Format::Text => log.with_target(false).init(),
        Format::Json => log.json().init(),
    }
    let mode = match (args.shadow, args.enforce || args.confirm.is_some()) {
        (true, _) => Some(Mode::Shadow),
        (_, true) => Some(Mode::Enforce),
        _ => None,
    };
    daemon::run(Options {
        config: global.config.clone(),
        interfaces: args.interface,
        engine: args.engine,
        mode,
        confirm: args.confirm.map(Period::get),
        yes: args.yes,
        socket: global.socket.clone(),
        bpffs: global.bpffs.clone(),
        state: global.state.clone(),
        country_db: global.country_db.clone(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn engine(text: &str) -> Result<EngineChoice, String> {
    EngineChoice::from_word(text).ok_or_else(|| "write auto, xdp or nfqueue".to_owned())
}
