//! What is heard and asked beside the packets: Asterisk, logs, the dial plan. Each is there only where it is configured.

use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::asterisk::agi::{self, Server, Verdict};
use crate::asterisk::ami::{self, Action, AskError, Link, Message};
use crate::asterisk::inventory::{Inventory, gather_lists};
use crate::config::{self, Config};
use crate::logs::{self, Gauge};
use crate::notify::{self, Notifier};
use crate::opinion::Opinions;

/// Words that wait for the daemon.
const WAITING: usize = 1024;
/// For how long notices that wait are still delivered when others take their place.
const CLOSING: Duration = Duration::from_secs(20);

/// Endpoints whose contacts are being removed at once.
const REMOVALS: usize = 64;

/// Something that was said.
pub(super) enum Word {
    /// By Asterisk.
    Asterisk(ami::Heard),
    /// By a log.
    Log(logs::Heard),
    /// What Asterisk has.
    Surveyed(Result<Inventory, AskError>),
    /// The channels that Asterisk had, asked for at a moment.
    Channels(Timestamp, Vec<Message>),
    /// The judge can be asked for its opinion of the policy of this generation.
    Opinions(u64, anyhow::Result<Box<Opinions>>),
    /// By the keeper of the host's firewall.
    Host(super::host::Told),
    /// The dial plan asks about a caller.
    Caller(super::dialplan::Caller),
}

/// The connection to Asterisk.
pub(super) struct Connection {
    config: config::Asterisk,
    pub(super) link: Link,
    heard: mpsc::Receiver<ami::Heard>,
    pub(super) state: State,
    /// Places of those who wait for contacts to be removed.
    pub(super) removals: Arc<Semaphore>,
}

/// How the connection is.
pub(super) enum State {
    /// It was never up.
    Connecting,
    /// Connected to this version.
    Up(String),
    /// Not connected, and why.
    Down(String),
}

struct Logs {
    config: Vec<logs::Settings>,
    heard: mpsc::Receiver<logs::Heard>,
    gauges: Vec<Gauge>,
}

struct DialPlan {
    config: config::Agi,
    server: JoinHandle<()>,
    counts: Arc<OnceLock<Arc<agi::Counts>>>,
}

impl Drop for DialPlan {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// All that is heard beside the packets.
pub(super) struct Beside {
    words: mpsc::Sender<Word>,
    heard: mpsc::Receiver<Word>,
    pub(super) asterisk: Option<Connection>,
    logs: Option<Logs>,
    dialplan: Option<DialPlan>,
    notify: config::Notify,
    pub(super) notifier: Notifier,
    /// When Asterisk is asked next what it has.
    pub(super) survey: Option<Instant>,
    /// Since when it is being asked.
    surveying: Option<Instant>,
}

impl Beside {
    /// Nothing is heard yet.
    pub(super) fn new() -> Self {
        let (words, heard) = mpsc::channel(WAITING);
        let notify = config::Notify::default();
        Self {
            words,
            heard,
            asterisk: None,
            logs: None,
            dialplan: None,
            notifier: notify::start(&notify, ""),
            notify,
            survey: None,
            surveying: None,
        }
    }

    /// Begins and ends what the configuration asks for; what did not change goes on.
    pub(super) fn keep(&mut self, config: &Config) {
        if self.notify != config.notify {
            let notifier = notify::start(&config.notify, &notify::hostname());
            let old = std::mem::replace(&mut self.notifier, notifier);
            tokio::spawn(async move { old.close(CLOSING).await });
            self.notify = config.notify.clone();
        }
        let asterisk = config.asterisk.as_ref();
        if self.asterisk.as_ref().map(|held| &held.config) != asterisk {
            self.asterisk = asterisk.and_then(connect);
            (self.survey, self.surveying) = (None, None);
        }
        if self.logs.as_ref().map_or(&[][..], |held| &held.config) != config.logs {
            self.logs = follow(&config.logs);
        }
        if self.dialplan.as_ref().map(|held| &held.config) != config.agi.as_ref() {
            self.dialplan = None;
            self.dialplan = config.agi.as_ref().map(|agi| self.listen(agi));
        }
    }

    /// What was said next; for ever nothing where nobody speaks.
    pub(super) async fn next(&mut self) -> Word {
        let asterisk = async {
            match &mut self.asterisk {
                Some(held) => held.heard.recv().await,
                None => pending().await,
            }
        };
        let logs = async {
            match &mut self.logs {
                Some(held) => held.heard.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(heard) = asterisk => Word::Asterisk(heard),
            Some(heard) = logs => Word::Log(heard),
            Some(word) = self.heard.recv() => word,
            else => pending().await,
        }
    }

    /// Where words of the daemon's own tasks go.
    pub(super) fn words(&self) -> mpsc::Sender<Word> {
        self.words.clone()
    }

    /// Asks Asterisk what it has, if it is time to; it does not wait.
    pub(super) fn ask(&mut self) {
        let due = self.survey.is_some_and(|due| due <= Instant::now());
        let Some(held) = self
            .asterisk
            .as_ref()
            .filter(|_| due && self.surveying.is_none())
        else {
            return;
        };
        (self.survey, self.surveying) = (None, Some(Instant::now()));
        let (link, words) = (held.link.clone(), self.words.clone());
        tokio::spawn(async move {
            let inventory = gather_lists(&link).await;
            // The daemon ends: nobody wants it any more.
            let _ = words.send(Word::Surveyed(inventory)).await;
            let asked = Timestamp::now();
            // Who may not ask does without.
            if let Ok(channels) = link.ask(Action::new("CoreShowChannels")).await {
                let _ = words.send(Word::Channels(asked, channels)).await;
            }
        });
    }

    /// A survey came back; the next is due after `pause`. How long it took.
    pub(super) fn surveyed(&mut self, pause: Duration) -> Duration {
        self.survey_in(pause);
        let since = self.surveying.take();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Asks Asterisk what it has within `pause`.
    pub(super) fn survey_in(&mut self, pause: Duration) {
        let due = Instant::now() + pause;
        self.survey = Some(self.survey.map_or(due, |earlier| earlier.min(due)));
    }

    /// How the logs do.
    pub(super) fn gauges(&self) -> &[Gauge] {
        self.logs.as_ref().map_or(&[], |held| &held.gauges)
    }

    /// What the dial plan asked; None where it may not, or the port is not to be had yet.
    pub(super) fn callers(&self) -> Option<&Arc<agi::Counts>> {
        self.dialplan.as_ref()?.counts.get()
    }

    fn listen(&self, config: &config::Agi) -> DialPlan {
        let counts = Arc::new(OnceLock::new());
        let (agi, told, words) = (config.clone(), counts.clone(), self.words.clone());
        let server = tokio::spawn(async move {
            let mut complained = false;
            loop {
                match Server::bind(&agi).await {
                    Ok(server) => {
                        let _ = told.set(server.counts());
                        return server.run(super::dialplan::Desk { words }).await;
                    }
                    Err(error) => {
                        if !complained {
                            warn!(
                                "the dial plan cannot be answered at {}: {error}; it is tried again",
                                agi.listen
                            );
                        }
                        complained = true;
                    }
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        DialPlan {
            config: config.clone(),
            server,
            counts,
        }
    }
}

fn connect(config: &config::Asterisk) -> Option<Connection> {
    let secret = match config.secret.read() {
        Ok(secret) => secret,
        Err(error) => {
            warn!(
                "Asterisk is not asked: the secret of its manager interface: {error}; then `ringfence reload`"
            );
            return None;
        }
    };
    let settings = ami::Settings {
        address: config.ami.clone(),
        user: config.user.clone(),
        secret,
    };
    let (link, heard) = ami::connect(settings);
    Some(Connection {
        config: config.clone(),
        link,
        heard,
        state: State::Connecting,
        removals: Arc::new(Semaphore::new(REMOVALS)),
    })
}

fn follow(config: &[logs::Settings]) -> Option<Logs> {
    if config.is_empty() {
        return None;
    }
    match logs::follow(config) {
        Ok((heard, gauges)) => Some(Logs {
            config: config.to_vec(),
            heard,
            gauges,
        }),
        Err(error) => {
            warn!("no log is followed: {error}");
            None
        }
    }
}

/// A question to the daemon, and where its answer goes.
pub(super) type Reply = oneshot::Sender<Option<Verdict>>;
