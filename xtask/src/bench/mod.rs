//! `cargo xtask bench`: what the shipped program costs a packet.
//!
//! Each way through the judge is run by `BPF_PROG_TEST_RUN`, in rounds; every round measures a bare
//! drop, a bare pass, the source of packets before a bare drop, and the same source before the
//! program. The last less the one before it is the cost of the program less that of a bare drop.
//!
//! The program for what leaves is measured less a bare one of its kind, each time with the same frame.

mod bare;
mod compare;
mod egress;
mod feeds;
mod lists;
mod programs;
mod scenario;

use anyhow::{Context, Result, ensure};
use ringfence::config::Config;
use ringfence::country::CountryData;
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Cause};
use ringfence_core::hash::Key;
use ringfence_core::reason::Reason;

use programs::Programs;
use scenario::Scenario;

/// Measures what the BPF program costs a packet, in ns less a bare XDP_DROP; as root.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// Rounds; the table shows their median and their ends
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in a run
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1000..))]
    packets: u32,
    /// Only the ways whose name has this in it
    #[arg(default_value = "")]
    only: String,
}

/// Another measurement than that of the ways through the judge.
#[derive(clap::Subcommand)]
enum Other {
    Compare(compare::Args),
    Queues(compare::queues::Args),
    Feeds(feeds::Args),
    Swap(compare::swap::Args),
}

const KEY: Key = Key {
    words: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
};

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    if let Some(Other::Compare(args)) = &args.other {
        return compare::run(args);
    }
    if let Some(Other::Queues(args)) = &args.other {
        return compare::queues::run(args);
    }
    if let Some(Other::Feeds(args)) = &args.other {
        return feeds::run(args);
    }
    if let Some(Other::Swap(args)) = &args.other {
        return compare::swap::run(args);
    }
    let mut programs = Programs::load()?;
    let countries = CountryData::builtin()?.compile()?;
    let (mut drops, mut passes) = (Vec::new(), Vec::new());
    println!(
        "{:<34}{:>7}{:>16}{:>6}{:>7}  share of its reason",
        "ns per packet, less a bare drop", "median", "min to max", "aim", "missed"
    );
    for scenario in scenario::all() {
        if !scenario.name.contains(&args.only) {
            continue;
        }
        let mut trial = trial(&scenario, &countries)
            .with_context(|| format!("cannot prepare \"{}\"", scenario.name))?;
        let mut frame = scenario.frame.clone();
        programs.set_sender(&scenario.sender)?;
        // Tables fill, rates are spent, code is in the caches.
        programs.judge(trial.program()?, &mut frame, scenario.warm_up)?;
        let before = trial.counters()?;
        let mut costs = Vec::new();
        for _ in 0..args.rounds {
            drops.push(programs.bare_drop(&frame, args.packets)?);
            passes.push(programs.bare_pass(&frame, args.packets)?);
            let floor = programs.drop_from_source(&mut frame, args.packets)?;
            let judged = programs.judge(trial.program()?, &mut frame, args.packets)?;
            costs.push(judged - floor);
        }
        let share = share(&before, &trial.counters()?, scenario.reason);
        print_row(&scenario, &mut costs, share);
        ensure!(
            share > 0.9,
            "\"{}\" did not meet the reason it is there for: {:?}",
            scenario.name,
            trial.counters()?
        );
    }
    for (name, mut all) in [("bare XDP_DROP", drops), ("bare XDP_PASS", passes)] {
        if all.is_empty() {
            continue;
        }
        let (median, least, most) = summary(&mut all);
        println!("{name:<34}{median:>7.0}{:>16}", ends(least, most));
    }
    egress::measure(&args, &countries)
}

fn trial(scenario: &Scenario, countries: &ringfence_core::country::CountryTable) -> Result<Trial> {
    let config = Config::parse(&scenario.policy, scenario.name)
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    let generation = tables::compile(&config, &Inputs::default())
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    let mut trial = Trial::load(&generation, countries, KEY, false)?;
    let banned: Vec<Address> = (0..scenario.banned)
        .map(|place| Address::v4(scenario.sender.address(place).to_be_bytes()))
        .collect();
    let ban = Ban {
        until: u64::MAX,
        cause: Cause::Manual as u8,
        proved: 0,
        signature: 0,
        renews: 0,
    };
    trial.ban(&banned, &ban)?;
    if scenario.registered {
        egress::register(&mut trial)?;
    }
    Ok(trial)
}

/// Which part of all packets between two states of the counters met the reason.
fn share(before: &[(u8, u8, u64)], after: &[(u8, u8, u64)], wanted: Reason) -> f64 {
    let (mut all, mut met) = (0, 0);
    for &(service, reason, count) in after {
        let old = before
            .iter()
            .find(|entry| (entry.0, entry.1) == (service, reason))
            .map_or(0, |entry| entry.2);
        all += count - old;
        if Reason::from_number(reason) == Some(wanted) {
            met += count - old;
        }
    }
    met as f64 / all.max(1) as f64
}

fn print_row(scenario: &Scenario, costs: &mut [f64], share: f64) {
    let (median, least, most) = summary(costs);
    let (aim, missed) = match scenario.aim {
        Some(aim) if median > aim => (format!("{aim:.0}"), format!("{:+.0}", median - aim)),
        Some(aim) => (format!("{aim:.0}"), "no".to_owned()),
        None => (String::new(), String::new()),
    };
    println!(
        "{:<34}{median:>7.0}{:>16}{aim:>6}{missed:>7}  {:.1}% {}",
        scenario.name,
        ends(least, most),
        share * 100.0,
        scenario.reason.name()
    );
}

fn ends(least: f64, most: f64) -> String {
    format!("{least:.0} to {most:.0}")
}

/// Median, least and most.
fn summary(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let median = values.get(values.len() / 2).copied();
    let ends = (values.first().copied(), values.last().copied());
    (
        median.unwrap_or(f64::NAN),
        ends.0.unwrap_or(f64::NAN),
        ends.1.unwrap_or(f64::NAN),
    )
}
