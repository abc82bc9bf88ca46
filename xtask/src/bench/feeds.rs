//! `cargo xtask bench feeds`: threat lists of growing length: how long they take from a file to the judge's table, what
//! memory they take, and what a packet costs by them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ringfence::config::Config;
use ringfence::country::CountryData;
use ringfence::engine::feeds::{Blocks, FeedTable};
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};
use ringfence_core::country::CountryTable;
use ringfence_core::feed::FeedAction;
use ringfence_core::reason::Reason;

use super::programs::{Programs, Sender};
use super::{KEY, lists, scenario, share, summary};

/// Measures threat lists of growing length; as root.
#[derive(clap::Args)]
pub struct Args {
    /// Rounds; the table shows their medians
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in a run
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1000..))]
    packets: u32,
}

/// Addresses that are listed.
const LENGTHS: [u32; 4] = [10_000, 100_000, 1_000_000, 5_000_000];
/// Addresses are this far apart: each in a block of its own, as strangers' are, and all over the Internet.
const STEP: u32 = 0x0012_9e35;
/// The first of those that are listed.
const LISTED: u32 = 0x0100_0000;

struct Row {
    sorted: Duration,
    loaded: Duration,
    again: Duration,
    memory: usize,
    listed: f64,
    others: f64,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    lists::run(&LENGTHS)?;
    println!();
    let mut programs = Programs::load()?;
    let countries = CountryData::builtin()?.compile()?;
    println!(
        "| listed | sorted, ms | loaded, ms | loaded again, ms | memory, MB | listed, ns | others, ns |"
    );
    println!("|---|---|---|---|---|---|---|");
    for length in [0].into_iter().chain(LENGTHS) {
        let row = measure(&mut programs, &countries, length, args)?;
        let ms = |it: Duration| it.as_secs_f64() * 1000.0;
        println!(
            "| {length} | {:.0} | {:.0} | {:.0} | {:.1} | {:.0} | {:.0} |",
            ms(row.sorted),
            ms(row.loaded),
            ms(row.again),
            row.memory as f64 / 1e6,
            row.listed,
            row.others
        );
    }
    Ok(())
}

fn measure(
    programs: &mut Programs,
    countries: &CountryTable,
    length: u32,
    args: &Args,
) -> Result<Row> {
    let all = scenario::all();
    let fenced = all.iter().find(|it| it.reason == Reason::Country);
    let Some(fenced) = fenced else {
        anyhow::bail!("no way ends at the country");
    };
    let config = Config::parse(&fenced.policy, "feeds").map_err(|it| anyhow::anyhow!("{it}"))?;
    let generation =
        tables::compile(&config, &Inputs::default()).map_err(|it| anyhow::anyhow!("{it}"))?;
    let addresses = (0..length).map(|n| LISTED.wrapping_add(n.wrapping_mul(STEP)));
    let begun = Instant::now();
    let blocks = Blocks::new(addresses.map(|it| (it, it, FeedAction::Deny)));
    let sorted = begun.elapsed();
    let mut trial = Trial::with_feeds(&generation, countries, KEY, false, blocks.len())?;
    let load = |table: &FeedTable| -> Result<Duration> {
        let begun = Instant::now();
        let placed = table.replace(&blocks);
        ensure!(placed.left_out == 0, "{} found no room", placed.left_out);
        Ok(begun.elapsed())
    };
    let loaded = load(trial.feeds())?;
    let again = load(trial.feeds())?;
    let memory = trial.feeds().memory();
    let mut cost = |sender: Sender, reason: Reason| -> Result<f64> {
        let mut frame = fenced.frame.clone();
        programs.set_sender(&sender)?;
        programs.judge(trial.program()?, &mut frame, args.packets)?;
        let before = trial.counters()?;
        let mut costs = Vec::new();
        for _ in 0..args.rounds {
            let floor = programs.drop_from_source(&mut frame, args.packets)?;
            costs.push(programs.judge(trial.program()?, &mut frame, args.packets)? - floor);
        }
        let share = share(&before, &trial.counters()?, reason);
        ensure!(share > 0.9, "{share:.2} of {length} met {}", reason.name());
        Ok(summary(&mut costs).0)
    };
    let listed = match length {
        0 => f64::NAN,
        _ => cost(
            Sender::Of {
                base: LISTED,
                step: STEP,
                count: length,
            },
            Reason::Feed,
        )?,
    };
    Ok(Row {
        sorted,
        loaded,
        again,
        memory,
        listed,
        others: cost(Sender::AnyV4, Reason::Country)?,
    })
}
