//! `ringfence host`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Format, Global, Usage, offline, terminal};
use crate::config::{Config, Mode, Period};
use crate::country::CountryData;
use crate::host::{ARMED, Applied, Facts, Keeper, Ready, check_lockout, conflicts, near, plan};
use crate::net;
use crate::nft::Nft;

/// What to do with the host's firewall.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence host show | less\n  ringfence host apply --confirm 60s\n  \
    ringfence host confirm\n\n\
    The rules come from [[service]], the lists and [host] of the configuration. With\n\
    `enable = true` in [host] the daemon keeps them too."
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the rules as nft text, each with why it is there
    #[command(
        after_long_help = "Examples:\n  ringfence host show --brief\n  ringfence host show | nft -c -f -"
    )]
    Show {
        /// Leave out the addresses of countries
        #[arg(long)]
        brief: bool,
        #[command(flatten)]
        force: Force,
    },
    /// Put the rules in force, in the place of those that stood
    #[command(after_long_help = "Example:\n  ringfence host apply --confirm 60s\n\n\
        With --confirm they are enforced, and what stood before is back when the time\n\
        is over, unless `ringfence host confirm` was run; also when everything else\n\
        was killed meanwhile.")]
    Apply {
        /// Enforce for this long, such as 60s, unless `ringfence host confirm` is run
        #[arg(long, value_name = "TIME")]
        confirm: Option<Period>,
        #[command(flatten)]
        force: Force,
        /// Also where the rules shut your SSH session out
        #[arg(long)]
        yes: bool,
    },
    /// Keep the rules that are on trial
    #[command(after_long_help = "Example:\n  ringfence host confirm")]
    Confirm,
    /// Take the rules away, and all that was kept of them
    #[command(after_long_help = "Example:\n  ringfence host remove")]
    Remove,
    /// End a trial when its time is over
    #[command(
        hide = true,
        after_long_help = "Example:\n  ringfence host expire --trial 07"
    )]
    Expire {
        /// Which one
        #[arg(long)]
        trial: String,
    },
}

/// The mode in place of the configured one.
#[derive(Debug, clap::Args)]
struct Force {
    /// Refuse, whatever the configuration says
    #[arg(long, conflicts_with = "shadow")]
    enforce: bool,
    /// Only count, whatever the configuration says
    #[arg(long)]
    shadow: bool,
}

/// Does it.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    match args.action {
        Action::Show { brief, force } => show(global, brief, &force),
        Action::Apply {
            confirm,
            force,
            yes,
        } => apply(global, confirm, &force, yes),
        Action::Confirm => confirm(global),
        Action::Remove => remove(global),
        Action::Expire { trial } => expire(global, &trial),
    }
}

/// The configuration, and what else the rules are made of.
fn gather(global: &Global, force: &Force, trial: bool) -> Result<(Config, Facts, CountryData)> {
    if trial && force.shadow {
        let wrong = "--confirm is for rules that are enforced; leave --shadow out";
        return Err(Usage(wrong.into()).into());
    }
    let mut config = offline::config(global)?;
    if force.enforce || trial {
        config.mode = Mode::Enforce;
    } else if force.shadow {
        config.mode = Mode::Shadow;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (interfaces, routes) =
        runtime.block_on(async { anyhow::Ok((net::interfaces().await?, net::routes().await?)) })?;
    let facts = Facts {
        inputs: offline::Said::read(global, &config).inputs(&config)?,
        neighbours: near(&interfaces, &routes),
        sessions: net::tcp_sessions()?,
    };
    let data = offline::country_data(global, &config)?;
    Ok((config, facts, data))
}

fn keeper(global: &Global, config: &Config) -> Keeper {
    Keeper::new(offline::state(global, config))
}

/// That of a command that needs the configuration for nothing but the place of the state.
fn keeper_alone(global: &Global) -> Result<Keeper> {
    Ok(match &global.state {
        Some(state) => Keeper::new(state),
        None => keeper(global, &offline::config(global)?),
    })
}

fn show(global: &Global, brief: bool, force: &Force) -> Result<ExitCode> {
    let (config, facts, data) = gather(global, force, false)?;
    let rules = plan(&config, &facts, &data);
    let mut out = io::stdout().lock();
    match global.format {
        Format::Json => writeln!(out, "{}", crate::nft::text(&rules.batch())?)?,
        Format::Text => write!(out, "{}", terminal_text(&rules.text(brief)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Rules are indented by tabs, which a terminal may well obey.
fn terminal_text(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let bare = line.trim_start_matches('\t');
        let tabs = "\t".repeat(line.len() - bare.len());
        format!("{tabs}{}\n", terminal::line(bare))
    });
    lines.collect()
}

fn apply(global: &Global, confirm: Option<Period>, force: &Force, yes: bool) -> Result<ExitCode> {
    let (config, facts, data) = gather(global, force, confirm.is_some())?;
    let nft = Nft::default();
    nft.works()?;
    if !yes {
        check_lockout(&config, &plan(&config, &facts, &data))?;
    }
    let keeper = keeper(global, &config);
    let rules = Ready::new(&config, &facts, &data)?;
    let applied = keeper.apply(&rules, confirm.map(Period::get))?;
    let mode = config.mode;
    let mut text = match (applied, confirm) {
        (Applied::OnTrial, Some(time)) => {
            format!("{mode} for {time}; keep it with `ringfence host confirm`")
        }
        (Applied::Stood, _) => format!("the rules stood already: {mode}"),
        _ => format!("the rules stand: {mode}"),
    };
    let conflicts = conflicts(&nft.chains()?);
    for conflict in &conflicts {
        text.push_str(&format!("\nnote: {conflict}"));
    }
    if !config.host.enable {
        text.push_str(
            "\nnote: `enable` in [host] is false: the daemon does not keep them, nor puts them in force at a start",
        );
    }
    let on_trial = applied == Applied::OnTrial;
    let data = json!({ "mode": mode.to_string(), "trial": on_trial, "conflicts": conflicts });
    tell(global, &text, &data)
}

fn confirm(global: &Global) -> Result<ExitCode> {
    let confirmed = keeper_alone(global)?.confirm()?;
    let text = match confirmed {
        true => "confirmed: the rules stand, also after a restart",
        false => "no rules are on trial",
    };
    tell(global, text, &json!({ "confirmed": confirmed }))
}

fn remove(global: &Global) -> Result<ExitCode> {
    let removed = keeper_alone(global)?.remove()?;
    let mut text = match removed {
        true => "the host's firewall is gone".to_owned(),
        false => "there was no firewall of Ringfence".to_owned(),
    };
    if offline::config(global).is_ok_and(|config| config.host.enable) {
        text.push_str("\nnote: with `enable = true` in [host] the daemon's next start or reload makes it anew");
    }
    tell(global, &text, &json!({ "removed": removed }))
}

fn expire(global: &Global, trial: &str) -> Result<ExitCode> {
    // What ends the session, or the group, of whoever began the trial does not end this process. As the first process of
    // a unit it has a session already.
    let _ = nix::unistd::setsid();
    let keeper = keeper_alone(global)?;
    writeln!(io::stdout(), "{ARMED}").context("nobody waits for this process")?;
    io::stdout().flush()?;
    keeper.wait_and_expire(trial)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(global: &Global, text: &str, data: &Value) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match global.format {
        Format::Json => writeln!(out, "{}", terminal::json(&data.to_string()))?,
        Format::Text => writeln!(out, "{}", terminal::text(text))?,
    }
    Ok(ExitCode::SUCCESS)
}
