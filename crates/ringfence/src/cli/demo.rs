//! `ringfence demo`: the fence in the kernel, shown without touching the host's network.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::{FAILED, Format, Global};
use crate::demo::{self, Player};
use crate::privilege;

/// Show the fence at work, in network namespaces of its own
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
It plays a capture of two phones, a scanner, a password guesser and a toll fraudster at a fence in \
the kernel. The configuration, the interfaces and the fence of this host are not touched, and \
nothing is left behind.

Example:
  ringfence demo --seconds 5")]
pub struct Args {
    /// How long it takes
    #[arg(long, value_name = "N", default_value_t = 12,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

/// Does it.
///
/// # Errors
/// When a capability is missing or the kernel refuses a step.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let missing =
        privilege::missing(privilege::DEMO).context("cannot read what this process may do")?;
    if !missing.is_empty() {
        anyhow::bail!(
            "the demonstration needs {}; run it as root",
            missing.join(", ")
        );
    }
    let text = global.format == Format::Text;
    let live = text && io::stdout().is_terminal();
    let mut drawn = 0;
    let players = demo::play(Duration::from_secs(args.seconds), |players| {
        if live {
            drawn = redraw(players, drawn)?;
        }
        Ok(())
    })?;
    if text {
        redraw(&players, drawn)?;
        writeln!(io::stdout(), "\n{}", summary(&players))?;
    } else {
        let mut out = io::stdout().lock();
        for player in &players {
            serde_json::to_writer(&mut out, player).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    let as_meant = players.iter().all(|player| {
        player.sent
            == if player.wanted {
                player.passed
            } else {
                player.dropped
            }
    });
    Ok(if as_meant {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// Draws the table over the one of `above` lines; how many lines it has.
fn redraw(players: &[Player], above: usize) -> io::Result<usize> {
    let mut out = io::stdout().lock();
    if above > 0 {
        write!(out, "\x1b[{above}F\x1b[J")?;
    }
    let table = table(players);
    out.write_all(table.as_bytes())?;
    out.flush()?;
    Ok(table.lines().count())
}

/// Two lines for each player, no wider than 80 columns.
fn table(players: &[Player]) -> String {
    let mut table = format!(
        "{:<16} {:<13} {:>4} {:>6} {:>7}  WHAT, AND WHY IT PASSED OR NOT\n",
        "WHO", "FROM", "SENT", "PASSED", "DROPPED"
    );
    for player in players {
        table += &format!(
            "{:<16} {:<13} {:>4} {:>6} {:>7}  {}\n    {}\n",
            player.who,
            player.address.to_string(),
            player.sent,
            player.passed,
            player.dropped,
            player.sends,
            player.why()
        );
    }
    table
}

/// What was seen, and what to do next: three sentences.
fn summary(players: &[Player]) -> String {
    let total = |wanted: bool| {
        let of = players.iter().filter(|player| player.wanted == wanted);
        of.fold((0, 0), |(sent, passed), player| {
            (sent + player.sent, passed + player.passed)
        })
    };
    let (sent, passed) = total(true);
    let (attacks, through) = total(false);
    format!(
        "Of the {sent} packets of the phones and the administrator {passed} reached the telephone \
         system: the phones named the domain sip.example.com, and port 22 is no service of the \
         fence.\n\
         Of the {attacks} packets of the scanner, the password guesser and the toll fraudster \
         {through} did; a packet that is dropped gets no answer, not even an ICMP error.\n\
         Next, `ringfence doctor` says whether this host is ready, and `ringfence run` shows in \
         shadow mode what a fence would drop here, while everything passes."
    )
}
