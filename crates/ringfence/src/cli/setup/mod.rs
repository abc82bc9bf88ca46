//! `ringfence setup`: the first configuration of a host.

mod ask;
mod show;
mod tally;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;

use super::offline::DEFAULT_CONFIG;
use super::{Format, Global, Usage, asterisk, check, terminal};
use crate::config::{Admission, Config, LoadError, Mode, Period, Wrong};
use crate::setup::{Facts, Plan, Saved, Wishes, countries, domains, file, mail, save, trunk};

/// Make the first configuration of this host, in shadow mode
///
/// It looks which SIP, IAX2, WebSocket, provisioning, web and SSH ports this host listens on, asks what it cannot
/// know, and shows and writes a file with a reason for each part. Then it looks on for a minute at what comes in,
/// and says what would have been dropped. Nothing is attached and nothing is dropped; no file but the one that is
/// written changes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence setup\n  \
    ringfence setup --countries GB,IE --domain sip.example.com --non-interactive\n  \
    ringfence setup --trunk uk=sip.provider.example,203.0.113.0/28 --output -\n\n\
    Without a terminal nothing is asked. A file that is there is replaced only\n\
    with --force or a yes; it stays beside the new one, as FILE.bak.")]
pub struct Args {
    /// Countries that phones call from, such as GB,IE
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    countries: Vec<String>,
    /// A name that phones know this host by; may be given more than once
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    domain: Vec<String>,
    /// A provider: HOST, or NAME=HOST,PREFIX; may be given more than once
    #[arg(long, value_name = "TRUNK")]
    trunk: Vec<String>,
    /// Who is told of bans by e-mail; may be given more than once
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    mail: Vec<String>,
    /// Guard this interface; may be given more than once [default: that of the default route]
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// Whom SSH admits beside `permit` [default: the countries, where there are any]
    #[arg(long, value_enum, value_name = "WHOM")]
    ssh: Option<Ssh>,
    /// Ask nothing
    #[arg(long)]
    non_interactive: bool,
    /// Where to write it; - for standard output [default: --config, or /etc/ringfence/ringfence.toml]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// How long to look on at packets
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        conflicts_with = "no_watch"
    )]
    watch: Period,
    /// Do not look on at packets
    #[arg(long)]
    no_watch: bool,
    /// Have the daemon that runs take the file over, without asking
    #[arg(long)]
    reload: bool,
}

/// Whom SSH admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ssh {
    /// The countries
    Countries,
    /// Permitted addresses alone
    Permitted,
}

impl Args {
    /// What the flags ask for.
    fn wishes(&self) -> anyhow::Result<Wishes> {
        let usage = |wrong: Wrong| anyhow!(Usage(wrong.to_string()));
        Ok(Wishes {
            countries: countries(&self.countries.join(",")).map_err(usage)?,
            domains: domains(&self.domain.join(",")).map_err(usage)?,
            trunks: self
                .trunk
                .iter()
                .map(|text| trunk(text))
                .collect::<Result<_, _>>()
                .map_err(usage)?,
            mail: mail(&self.mail.join(",")).map_err(usage)?,
            ssh: self.ssh.map(|ssh| match ssh {
                Ssh::Countries => Admission::Countries,
                Ssh::Permitted => Admission::Permitted,
            }),
            interfaces: self.interface.clone(),
            without_session: false,
        })
    }
}

/// Does it.
///
/// # Errors
/// When a flag is wrong, the file cannot be written or is there already, or what was asked for makes no configuration.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut wishes = args.wishes()?;
    let output = args.output.clone().or_else(|| global.config.clone());
    let output = output.unwrap_or_else(|| DEFAULT_CONFIG.into());
    let printed = output == Path::new("-");
    let asks = !args.non_interactive
        && global.format == Format::Text
        && io::stdin().is_terminal()
        && io::stderr().is_terminal();
    if !asks && !printed && !args.force && output.exists() {
        bail!(
            "{} is there; replace it with --force, which keeps it beside the new one, or name another with --output",
            output.display()
        );
    }
    let facts = Facts::gather(Path::new("/"));
    if asks {
        ask::wishes(&args, &facts, &mut wishes)?;
    }
    let plan = Plan::new(&facts, wishes);
    let text = file(&plan);
    let (global, config) = checked(&text, &output, global)?;
    if printed {
        show::remarks(&plan)?;
        write!(io::stdout(), "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    if global.format == Format::Text {
        show::plan(&plan, &text)?;
    }
    let saved = write_file(&output, &text, asks, args.force)?;
    let mut report = show::Report::new(&plan, &output, saved.as_ref());
    if saved.is_some() && global.format == Format::Text {
        manager(&plan)?;
    }
    if !args.no_watch {
        let time = args.watch.get();
        let consent = if args.reload {
            watch::Consent::Given
        } else if asks && saved.is_some() {
            watch::Consent::Asked
        } else {
            watch::Consent::No
        };
        report.watched = Some(watch::watch(time, consent, &global, &config)?);
    }
    report.show(&global)?;
    Ok(ExitCode::SUCCESS)
}

/// Holds the text to what `ringfence check` holds files to; also the options with the file named in them.
fn checked(text: &str, output: &Path, global: &Global) -> anyhow::Result<(Global, Config)> {
    let global = Global {
        config: Some(output.to_owned()),
        ..global.clone()
    };
    let shown = output.display().to_string();
    let config = Config::parse(text, &shown).map_err(LoadError::from)?;
    check::checked(&global, &config, &shown)?;
    Ok((global, config))
}

/// Writes the file where nobody objects; none where somebody did.
fn write_file(output: &Path, text: &str, asks: bool, force: bool) -> anyhow::Result<Option<Saved>> {
    if asks && !force {
        let asked = match Config::load(output) {
            _ if !output.exists() => format!("Write {}", output.display()),
            Ok(config) if config.mode == Mode::Enforce => format!(
                "{} is there and enforces. Replace it, and with it go back to shadow mode",
                output.display()
            ),
            _ => format!(
                "{} is there. Replace it; it stays beside the new one, as .bak",
                output.display()
            ),
        };
        if !ask::yes(&asked, !output.exists())? {
            return Ok(None);
        }
    }
    let saved = save(output, text);
    saved
        .with_context(|| {
            format!(
                "cannot write {}; run this as root, or name another with --output",
                output.display()
            )
        })
        .map(Some)
}

/// What to paste into Asterisk's manager.conf, where its manager interface is on and not known yet.
fn manager(plan: &Plan) -> anyhow::Result<()> {
    if !matches!(plan.manager, Some((_, false))) {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "\nAsterisk's manager interface is on. This user lets Ringfence learn from it; nothing of Asterisk was changed:\n"
    )?;
    let lines = asterisk::manager::lines("ringfence")?;
    writeln!(out, "{}", terminal::text(&lines))?;
    Ok(())
}
