//! Looking on for a while: what would the new policy have dropped?

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ringfence_core::packet::Link;
use serde_json::{Value, json};

use super::ask;
use super::tally::Tally;
use crate::cli::offline::{self, Said, Trust};
use crate::cli::replay::Learned;
use crate::cli::surroundings::{ANY, guarded, look_up, places};
use crate::cli::{Format, Global};
use crate::config::{Config, Host};
use crate::control::{self, Answer, ControlError, Request};
use crate::net::{self, Interface, LinkType, Tap};
use crate::privilege;

/// The longest packet that is read: segments are put together before they are shown here.
const LONGEST: usize = 128 * 1024;

/// Whether the daemon that runs may be told to take the file over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    Asked,
    No,
}

/// What was seen.
pub(super) struct Watched {
    /// For people.
    pub(super) text: String,
    /// For programs.
    pub(super) data: Value,
}

impl Watched {
    fn not(why: String) -> Self {
        Self {
            data: json!({ "error": why }),
            text: format!("Not looked on at packets: {why}."),
        }
    }
}

/// Looks on, through the daemon where one runs and may take the file over, else from beside it.
pub(super) fn watch(
    time: Duration,
    consent: Consent,
    global: &Global,
    config: &Config,
) -> anyhow::Result<Watched> {
    let socket = global.socket.as_deref().unwrap_or(&config.control.socket);
    let runs = match first(socket, &Request::Status) {
        Ok(_) => true,
        Err(error) => !matches!(error, ControlError::NoDaemon(_)),
    };
    let asked =
        "A daemon runs. Have it read its configuration again, in shadow mode if that is this file";
    let reload = match consent {
        Consent::Given => runs,
        Consent::Asked => runs && ask::yes(asked, false)?,
        Consent::No => false,
    };
    if reload {
        return through(socket, time, global);
    }
    let missing = privilege::missing(privilege::WATCH)?;
    if !missing.is_empty() {
        return Ok(Watched::not(format!(
            "it takes {}: run this as root",
            missing.join(", ")
        )));
    }
    let mut watched = beside(time, global, config)?;
    if runs {
        watched.text.push_str(
            "\nA daemon runs, and was left alone: what it drops was not seen here. `ringfence reload` has it read its file.",
        );
    }
    Ok(watched)
}

/// Has the daemon read its file, waits, and asks it for its report.
fn through(socket: &Path, time: Duration, global: &Global) -> anyhow::Result<Watched> {
    let reload = Request::Reload {
        yes: false,
        enforce: None,
        confirm: None,
    };
    let reloaded = first(socket, &reload)?;
    if !reloaded.ok {
        return Ok(Watched::not(format!(
            "the daemon did not take it over: {}",
            reloaded.text
        )));
    }
    let end = Instant::now() + time;
    let bar = bar(time, global);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200).min(end - Instant::now()));
        bar.set_position((time.saturating_sub(end - Instant::now())).as_secs());
    }
    bar.finish_and_clear();
    let seconds = time.as_secs().max(1);
    let report = first(socket, &Request::Report { seconds })?;
    Ok(Watched {
        data: json!({ "report": report.data }),
        text: report.text,
    })
}

fn first(socket: &Path, request: &Request) -> Result<Answer, ControlError> {
    let mut answers = control::ask(socket, request)?;
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    answers.next().unwrap_or_else(|| Err(gone().into()))
}

/// Judges what comes in, from a packet socket: nothing is attached.
fn beside(time: Duration, global: &Global, config: &Config) -> anyhow::Result<Watched> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let said = Said::read(global, config);
    let mut inputs = said.inputs(config)?;
    let (interfaces, routes) = runtime.block_on(async {
        places(config, &mut inputs).await;
        let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
        let names = hosts.filter_map(|host| match host {
            Host::Name(name) => Some(name.clone()),
            Host::Range(_) => None,
        });
        look_up(config, &said, names.collect(), &mut inputs).await;
        anyhow::Ok((net::interfaces().await?, net::routes().await?))
    })?;
    runtime.shutdown_background();
    let chosen = guarded(&config.interfaces, &interfaces, &routes);
    let (taps, names) = match open(&chosen) {
        Ok(opened) => opened,
        Err(why) => return Ok(Watched::not(why)),
    };
    if global.format == Format::Text {
        let names = names.join(", ");
        writeln!(
            io::stderr(),
            "Looking on at {names} for {} s; nothing is dropped.",
            time.as_secs()
        )?;
    }
    let mut memory = offline::memory(global, config, &inputs)?;
    let mut trust = Trust::read(global, config);
    let mut tally = Tally::default();
    let mut buffer = vec![0; LONGEST];
    let begun = Instant::now();
    let bar = bar(time, global);
    // A clock that begins at 0 would make what is long past look like now.
    let clock = |begun: Instant| {
        1_000_000_000 + u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX >> 1)
    };
    trust.give(&mut memory, clock(begun));
    while let Some(left) = time
        .checked_sub(begun.elapsed())
        .filter(|left| !left.is_zero())
    {
        bar.set_position(begun.elapsed().as_secs());
        wait(&taps, left)?;
        for tap in &taps {
            // So many at a time, that one interface does not keep the others and the clock waiting.
            for _ in 0..256 {
                let heard = match tap.next(&mut buffer) {
                    Ok(Some(heard)) => heard,
                    Ok(None) => break,
                    // Said once when the interface goes down; it may come up again.
                    Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => break,
                    Err(error) => return Err(error.into()),
                };
                let packet = buffer.get(..heard.length).unwrap_or_default();
                if heard.leaves {
                    memory.judge_leaving(clock(begun), Link::RawIp, packet);
                    tally.sent();
                } else {
                    let verdict = memory.judge(clock(begun), ANY, Link::RawIp, packet);
                    tally.judged(&memory, &verdict, packet);
                }
            }
        }
    }
    bar.finish_and_clear();
    tally.missed(taps.iter().map(Tap::missed).sum());
    let learned = Learned::of(&memory);
    let (seconds, on) = (time.as_secs(), names.join(", "));
    let mut data = tally.data();
    data["interfaces"] = json!(names);
    data["seconds"] = json!(seconds);
    data["learned"] = json!(learned);
    Ok(Watched {
        text: format!(
            "In {seconds} s on {on} {}",
            tally.text(&learned.to_string())
        ),
        data,
    })
}

/// Sockets on the interfaces that packets of others come in on, and their names.
fn open(chosen: &[&Interface]) -> Result<(Vec<Tap>, Vec<String>), String> {
    let real = chosen
        .iter()
        .filter(|interface| interface.up && interface.link_type != LinkType::Loopback);
    let (mut taps, mut names) = (Vec::new(), Vec::new());
    for interface in real {
        let tap = Tap::open(interface.index);
        taps.push(
            tap.map_err(|error| format!("{} cannot be listened on: {error}", interface.name))?,
        );
        names.push(interface.name.clone());
    }
    if taps.is_empty() {
        return Err("no interface to guard is up; name one with --interface".to_owned());
    }
    Ok((taps, names))
}

/// Waits until there is a packet, at most a quarter of a second, that the bar moves.
fn wait(taps: &[Tap], left: Duration) -> anyhow::Result<()> {
    let mut polled: Vec<PollFd<'_>> = taps
        .iter()
        .map(|tap| PollFd::new(tap.as_fd(), PollFlags::POLLIN))
        .collect();
    let most = left.min(Duration::from_millis(250)).as_millis();
    let timeout = PollTimeout::from(u8::try_from(most).unwrap_or(u8::MAX));
    match poll(&mut polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How far it is, on a terminal.
fn bar(time: Duration, global: &Global) -> ProgressBar {
    if global.format == Format::Json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(time.as_secs());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} s") {
        bar.set_style(style);
    }
    bar
}
