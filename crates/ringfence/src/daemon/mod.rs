//! The daemon: it fills the kernel's tables, hears its events and answers the command line. The fence stands without it.

mod accepted;
mod answer;
mod asterisk;
mod bans;
mod beside;
mod country;
mod dialplan;
mod engine;
mod event;
mod feeds;
mod feeds_told;
mod forget;
mod fraud;
mod guarded;
mod heard;
mod host;
mod learned;
mod lessons;
mod listed;
mod lists;
mod lockout;
mod named;
mod nets;
mod notices;
mod options;
mod pinholes;
mod removal;
mod resolved;
mod seldom;
mod share;
mod standing;
mod state;
mod status;
mod survey;
mod systems;
mod told;
mod trial;
mod trust;
mod witness;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

pub use event::Record;
pub use options::{CONFIG, Options};
pub use state::Daemon;

use crate::config::Mode;
use crate::control::{Answer, Request, serve};
use crate::engine::{Heard, check_privilege};
use crate::net::{self, Change};
use crate::privilege;

/// How often bans and lists are looked after.
const TEND: Duration = Duration::from_secs(10);
/// How long changes of the network and of names are gathered before the policy is compiled anew.
const SETTLE: Duration = Duration::from_millis(300);
/// How long it is remembered what was refused and dropped.
const SUMMARIES: Duration = Duration::from_secs(30 * 86_400);
/// For how long notices are still delivered when the daemon ends.
const LAST_NOTICES: Duration = Duration::from_secs(3);
/// TCP sessions ended in a second at most.
const DESTROYED: u32 = 50;

/// What becomes of the fence when the daemon ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It stands on.
    Stand,
    /// It is to be taken down.
    TakeDown,
    /// It was taken down, and the socket given free, before the answer to `ringfence stop`.
    TakenDown,
}

/// Runs until it is told to end.
pub fn run(options: Options) -> Result<()> {
    // Before anything is opened: what else is missing follows from this.
    if check_privilege(privilege::QUEUE).is_err() {
        check_privilege(privilege::FENCE)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(guard(options));
    // A session that is being ended must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended
}

async fn guard(options: Options) -> Result<()> {
    // First, so that a signal during the start waits for its turn: a SIGHUP would end the process otherwise.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut daemon = Daemon::start(options).await?;
    let socket = daemon.config.control.socket.clone();
    let (asked, mut requests) = mpsc::channel(16);
    let listening = serve::listen(&socket, asked)
        .with_context(|| format!("cannot listen at {}", socket.display()));
    let listening = listening.inspect_err(|_| daemon.give_up())?;
    let heard = daemon.fence.hear()?;
    let Heard {
        mut events,
        mut lessons,
    } = heard.context("the program inside this binary has no ring of events; build it again")?;
    let mut tend = tokio::time::interval(TEND);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut destroyed = 0;
    let mut due = None;
    let terminal = std::io::stderr().is_terminal();
    let watchdog = sd_notify::watchdog_enabled();
    tell(&[NotifyState::Ready]);
    info!("the fence stands: {}", daemon.config.mode);
    if daemon.config.mode == Mode::Enforce {
        daemon.too_early();
    }
    let end = loop {
        tokio::select! {
            _ = terminate.recv() => break End::Stand,
            _ = interrupt.recv() => break if std::io::stdin().is_terminal() { End::TakeDown } else { End::Stand },
            _ = hangup.recv() => {
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    tell(&[NotifyState::Reloading, now]);
                }
                daemon.look_ahead().await;
                if let Err(error) = daemon.reload(daemon.options.yes, None, None) {
                    error!("{error:#}");
                }
                tell(&[NotifyState::Ready]);
            }
            Some(asked) = requests.recv() => {
                let stop = asked.request == Request::Stop;
                if stop {
                    let answer = match daemon.fence.take_down() {
                        Ok(()) => {
                            let text = format!("the fence is taken down{}", daemon.host_stands_on());
                            Answer::done(text, serde_json::json!({}))
                        }
                        Err(error) => Answer::failed(error),
                    };
                    let done = answer.ok;
                    if done {
                        // Whoever hears that it is done may start another daemon at once.
                        listening.abort();
                        let _ = std::fs::remove_file(&socket);
                    }
                    let _ = asked.reply.send((vec![answer], None));
                    if !done {
                        continue;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    break End::TakenDown;
                }
                if matches!(asked.request, Request::Reload { .. }) {
                    daemon.look_ahead().await;
                }
                let answers = daemon.answer(&asked.request);
                if let Some(failed) = answers.0.iter().find(|answer| !answer.ok) {
                    warn!("{:?}: {}", asked.request, failed.text);
                }
                // A client that left does not want it.
                let _ = asked.reply.send(answers);
            }
            some = events.some() => {
                for event in some? {
                    if let Some((src, dst)) = daemon.hear(&event)? && destroyed < DESTROYED {
                        destroyed += 1;
                        tokio::task::spawn_blocking(move || {
                            if let Err(error) = net::destroy_tcp(src, dst) {
                                warn!("{error}");
                            }
                        });
                    }
                }
            }
            some = lessons.some() => {
                for lesson in some? {
                    daemon.learn(&lesson)?;
                }
            }
            change = daemon.watch.next() => {
                let change = change?;
                if matches!(change.change, Change::Mtu | Change::Xdp | Change::Down | Change::Up) {
                    continue;
                }
                // The program first: the policy takes longer to compile.
                if let Err(error) = daemon.stand() {
                    error!("after a change of {}: {error:#}", change.name);
                }
                sooner(&mut due, SETTLE);
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                due = None;
                if let Err(error) = daemon.apply(daemon.config.clone(), false).and_then(|()| daemon.attach()) {
                    error!("after a change of the network or of a name: {error:#}");
                }
            }
            changed = daemon.resolved.heard() => {
                if changed {
                    daemon.store_answers();
                    sooner(&mut due, daemon.resolved.settle(SETTLE));
                }
            }
            told = daemon.feeds.heard() => {
                if let Err(error) = daemon.take_feeds(told) {
                    daemon.complain(&error);
                }
            }
            done = daemon.countries.heard() => daemon.take_countries(done),
            word = daemon.beside.next() => {
                if let Err(error) = daemon.take_word(word) {
                    daemon.complain(&error);
                }
            }
            _ = tend.tick() => {
                if let Err(error) = daemon.tend() {
                    daemon.complain(&error);
                }
            }
            _ = second.tick() => {
                destroyed = 0;
                if daemon.resolved.ask() {
                    daemon.store_answers();
                    sooner(&mut due, daemon.resolved.settle(SETTLE));
                }
                daemon.tend_countries();
                if let Err(error) = daemon.tend_pinholes() {
                    daemon.complain(&error);
                }
                if let Err(error) = daemon.tend_feeds() {
                    daemon.complain(&error);
                }
                if let Err(error) = daemon.listen_on() {
                    daemon.complain(&error);
                }
                if let Err(error) = daemon.end_trial() {
                    error!("{error:#}");
                }
                if watchdog.is_some() {
                    tell(&[NotifyState::Watchdog]);
                }
                if terminal && let Ok(line) = daemon.brief() {
                    let _ = write!(std::io::stderr(), "\r{line}  ");
                }
            }
        }
    };
    tell(&[NotifyState::Stopping]);
    listening.abort();
    daemon.beside.notifier.close(LAST_NOTICES).await;
    if end != End::TakenDown {
        let _ = std::fs::remove_file(&socket);
    }
    match end {
        End::Stand => info!("the daemon ends; the fence stands. `ringfence stop` takes it down"),
        End::TakeDown => daemon.fence.take_down()?,
        End::TakenDown => {}
    }
    if end != End::Stand {
        info!("the fence is taken down");
    }
    Ok(())
}

/// Sees to it that something is due after so long, unless it is before.
fn sooner(due: &mut Option<tokio::time::Instant>, wait: Duration) {
    let at = tokio::time::Instant::now() + wait;
    *due = Some(due.map_or(at, |earlier| earlier.min(at)));
}

/// Tells systemd, if it listens.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!("cannot tell systemd: {error}");
    }
}
