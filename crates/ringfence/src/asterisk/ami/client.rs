//! Stays connected to Asterisk, tells what is heard, and asks.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::session::{Lost, Session};
use super::{Action, AskError, Message, Secret};

/// Things heard that wait for the reader; beyond them the socket is not read.
const HEARD: usize = 4096;
/// Actions that wait for their turn.
const ASKS: usize = 64;

/// Where Asterisk is, and who we are there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host and port of the manager interface.
    pub address: String,
    /// The user's section in manager.conf.
    pub user: String,
    /// Its secret.
    pub secret: Secret,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From one Ping to the next.
    pub ping: Duration,
    /// Silence in which connecting, the greeting or a Ping fails.
    pub dead: Duration,
    /// Silence in which an action fails; four times that is the most that one may take.
    pub answer: Duration,
    /// The first pause between two tries; it doubles.
    pub first: Duration,
    /// The longest, and the one after a refused login.
    pub longest: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(30),
            dead: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

/// What is heard of Asterisk, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Connected and logged in. What happened before is not known: ask.
    Up {
        /// The version of Asterisk; empty where the user may not ask.
        version: String,
    },
    /// A genuine event. Where a security event names RemoteAddress more than once, Asterisk wrote the last.
    Event(Message),
    /// An event was forged, and discarded.
    Forged {
        /// Who sent what it came with, where that is certain.
        source: Option<SocketAddr>,
    },
    /// Not connected; told once for each reason.
    Down {
        /// For people: what, where, what to do.
        why: String,
    },
}

/// Asks Asterisk.
#[derive(Debug, Clone)]
pub struct Link {
    asks: mpsc::Sender<Ask>,
    patience: Duration,
}

#[derive(Debug)]
struct Ask {
    action: Action,
    reply: oneshot::Sender<Result<Vec<Message>, AskError>>,
}

impl Link {
    /// Asks Asterisk one thing and gives the answer: its response, then the entries of its list, if it is one. One action is
    /// under way at a time.
    ///
    /// Ask from another task than the one that reads what is [`Heard`]: an answer stands in the stream behind what was
    /// heard before it.
    ///
    /// # Errors
    /// When nobody is connected, Asterisk refuses, does not know the action, or does not answer.
    pub async fn ask(&self, action: Action) -> Result<Vec<Message>, AskError> {
        // What cannot be said is told whether or not anybody is connected.
        action.block("")?;
        let late = AskError::Timeout {
            action: action.name().to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let asked = async {
            let sent = self.asks.send(Ask { action, reply }).await;
            sent.map_err(|_| AskError::Down)?;
            answer.await.unwrap_or(Err(AskError::Down))
        };
        timeout(self.patience, asked).await.unwrap_or(Err(late))
    }
}

/// Connects, and again whenever the connection is lost, until both the link and the receiver are dropped. Must be called
/// within a Tokio runtime.
pub fn connect(settings: Settings) -> (Link, mpsc::Receiver<Heard>) {
    connect_timed(settings, Timing::default())
}

/// The same with times of one's own.
pub fn connect_timed(settings: Settings, timing: Timing) -> (Link, mpsc::Receiver<Heard>) {
    let (asks, waiting) = mpsc::channel(ASKS);
    let (told, heard) = mpsc::channel(HEARD);
    let client = Client {
        settings,
        timing,
        asks: waiting,
        heard: told,
    };
    tokio::spawn(client.run());
    let patience = timing.answer * 5;
    (Link { asks, patience }, heard)
}

struct Client {
    settings: Settings,
    timing: Timing,
    asks: mpsc::Receiver<Ask>,
    heard: mpsc::Sender<Heard>,
}

/// Nobody listens, and nobody asks.
struct Dropped;

impl Client {
    async fn run(mut self) {
        let mut pause = self.timing.first;
        let mut told = None;
        while !(self.asks.is_closed() && self.heard.is_closed()) {
            let begun = Instant::now();
            let lost = match self.session(&mut told).await {
                Ok(Dropped) => return,
                Err(lost) => lost,
            };
            if begun.elapsed() > pause {
                pause = self.timing.first;
            }
            if told.as_ref() != Some(&lost.why) {
                told = Some(lost.why.clone());
                let _ = self.heard.send(Heard::Down { why: lost.why }).await;
            }
            if lost.refused {
                pause = self.timing.longest;
            }
            if let Some(Dropped) = self.sleep(jittered(pause)).await {
                return;
            }
            pause = (pause * 2).min(self.timing.longest);
        }
    }

    /// One connection, from its beginning to its end.
    async fn session(&mut self, told: &mut Option<String>) -> Result<Dropped, Lost> {
        let opened = Session::open(&self.settings, self.timing, self.heard.clone()).await;
        let (mut session, version) = opened?;
        *told = None;
        let _ = self.heard.send(Heard::Up { version }).await;
        session.listen().await?;
        let mut ping = Instant::now() + self.timing.ping;
        loop {
            let asking = !self.asks.is_closed() || !self.asks.is_empty();
            if Instant::now() >= ping {
                session.ping().await?;
                ping = Instant::now() + self.timing.ping;
            }
            tokio::select! {
                waited = session.wait(ping) => {
                    session.digest(waited?, None).await?;
                }
                ask = self.asks.recv(), if asking => {
                    if let Some(Ask { action, reply }) = ask && !reply.is_closed() {
                        let _ = reply.send(session.ask(&action).await?);
                    }
                }
                () = self.heard.closed(), if !asking => return Ok(Dropped),
            }
        }
    }

    /// Sleeps, and tells whoever asks meanwhile that nobody is connected.
    async fn sleep(&mut self, pause: Duration) -> Option<Dropped> {
        let until = Instant::now() + pause;
        let mut asking = true;
        loop {
            tokio::select! {
                () = sleep_until(until) => return None,
                ask = self.asks.recv(), if asking => match ask {
                    Some(ask) => {
                        let _ = ask.reply.send(Err(AskError::Down));
                    }
                    None => asking = false,
                },
                () = self.heard.closed(), if !asking => return Some(Dropped),
            }
        }
    }
}

/// The pause, up to a quarter shorter, so that not all of a fleet come at once.
fn jittered(pause: Duration) -> Duration {
    // Without random bytes there is no jitter, and no harm.
    let random = getrandom::u32().unwrap_or_default();
    pause - pause / 1024 * (random % 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_takes_a_quarter_at_most() {
        let pause = Duration::from_secs(60);
        for _ in 0..1000 {
            let jittered = jittered(pause);
            assert!(
                jittered <= pause && jittered >= pause * 3 / 4,
                "{jittered:?}"
            );
        }
    }
}
