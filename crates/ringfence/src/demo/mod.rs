//! The demonstration: a capture that ships with the binary is played at a fence in the kernel, in
//! network namespaces of its own.

mod cast;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ringfence_core::hash::Key;
use ringfence_core::reason::Reason;

use crate::capture::Capture;
use crate::config::Config;
use crate::country::CountryData;
use crate::engine::trial::Trial;
use crate::tables::{self, Inputs};

pub use cast::Player;
use cast::{passes, players, source};
use wire::Wire;

/// What is played: Ethernet frames with their times.
pub static CAPTURE: &[u8] = include_bytes!("../../../../assets/demo/attack.pcap");
const POLICY: &str = include_str!("../../../../assets/demo/policy.toml");
const COUNTRIES: &str = include_str!("../../../../assets/demo/countries.csv");

/// How long a packet may take through the kernel.
const PATIENCE: Duration = Duration::from_millis(500);

/// Plays the whole capture within `length`, and calls `show` with the state of things every half
/// second. It runs on a thread of its own, since that thread leaves the network of the process.
///
/// # Errors
/// What the kernel refuses, and a packet whose fate is not what the kernel says it is.
pub fn play(
    length: Duration,
    show: impl FnMut(&[Player]) -> Result<()> + Send,
) -> Result<Vec<Player>> {
    thread::scope(|scope| {
        scope
            .spawn(|| perform(length, show))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn perform(length: Duration, mut show: impl FnMut(&[Player]) -> Result<()>) -> Result<Vec<Player>> {
    let frames = frames()?;
    let mut stage = Stage::build()?;
    let mut players = players();
    let last = frames.last().map_or(1, |(time, _)| (*time).max(1));
    let begin = Instant::now();
    let mut shown = begin;
    show(&players)?;
    for (time, frame) in &frames {
        let due = begin + length.mul_f64(*time as f64 / last as f64);
        while Instant::now() < due {
            if shown.elapsed() >= Duration::from_millis(500) {
                show(&players)?;
                shown = Instant::now();
            }
            let next = due.min(shown + Duration::from_millis(500));
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let (reason, arrived) = stage.send(frame)?;
        let from = source(frame).context("the capture holds a packet that is not IPv4")?;
        players
            .iter_mut()
            .find(|player| player.address == from)
            .with_context(|| format!("the capture holds a packet from {from}, who has no part"))?
            .count(reason, arrived);
    }
    Ok(players)
}

/// The frames of the capture, with their times from its beginning in ns.
fn frames() -> Result<Vec<(u64, Vec<u8>)>> {
    let mut capture = Capture::from_reader(CAPTURE, None)?;
    let mut frames = Vec::new();
    let mut first = None;
    while let Some(packet) = capture.next_packet() {
        let packet = packet?;
        let first = *first.get_or_insert(packet.time);
        frames.push((packet.time.saturating_sub(first), packet.data.to_vec()));
    }
    Ok(frames)
}

/// The fence on its cable.
struct Stage {
    fence: Trial,
    wire: Wire,
    counted: BTreeMap<(u8, u8), u64>,
}

impl Stage {
    fn build() -> Result<Self> {
        let config = Config::parse(POLICY, "the demonstration's policy")?;
        let generation = tables::compile(&config, &Inputs::default())?;
        let data = CountryData::decode(
            COUNTRIES.as_bytes().to_vec(),
            Path::new("the demonstration's countries"),
        )?;
        let countries = data.compile()?;
        // Nobody can aim at the slots of a fence that stands for seconds and that no wire reaches.
        let key = Key { words: [1, 2] };
        let wire = Wire::lay()?;
        let mut fence = Trial::load(&generation, &countries, key, false)?;
        fence.attach(wire.index)?;
        Ok(Self {
            fence,
            wire,
            counted: BTreeMap::new(),
        })
    }

    /// Sends one frame and waits for the kernel's verdict: why, and whether it reached the PBX.
    fn send(&mut self, frame: &[u8]) -> Result<(Reason, bool)> {
        self.wire.send(frame)?;
        let deadline = Instant::now() + PATIENCE;
        let reason = loop {
            if let Some(reason) = self.counted()? {
                break reason;
            }
            if Instant::now() > deadline {
                bail!(
                    "the kernel judged no packet within half a second; `ringfence doctor` may tell why"
                );
            }
            thread::sleep(Duration::from_millis(1));
        };
        // A packet that passed is on its way up; one that was dropped cannot come any more.
        loop {
            let arrived = self.arrived(frame)?;
            if arrived == passes(reason) {
                return Ok((reason, arrived));
            }
            if arrived || Instant::now() > deadline {
                bail!(
                    "the fence said `{}`, and the packet {} the PBX",
                    reason.name(),
                    if arrived { "reached" } else { "did not reach" }
                );
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The reason whose counter moved.
    fn counted(&mut self) -> Result<Option<Reason>> {
        for (service, reason, count) in self.fence.counters()? {
            if self.counted.insert((service, reason), count) != Some(count) {
                return Ok(Reason::from_number(reason));
            }
        }
        Ok(None)
    }

    fn arrived(&self, sent: &[u8]) -> Result<bool> {
        while let Some(frame) = self.wire.received()? {
            if frame == sent {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
