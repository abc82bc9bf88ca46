//! How long threat lists take from a file to the merged set, and how much memory.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use ringfence::config::{AddressRange, Config};
use ringfence::feeds::update::{How, update};
use ringfence::feeds::{Belongings, Merged, Nets, Part, Shelf, Whose, merge};
use ringfence::fetch::Silent;

/// Registered phones while it is measured.
const PHONES: u32 = 1000;

/// Measures lists of so many entries: reading a file, merging, the difference to the next state, look-ups.
pub fn run(lengths: &[u32]) -> Result<()> {
    println!(
        "| entries | read, ms | merged, ms | difference, ms | look-up, ns | list, MB | set, MB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for entries in lengths {
        measure(*entries)?;
    }
    Ok(())
}

fn measure(entries: u32) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("list.txt");
    let text = format!(
        "[[feed]]\nname = \"a\"\nkind = \"file\"\nfile = \"{}\"\nmax = 5000000",
        file.display()
    );
    let feed = Config::parse(&text, "bench")?.feeds;
    let feed = feed.first().context("a feed")?;
    let shelf = Shelf::at(&directory.path().join("shelf"));
    let mut random = Random(1);
    let mut addresses: Vec<u32> = (0..entries).map(|_| random.address()).collect();
    let (one, read) = list(&addresses, &file, feed, &shelf)?;
    // A hundredth of a list changes from one time to the next.
    for address in addresses.iter_mut().step_by(100) {
        *address = random.address();
    }
    let (two, _) = list(&addresses, &file, feed, &shelf)?;
    let phones = (0..PHONES).map(|_| {
        let phone = Ipv4Addr::from_bits(random.address());
        (
            AddressRange::from(std::net::IpAddr::V4(phone)),
            Whose::Registered,
        )
    });
    let belongings = Belongings::new(phones);
    let (before, _) = merged(&one, &belongings)?;
    let (after, merging) = merged(&two, &belongings)?;
    let begin = Instant::now();
    let changed = after.added(&before).count() + after.removed(&before).count();
    let difference = begin.elapsed();
    ensure!(changed > 0, "nothing changed");
    let begin = Instant::now();
    let looked = addresses.iter().take(100_000);
    let count = u32::try_from(looked.len())?;
    let found =
        looked.filter(|address| after.find(Ipv4Addr::from_bits(**address).into()).is_some());
    ensure!(found.count() > 0, "nothing is found");
    let lookup = begin.elapsed() / count;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {entries} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {:.1} |",
        ms(read),
        ms(merging),
        ms(difference),
        lookup.as_nanos(),
        two.memory() as f64 / 1e6,
        after.memory() as f64 / 1e6
    );
    Ok(())
}

/// Writes a list, and reads it as an update does.
fn list(
    addresses: &[u32],
    file: &std::path::Path,
    feed: &ringfence::config::Feed,
    shelf: &Shelf,
) -> Result<(Nets, Duration)> {
    let mut text = String::new();
    for address in addresses {
        writeln!(text, "{}", Ipv4Addr::from_bits(*address))?;
    }
    fs::write(file, text)?;
    let how = How {
        force: true,
        now: Timestamp::now(),
        holds: None,
        progress: &Silent,
    };
    let begin = Instant::now();
    let outcome = update(feed, shelf, &how);
    let time = begin.elapsed();
    outcome.result?;
    Ok((outcome.nets.context("a list")?, time))
}

fn merged(nets: &Nets, belongings: &Belongings) -> Result<(Merged, Duration)> {
    let part = Part {
        feed: 1,
        action: ringfence::feeds::FeedAction::Deny,
        nets,
    };
    let begin = Instant::now();
    let (merged, reports) = merge(&[part], belongings);
    let time = begin.elapsed();
    for report in reports {
        report?;
    }
    Ok((merged, time))
}

/// The same addresses at each run (a generator of Marsaglia's).
struct Random(u64);

impl Random {
    /// An address from 11.0.0.0 to 99.255.255.255.
    fn address(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let within = 89 << 24;
        let bits = u32::try_from(self.0 >> 32).unwrap_or(0) % within;
        bits + (11 << 24)
    }
}
