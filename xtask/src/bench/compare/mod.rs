//! `cargo xtask bench compare`: Ringfence beside iptables and nftables, the same packets.
//!
//! Every filter stands at once, each in namespaces of its own. A source in the kernel sends packets over a cable; the
//! receiving end runs on the same processor, inside the source's own system call. What that takes, less what the
//! source takes alone in the same round, is the cost of the way from the cable to the verdict, and on to the socket.

mod cost;
mod fence;
mod place;
pub mod queues;
mod rivals;
mod source;
pub mod swap;
mod table;
mod traffic;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;

use crate::ebpf::BENCH;
use crate::shell::{self, cargo};
use cost::Processor;
use fence::Fence;
use place::Place;
use source::{Exit, Source};
use table::Cell;
use traffic::{Traffic, World};

/// Measures Ringfence beside iptables and nftables, with the same packets; as root.
#[derive(clap::Args)]
pub struct Args {
    /// Rounds; the tables show their median and their ends
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in a run
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1000..))]
    packets: u32,
}

const FILTERS: [&str; 6] = [
    "no filter",
    "bare `XDP_DROP`",
    "iptables",
    "nftables, ingress hook",
    "Ringfence",
    "Ringfence, bans off",
];
/// The row that the others are multiples of.
const BARE_DROP: usize = 1;
/// What is done with next to nothing is done so many times as often: its time is short, and noise is not.
const QUICK: u32 = 5;

/// A filter that stands, and its sources, one a kind of traffic. What is dropped first comes first.
struct Stand {
    sources: Vec<Source>,
    _fence: Option<Fence>,
    _bare: Option<Ebpf>,
    place: Place,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    shell::run(Command::new("sh").arg("lab/setup.sh").arg("compare"))?;
    shell::run(cargo().args(["build", "--locked", "--quiet", "--bin", "ringfence"]))?;
    ringfence_lab::sweep()?;
    let world = World::new()?;
    let stands = (0..FILTERS.len()).map(|filter| Stand::up(filter, &world));
    let stands = stands.collect::<Result<Vec<_>>>()?;
    let controls = world
        .traffic
        .iter()
        .map(|it| Source::new(&it.frame, &it.senders, Exit::Drop));
    let controls = controls.collect::<Result<Vec<_>>>()?;
    let processor = Processor::current()?;
    let mut cells = vec![vec![Cell::default(); world.traffic.len()]; stands.len()];
    let quick = args.packets * QUICK;
    // The first round fills tables and caches, spends bursts, and is not kept.
    for round in 0..=args.rounds as usize {
        for (column, traffic) in world.traffic.iter().enumerate() {
            let packets = traffic.packets(args.packets);
            let place = &stands[0].place;
            let alone = place.at_sender(|_| processor.cost(|| controls[column].send(quick)))?;
            let alone = alone / f64::from(quick);
            let mut costs = vec![0.0; stands.len()];
            for turn in 0..stands.len() {
                let row = (turn + round + column) % stands.len();
                let packets = if row == BARE_DROP { quick } else { packets };
                let (took, reached) = stands[row].send(column, traffic, packets, &processor)?;
                costs[row] = took / f64::from(packets) - alone;
                if round > 0 {
                    cells[row][column].sent += u64::from(packets);
                    cells[row][column].reached += reached;
                }
            }
            if round > 0 {
                for (row, cost) in cells.iter_mut().zip(&costs) {
                    row[column].costs.push(*cost);
                    row[column].multiples.push(cost / costs[BARE_DROP]);
                }
            }
        }
        eprintln!("round {round} of {}", args.rounds);
    }
    let names: Vec<_> = world.traffic.iter().map(|it| it.name).collect();
    table::print(&FILTERS, &names, &cells);
    Ok(())
}

impl Traffic {
    /// How many packets are sent in a run.
    fn packets(&self, usual: u32) -> u32 {
        self.each
            .map_or(usual, |each| each * self.senders.len() as u32)
    }
}

impl Stand {
    fn up(filter: usize, world: &World) -> Result<Self> {
        let place = Place::new(filter as u32)?;
        let program = Path::new("target/debug/ringfence").canonicalize()?;
        let (mut fence, mut bare) = (None, None);
        match filter {
            0 => {}
            1 => bare = Some(place.at_server(bare_drop)?),
            2 => rivals::iptables(&place, world)?,
            3 => rivals::nftables(&place, world)?,
            4 => fence = Some(Fence::start(&place, world, &program, true)?),
            _ => fence = Some(Fence::start(&place, world, &program, false)?),
        }
        let sources = world.traffic.iter().map(|traffic| {
            place.at_sender(|index| {
                Source::new(&traffic.frame, &traffic.senders, Exit::Interface(index))
            })
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            sources,
            _fence: fence,
            _bare: bare,
            place,
        })
    }

    /// Sends a kind of traffic: what it took, and how many packets reached the socket.
    fn send(
        &self,
        column: usize,
        traffic: &Traffic,
        packets: u32,
        processor: &Processor,
    ) -> Result<(f64, u64)> {
        if traffic.known {
            self.place.speak_to(&traffic.senders)?;
        }
        let before = self.place.reached()?;
        let took = self
            .place
            .at_sender(|_| processor.cost(|| self.sources[column].send(packets)))?;
        Ok((took, self.place.reached()? - before))
    }
}

/// A program that drops everything, in the driver of the server's interface.
fn bare_drop(index: u32) -> Result<Ebpf> {
    let mut ebpf = Ebpf::load_file(BENCH).with_context(|| format!("cannot load {BENCH}"))?;
    let program: &mut Xdp = ebpf
        .program_mut("bare_drop")
        .with_context(|| format!("{BENCH} has no program bare_drop"))?
        .try_into()?;
    program.load()?;
    program.attach_to_if_index(index, XdpMode::Driver)?;
    Ok(ebpf)
}
