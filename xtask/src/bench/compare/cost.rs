//! Time on the processor.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

/// The processor that a thread is kept on, and the kernel's own thread for what it postpones there.
pub struct Processor {
    number: usize,
    postponed: String,
}

impl Processor {
    /// The one that the calling thread is on.
    pub fn current() -> Result<Self> {
        let number = sched_getcpu()?;
        let name = format!("ksoftirqd/{number}");
        let postponed = fs::read_dir("/proc")?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| fs::read_to_string(path.join("comm")).is_ok_and(|it| it.trim() == name))
            .with_context(|| format!("there is no {name} here: not in a container, please"))?;
        Ok(Self {
            number,
            postponed: format!("{}/schedstat", postponed.display()),
        })
    }

    /// How many ns of this processor `work` takes on the calling thread, interrupts and what the kernel postpones
    /// included, waiting for other processes left out.
    pub fn cost(&self, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        let mut only = CpuSet::new();
        only.set(self.number)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        let before = (
            numbers("/proc/thread-self/schedstat")?,
            numbers(&self.postponed)?,
        );
        let begun = Instant::now();
        work()?;
        let took = begun.elapsed().as_nanos() as u64;
        let after = (
            numbers("/proc/thread-self/schedstat")?,
            numbers(&self.postponed)?,
        );
        let waited = after.0[1] - before.0[1];
        let postponed = after.1[0] - before.1[0];
        Ok((took + postponed).saturating_sub(waited) as f64)
    }
}

/// ns that all threads of a process ran.
pub fn ran(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        sum += numbers(&thread?.path().join("schedstat").display().to_string())?[0];
    }
    Ok(sum)
}

/// ns that a thread ran, and ns that it waited for its turn (kernel: Documentation/scheduler/sched-stats.rst).
fn numbers(path: &str) -> Result<[u64; 2]> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let mut words = text.split_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(ran)), Some(Ok(waited))) => Ok([ran, waited]),
        _ => anyhow::bail!("{path} holds no numbers"),
    }
}
