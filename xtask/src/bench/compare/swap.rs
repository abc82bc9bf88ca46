//! `cargo xtask bench swap`: country data are exchanged while packets come as fast as they can be made. Whoever is admitted
//! by the old data and by the new passes all the same, and whoever is not does not.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use ringfence::control::Request;
use xtask::frames;

use super::fence::{self, Fence};
use super::place::{GUARDED, Place};
use super::source::{Exit, Source};

/// Exchanges country data under full load; as root.
#[derive(clap::Args)]
pub struct Args {
    /// Exchanges
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    exchanges: u32,
}

/// Senders of either kind: a power of two.
const SENDERS: u32 = 4096;
/// Packets of a kind at once.
const BURST: u32 = 20_000;

/// Nets of 256 addresses all over the Internet, in one of the first two countries, which are admitted, and of the other
/// two, which are not, by turns. Which of the two is the other way round in the other data.
fn data(which: u32) -> Result<String> {
    let mut text = String::new();
    for number in 0..2 * SENDERS {
        let net = net(number);
        let (first, last) = (Ipv4Addr::from(net), Ipv4Addr::from(net | 255));
        let codes = [["GB", "IE"], ["FR", "DE"]][number as usize % 2];
        let code = codes[((number / 2 + which) % 2) as usize];
        writeln!(text, "{first},{last},{code}")?;
    }
    Ok(text)
}

/// The `number`-th of the nets: apart from each other, the first of them at 11.0.0.0.
fn net(number: u32) -> u32 {
    (11 << 24) + number * ((0x5500_0000 / (2 * SENDERS)) & !255)
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let program = fence::program()?;
    ringfence_lab::sweep()?;
    let place = Place::new(0)?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("countries.csv");
    fs::write(&file, data(0)?)?;
    let config = format!(
        "mode = \"enforce\"\ninterfaces = [\"{GUARDED}\"]\ncountries = [\"GB\", \"IE\"]\n[country]\nfile = {file:?}\n\
         [[service]]\nname = \"one\"\nkind = \"plain\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n"
    );
    let fence = Fence::start_by(&place, &config, &program, "xdp")?;
    let frame = frames::udp(false, 5060, &frames::register("sip.example.com", 600));
    let source = |kind: u32| -> Result<Source> {
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| (net(2 * number + kind) + 7).to_be_bytes())
            .collect();
        place.at_sender(|index| Source::new(&frame, &senders, Exit::Interface(index)))
    };
    let (admitted, others) = (source(0)?, source(1)?);
    let before = [counted(&fence, "clean")?, counted(&fence, "country")?];

    let (ended, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    thread::scope(|scope| -> Result<()> {
        let sender = scope.spawn(|| {
            place.at_sender(|_| {
                while !ended.load(Ordering::Relaxed) {
                    admitted.send(BURST)?;
                    others.send(BURST)?;
                    sent.fetch_add(u64::from(BURST), Ordering::Relaxed);
                }
                Ok(())
            })
        });
        let exchanged = (1..=args.exchanges).try_for_each(|which| {
            fs::write(&file, data(which)?)?;
            let reload = Request::Reload {
                yes: true,
                enforce: None,
                confirm: None,
            };
            fence.ask(&reload).map(drop)
        });
        ended.store(true, Ordering::Relaxed);
        sender
            .join()
            .map_err(|_| anyhow::anyhow!("the sender ended"))??;
        exchanged
    })?;
    let took = begun.elapsed().as_secs_f64();
    let sent = sent.into_inner();
    let passed = counted(&fence, "clean")? - before[0];
    let dropped = counted(&fence, "country")? - before[1];
    println!(
        "{} exchanges of the country data under {:.0} packets a second: {passed} of {sent} that are admitted passed, \
         {dropped} of {sent} that are not were dropped",
        args.exchanges,
        2.0 * sent as f64 / took
    );
    ensure!(passed == sent && dropped == sent, "verdicts were wrong");
    Ok(())
}

/// Packets of a reason.
fn counted(fence: &Fence, name: &str) -> Result<u64> {
    let status = fence.ask(&Request::Status)?;
    let reason = &status["packets"]["reasons"][name];
    let of = |action: &str| reason[action].as_u64().unwrap_or(0);
    Ok(of("pass") + of("drop"))
}
