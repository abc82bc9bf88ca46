//! `ringfence country update` and `rollback`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::offline::Said;
use crate::cli::{FAILED, Format, Global, offline, remote, terminal};
use crate::config::{Config, SecretError};
use crate::control::{ControlError, Request, ask};
use crate::country::{self, Admitted, Outcome, Report, Task, UpdateError};
use crate::fetch;
use crate::store::Store;
use crate::trust::Known;

/// Ask for newer country data and put it in force
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence country update --dry-run\n  \
    ringfence country update --force\n\n\
    It says nothing where standard error is no terminal and nobody is affected.\n\n\
    Exit codes: 0 done, or there is nothing newer; 1 failed or refused."
)]
pub struct Args {
    /// Take the data whatever speaks against it
    #[arg(long)]
    force: bool,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Say what was done, also in cron
    #[arg(long, short)]
    verbose: bool,
}

/// Updates.
///
/// # Errors
/// When there is no newer data that can be used.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    match country::key(&config.country) {
        // What systemd gives the daemon nobody else can read.
        Err(UpdateError::Secret(SecretError::Credential(_))) if !args.dry_run => {
            let request = Request::CountryUpdate { force: args.force };
            return remote::send(&request, global);
        }
        key => key?,
    }
    let state = offline::state(global, &config);
    let said = Said::read(global, &config);
    let inputs = said.inputs(&config)?;
    let admitted = Admitted::of(&config, &inputs);
    let now = Timestamp::now();
    let known = Store::read(state)?.map(|store| store.trust()).transpose()?;
    let known = Known::new(known.unwrap_or_default());
    let subjects = country::subjects(&config, &inputs, &known, now);
    let outcome = country::update(&Task {
        origin: &config.country,
        state,
        admitted: &admitted,
        subjects: &subjects,
        force: args.force,
        dry_run: args.dry_run,
        now,
        progress: &*fetch::progress(),
    })?;
    let chatty = args.verbose || args.dry_run || io::IsTerminal::is_terminal(&io::stderr());
    let report = match outcome {
        Outcome::Unchanged => {
            let data = json!({ "changed": false });
            say(global, chatty, "there is no newer country data", &data)?;
            return Ok(ExitCode::SUCCESS);
        }
        Outcome::New(report) => report,
    };
    shown(global, &args, &report, chatty)?;
    if args.dry_run {
        let refused = !report.doubts.is_empty() && !args.force;
        return Ok(ExitCode::from(if refused { FAILED } else { 0 }));
    }
    renewed(global, chatty || !report.is_quiet())
}

/// Goes back.
///
/// # Errors
/// When there is nothing to go back to.
pub fn rollback(global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let source = country::rollback(place(global, &config))?;
    let text = format!("country data: {source} holds again");
    say(global, true, &text, &json!({ "source": source }))?;
    renewed(global, true)
}

fn place<'a>(global: &'a Global, config: &'a Config) -> &'a Path {
    offline::state(global, config)
}

fn shown(global: &Global, args: &Args, report: &Report, chatty: bool) -> io::Result<()> {
    let mut data = report.data();
    if let Value::Object(fields) = &mut data {
        fields.insert("changed".into(), json!(!args.dry_run));
    }
    let text = report.text(args.dry_run);
    say(global, chatty || !report.is_quiet(), &text, &data)
}

/// For people only where somebody wants to hear it; for programs always.
fn say(global: &Global, chatty: bool, text: &str, data: &Value) -> io::Result<()> {
    match global.format {
        Format::Json => writeln!(io::stdout(), "{}", terminal::json(&data.to_string())),
        Format::Text if chatty => writeln!(io::stdout(), "{}", terminal::text(text)),
        Format::Text => Ok(()),
    }
}

/// Has the daemon put it in force, where one runs.
fn renewed(global: &Global, chatty: bool) -> anyhow::Result<ExitCode> {
    let answers = match ask(&remote::socket(global), &Request::CountryRenewed) {
        Ok(answers) => answers,
        Err(ControlError::NoDaemon(_)) => {
            let text = "no daemon runs; it takes the data at its start";
            if chatty && global.format == Format::Text {
                writeln!(io::stdout(), "{text}")?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    let mut code = ExitCode::SUCCESS;
    for answer in answers {
        let answer = answer?;
        if !answer.ok {
            code = ExitCode::from(FAILED);
            writeln!(io::stderr(), "ringfence: {}", terminal::text(&answer.text))?;
        } else if chatty && global.format == Format::Text {
            writeln!(io::stdout(), "{}", terminal::text(&answer.text))?;
        }
    }
    Ok(code)
}
