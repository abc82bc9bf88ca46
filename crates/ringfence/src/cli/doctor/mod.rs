//! `ringfence doctor`: what stands in the way of the fence, each with a remedy.

mod agi;
mod asterisk;
mod country;
mod engine;
mod finding;
mod firewall;
mod host;
mod kinds;
mod links;
mod logs;
mod names;
mod notices;
mod rivals;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use self::finding::{Finding, State, finding};
use super::leak::{self, Looked};
use super::{FAILED, Format, Global, offline, terminal};
use crate::coexist::attached_program;
use crate::config::Config;
use crate::{net, privilege};

/// Tell what stands in the way of the fence, and what to do about it
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence doctor\n  ringfence doctor --format json\n\n\
    Exit codes: 0 the fence can stand, 1 something is in its way, or a part that\n\
    the configuration names cannot work."
)]
pub struct Args {}

/// Does it.
///
/// # Errors
/// When the network cannot be asked or the answer not be written.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let bpffs = global.bpffs.as_ref().unwrap_or(&config.bpffs);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (interfaces, routes) =
        runtime.block_on(async { anyhow::Ok((net::interfaces().await?, net::routes().await?)) })?;
    let release = nix::sys::utsname::uname()?;
    let xdp = vec![
        host::kernel(&release.release().to_string_lossy()),
        host::capabilities(privilege::missing(privilege::FENCE)),
        host::mount(bpffs),
        host::compiler(fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok()),
    ];
    let mut findings = engine::either(config.engine, xdp);
    let ours = bpffs.join("ringfence").is_dir();
    findings.extend(links::links(
        &config.interfaces,
        &interfaces,
        &routes,
        ours,
        attached_program,
    ));
    let running = host::processes();
    findings.push(host::servers(&running));
    findings.extend(rivals::rivals(&rivals::Seen::look(running)));
    findings.extend(firewall::look(&config));
    findings.push(host::clock(host::synchronised()));
    let state = offline::state(global, &config);
    findings.push(country::look(
        &config.country,
        state,
        jiff::Timestamp::now(),
    ));
    let own = net::own_addresses(&interfaces);
    let leaks = runtime.block_on(leak::look(&config, &own));
    findings.extend(leaks.into_iter().map(told));
    let listed = offline::Said::read(global, &config).names;
    findings.extend(runtime.block_on(names::look(&config, &listed)));
    findings.extend(runtime.block_on(parts(&config)));
    let mut out = io::stdout().lock();
    show(&mut out, global.format, &findings)?;
    let problem = findings.iter().any(|f| f.state == State::Problem);
    Ok(ExitCode::from(if problem { FAILED } else { 0 }))
}

/// The parts that are there only where the configuration names them.
async fn parts(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(asterisk) = &config.asterisk {
        findings.extend(asterisk::look(asterisk).await);
    }
    findings.extend(config.agi.as_ref().map(agi::look));
    findings.extend(config.logs.iter().map(logs::look));
    findings.extend(notices::look(&config.notify));
    findings
}

/// Where strangers may have the domain from.
fn told(looked: Looked) -> Finding {
    let state = if looked.fine {
        State::Fine
    } else {
        State::Note
    };
    finding(looked.what, state, looked.found, looked.remedy)
}

fn show(out: &mut impl Write, format: Format, findings: &[Finding]) -> io::Result<()> {
    for Finding {
        what,
        state,
        found,
        remedy,
    } in findings
    {
        let state = state.name();
        if format == Format::Json {
            let remedy = (!remedy.is_empty()).then_some(remedy);
            let line = json!({ "check": what, "state": state, "found": found, "remedy": remedy });
            writeln!(out, "{}", terminal::json(&line.to_string()))?;
            continue;
        }
        let line = format!("{state:8}{what}: {found}");
        writeln!(out, "{}", terminal::line(&line))?;
        if !remedy.is_empty() {
            writeln!(out, "        -> {}", terminal::line(remedy))?;
        }
    }
    Ok(())
}
