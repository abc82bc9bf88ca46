//! `cargo xtask bench queues`: the judge over queues of nftables beside the judge in the kernel, and beside a script on
//! one queue, with the same packets.
//!
//! A source in the kernel sends no more than so many packets ahead of the verdicts: none is lost, and what is told is what
//! each carries when it is never idle. The cost of a packet is the time of all processors: of the source's system calls,
//! the receiving end in them included, and of the program that judges, less that of the source alone.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::cost::{Processor, ran};
use super::fence::{self, Fence};
use super::place::{Place, feed, write};
use super::source::{Exit, Source};
use super::traffic::World;
use crate::shell;

/// Measures the judge over queues of nftables beside XDP and beside a script; as root.
#[derive(clap::Args)]
pub struct Args {
    /// Rounds; the table shows their median and their ends
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in a run
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..))]
    packets: u32,
}

const STANDS: [&str; 3] = [
    "Ringfence, XDP",
    "Ringfence, queues",
    "a script on one queue",
];
/// Kinds of traffic that say most: who is shut out by country, scanners, and phones.
const TRAFFIC: [&str; 3] = ["country", "scan", "phones"];
/// Packets sent at once, and that may wait then.
const BURST: u32 = 1024;
const AHEAD: u64 = 1024;
const SCRIPT_QUEUE: u16 = 9;

/// What stands, and the process that judges.
struct Stand {
    sources: Vec<Source>,
    process: Option<u32>,
    _script: Option<Script>,
    _fence: Option<Fence>,
    place: Place,
}

/// Packets a second, and ns a packet.
#[derive(Clone, Default)]
struct Cell {
    pace: Vec<f64>,
    cost: Vec<f64>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    shell::run(Command::new("sh").arg("lab/setup.sh").arg("compare"))?;
    let program = fence::program()?;
    ringfence_lab::sweep()?;
    let world = World::new()?;
    let columns: Vec<_> = TRAFFIC
        .iter()
        .filter_map(|name| world.traffic.iter().position(|it| it.name == *name))
        .collect();
    let stands = (0..STANDS.len()).map(|number| Stand::up(number, &world, &program));
    let stands = stands.collect::<Result<Vec<_>>>()?;
    let processor = Processor::current()?;
    let mut cells = vec![vec![Cell::default(); columns.len()]; stands.len()];
    // The first round fills tables and caches, and is not kept.
    for round in 0..=args.rounds as usize {
        for (number, column) in columns.iter().enumerate() {
            let traffic = &world.traffic[*column];
            let alone = Source::new(&traffic.frame, &traffic.senders, Exit::Drop)?;
            let alone = cost_alone(&alone, &stands[0].place, args.packets, &processor)?;
            for turn in 0..stands.len() {
                let row = (turn + round + number) % stands.len();
                let (pace, cost) = stands[row].measure(*column, args.packets, &processor)?;
                if round > 0 {
                    cells[row][number].pace.push(pace);
                    cells[row][number].cost.push(cost - alone);
                }
            }
        }
        eprintln!("round {round} of {}", args.rounds);
    }
    print("packets a second, in thousands", &cells, |cell| {
        cell.pace.iter().map(|pace| pace / 1000.0).collect()
    });
    print("ns of processor time a packet", &cells, |cell| {
        cell.cost.clone()
    });
    Ok(())
}

impl Stand {
    fn up(number: usize, world: &World, program: &Path) -> Result<Self> {
        let place = Place::new(number as u32)?;
        let (mut fence, mut script) = (None, None);
        match number {
            0 => fence = Some(Fence::start_with(&place, world, program, true, "xdp")?),
            1 => fence = Some(Fence::start_with(&place, world, program, true, "nfqueue")?),
            _ => script = Some(Script::start(&place, world)?),
        }
        let sources = world.traffic.iter().map(|traffic| {
            place.at_sender(|index| {
                Source::new(&traffic.frame, &traffic.senders, Exit::Interface(index))
            })
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let process = match (&fence, &script) {
            (Some(fence), _) => Some(fence.process()),
            (_, Some(script)) => Some(script.process.id()),
            _ => None,
        };
        Ok(Self {
            sources,
            process,
            _script: script,
            _fence: fence,
            place,
        })
    }

    /// Packets a second, and ns of all processors a packet, the source's own among them.
    fn measure(&self, column: usize, packets: u32, processor: &Processor) -> Result<(f64, f64)> {
        let process = self.process.context("nobody judges")?;
        let _held = self.place.at_sender(|_| self.sources[column].hold())?;
        let before = (ran(process)?, self.waiting()?.1);
        let begun = Instant::now();
        let mut cost = 0.0;
        for burst in bursts(packets) {
            cost += self
                .place
                .at_sender(|_| processor.cost(|| self.sources[column].send(burst)))?;
            self.wait_for(AHEAD)?;
        }
        self.wait_for(0)?;
        let took = begun.elapsed().as_secs_f64();
        let after = (ran(process)?, self.waiting()?.1);
        ensure!(
            after.1 == before.1,
            "{} packets found the queues full",
            after.1 - before.1
        );
        let judged = (after.0 - before.0) as f64;
        let packets = f64::from(packets);
        Ok((packets / took, (cost + judged) / packets))
    }

    fn wait_for(&self, most: u64) -> Result<()> {
        while self.waiting()?.0 > most {
            thread::sleep(Duration::from_micros(300));
        }
        Ok(())
    }

    /// How many packets wait in queues, and how many found them full.
    fn waiting(&self) -> Result<(u64, u64)> {
        let path = "/proc/thread-self/net/netfilter/nfnetlink_queue";
        let text = self.place.at_server(|_| Ok(fs::read_to_string(path)?))?;
        let mut sums = (0, 0);
        for line in text.lines() {
            let words: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
            if let [_, _, waiting, _, _, full, unheard, ..] = words[..] {
                sums = (sums.0 + waiting, sums.1 + full + unheard);
            }
        }
        Ok(sums)
    }
}

/// ns a packet of a source whose packets go nowhere.
fn cost_alone(source: &Source, place: &Place, packets: u32, processor: &Processor) -> Result<f64> {
    let _held = place.at_sender(|_| source.hold())?;
    let mut cost = 0.0;
    for burst in bursts(packets) {
        cost += place.at_sender(|_| processor.cost(|| source.send(burst)))?;
    }
    Ok(cost / f64::from(packets))
}

/// So many packets in bursts.
fn bursts(packets: u32) -> impl Iterator<Item = u32> {
    (0..packets)
        .step_by(BURST as usize)
        .map(move |sent| BURST.min(packets - sent))
}

/// The script, with its queue.
struct Script {
    process: Child,
    _ranges: tempfile::NamedTempFile,
}

impl Script {
    fn start(place: &Place, world: &World) -> Result<Self> {
        let mut text = String::new();
        for (first, last) in &world.ranges {
            writeln!(text, "{first} {last}")?;
        }
        let ranges = tempfile::NamedTempFile::new()?;
        write(ranges.path(), &text)?;
        let rule = format!("-I INPUT -p udp --dport 5060 -j NFQUEUE --queue-num {SCRIPT_QUEUE}");
        feed(place.command("iptables").args(rule.split(' ')), "")?;
        let mut process = place
            .command("python3")
            .arg("xtask/src/bench/compare/script.py")
            .arg(SCRIPT_QUEUE.to_string())
            .arg(ranges.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "ready\n", "the script does not stand: {line}");
        Ok(Self {
            process,
            _ranges: ranges,
        })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Nobody is left to hear an error.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn print(what: &str, cells: &[Vec<Cell>], of: impl Fn(&Cell) -> Vec<f64>) {
    println!(
        "\n{what}, median (min to max):\n\n| | {} |",
        TRAFFIC.join(" | ")
    );
    println!("|---|{}", "---|".repeat(TRAFFIC.len()));
    for (name, row) in STANDS.iter().zip(cells) {
        let shown = row.iter().map(|cell| {
            let mut values = of(cell);
            values.sort_by(f64::total_cmp);
            let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
            let last = values.len().saturating_sub(1);
            format!(
                "{:.0} ({:.0} to {:.0})",
                at(values.len() / 2),
                at(0),
                at(last)
            )
        });
        println!("| {name} | {} |", shown.collect::<Vec<_>>().join(" | "));
    }
}
