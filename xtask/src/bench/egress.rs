//! What the program for what leaves costs a packet.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use ringfence::config::Config;
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};
use ringfence_core::country::CountryTable;
use xtask::frames;

use super::bare::Bare;
use super::scenario::{HOST, PHONES, open_policy};
use super::{Args, KEY, ends, summary};

/// One way.
struct Way {
    name: &'static str,
    frame: Vec<u8>,
    /// Whether a registration is learned from each.
    learns: bool,
    /// ns less a bare program.
    aim: Option<f64>,
}

/// The REGISTER of a phone, as it comes in.
fn request(place: u32) -> Vec<u8> {
    let source = IpAddr::from(PHONES.address(place).to_be_bytes());
    frames::udp_from(source, 5060, &frames::register(HOST, 600))
}

/// The phones register.
pub fn register(trial: &mut Trial) -> Result<()> {
    let answer = frames::accepted(HOST, true, 700);
    for place in 0..PHONES.count() {
        let request = request(place);
        trial.run(&request, 1)?;
        trial.run_leaving(&frames::answer_to(&request, &answer), 1)?;
    }
    let learned = trial.standings()?.len();
    ensure!(
        learned == PHONES.count() as usize,
        "{learned} phones are registered"
    );
    Ok(())
}

fn ways() -> [Way; 3] {
    let answer = |answers| {
        let text = frames::accepted(HOST, answers, 700);
        frames::answer_to(&request(0), &text)
    };
    [
        Way {
            name: "egress, no SIP",
            frame: frames::web(600),
            learns: false,
            aim: Some(10.0),
        },
        Way {
            name: "egress, 200 to a REGISTER, 700 bytes",
            frame: answer(true),
            learns: true,
            aim: Some(500.0),
        },
        Way {
            name: "egress, 200 that answers nothing",
            frame: answer(false),
            learns: false,
            aim: Some(500.0),
        },
    ]
}

/// Measures and prints them. One frame is judged again and again: its text and what is known of it
/// are in the caches.
pub fn measure(args: &Args, countries: &CountryTable) -> Result<()> {
    let bare = Bare::load()?;
    let config = Config::parse(&open_policy(), "egress")
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    let generation = tables::compile(&config, &Inputs::default())
        .map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    let mut bares = Vec::new();
    for way in ways() {
        if !way.name.contains(&args.only) {
            continue;
        }
        let mut trial = Trial::load(&generation, countries, KEY, false)?;
        register(&mut trial)?;
        // The phones' requests differ in their sources alone: only the last one can be answered.
        trial.run(&request(0), 1)?;
        let before = trial.contacts()?;
        trial.run_leaving(&way.frame, args.packets)?;
        let learned = trial.contacts()? != before;
        ensure!(
            learned == way.learns,
            "\"{}\": learned: {learned}",
            way.name
        );
        let mut costs = Vec::new();
        for _ in 0..args.rounds {
            let floor = bare.run(&way.frame, args.packets)?;
            let (dropped, judged) = trial.run_leaving(&way.frame, args.packets)?;
            ensure!(!dropped, "\"{}\" was dropped", way.name);
            bares.push(floor);
            costs.push(judged.as_nanos() as f64 - floor);
        }
        print_row(&way, &mut costs);
    }
    if !bares.is_empty() {
        let (median, least, most) = summary(&mut bares);
        println!(
            "{:<38}{median:>7.0}{:>16}",
            "bare TC program",
            ends(least, most)
        );
    }
    Ok(())
}

fn print_row(way: &Way, costs: &mut [f64]) {
    let (median, least, most) = summary(costs);
    let aim = way.aim.map_or_else(String::new, |aim| {
        let missed = if median > aim {
            format!("{:+.0}", median - aim)
        } else {
            "no".to_owned()
        };
        format!("{aim:>6.0}{missed:>7}")
    });
    println!(
        "{:<38}{median:>7.0}{:>16}{aim}",
        way.name,
        ends(least, most)
    );
}
