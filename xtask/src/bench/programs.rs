//! The programs that only measuring needs: bare ones, and the source of packets.

use std::fs;

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::maps::{Array, ProgramArray};
use aya::programs::{ProgramFd, TestRun, TestRunOptions, Xdp};

use crate::ebpf::BENCH;

/// The senders that the source writes into frames.
#[derive(Clone, Copy)]
pub enum Sender {
    /// One of `count` IPv4 addresses, `step` apart from `base` on.
    Of { base: u32, step: u32, count: u32 },
    /// Any IPv4 address.
    AnyV4,
    /// Any IPv6 address of the blocks that registries hand out of.
    AnyV6,
}

impl Sender {
    /// The `place`-th of its IPv4 addresses.
    pub fn address(&self, place: u32) -> u32 {
        match self {
            Sender::Of { base, step, .. } => base.wrapping_add(place.wrapping_mul(*step)),
            Sender::AnyV4 | Sender::AnyV6 => 0,
        }
    }

    /// How many IPv4 addresses it has, where they are counted.
    pub fn count(&self) -> u32 {
        match self {
            Sender::Of { count, .. } => *count,
            Sender::AnyV4 | Sender::AnyV6 => 0,
        }
    }

    /// As the program reads it.
    fn words(&self, branch: u32) -> [u32; 8] {
        match *self {
            Sender::Of { base, step, count } => [4, base, step, count, branch, 0, 0, 0],
            Sender::AnyV4 => [5, 0, 0, 1, branch, 0, 0, 0],
            Sender::AnyV6 => [6, 0, 0, 1, branch, 0, 0, 0],
        }
    }
}

/// The loaded programs.
pub struct Programs {
    ebpf: Ebpf,
    next: ProgramArray<aya::maps::MapData>,
    sender: Option<Sender>,
}

impl Programs {
    /// Loads the object as it is committed.
    pub fn load() -> Result<Self> {
        let object = fs::read(BENCH).with_context(|| format!("cannot read {BENCH}"))?;
        let mut ebpf = Ebpf::load(&object).with_context(|| format!("cannot load {BENCH}"))?;
        for name in ["bare_drop", "bare_pass", "source"] {
            program(&mut ebpf, name)?
                .load()
                .with_context(|| format!("the kernel refuses the program {name}"))?;
        }
        let next = ProgramArray::try_from(ebpf.take_map("NEXT").context("no map NEXT")?)?;
        Ok(Self {
            ebpf,
            next,
            sender: None,
        })
    }

    /// Sets who sends from now on.
    pub fn set_sender(&mut self, sender: &Sender) -> Result<()> {
        self.sender = Some(*sender);
        Ok(())
    }

    /// Mean ns of a program that drops and does nothing else.
    pub fn bare_drop(&mut self, frame: &[u8], packets: u32) -> Result<f64> {
        self.run("bare_drop", frame, packets)
    }

    /// Mean ns of a program that passes and does nothing else.
    pub fn bare_pass(&mut self, frame: &[u8], packets: u32) -> Result<f64> {
        self.run("bare_pass", frame, packets)
    }

    /// Mean ns of the source and a bare drop behind it.
    pub fn drop_from_source(&mut self, frame: &mut [u8], packets: u32) -> Result<f64> {
        let drop = program(&mut self.ebpf, "bare_drop")?.fd()?.try_clone()?;
        self.judge(&drop, frame, packets)
    }

    /// Mean ns of the source and `next` behind it.
    pub fn judge(&mut self, next: &ProgramFd, frame: &mut [u8], packets: u32) -> Result<f64> {
        self.next.set(0, next, 0)?;
        let sender = self.sender.context("no sender is set")?;
        let words = sender.words(branch(frame));
        let map = self.ebpf.map_mut("SENDER").context("no map SENDER")?;
        Array::<_, [u32; 8]>::try_from(map)?.set(0, words, 0)?;
        self.run("source", frame, packets)
    }

    fn run(&mut self, name: &str, frame: &[u8], packets: u32) -> Result<f64> {
        let result = program(&mut self.ebpf, name)?.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat: packets,
            ..Default::default()
        })?;
        ensure!(
            matches!(result.return_value, 1 | 2),
            "{name} answered {} to a frame",
            result.return_value
        );
        Ok(result.duration.as_nanos() as f64)
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf
        .program_mut(name)
        .with_context(|| format!("{BENCH} has no program {name}"))?
        .try_into()?)
}

/// Where the part of the Via branch stands that tells transactions apart; 0 where there is none.
fn branch(frame: &[u8]) -> u32 {
    const COOKIE: &[u8] = b"branch=z9hG4bK";
    frame
        .windows(COOKIE.len())
        .position(|window| window == COOKIE)
        .map_or(0, |place| (place + COOKIE.len()) as u32)
}
