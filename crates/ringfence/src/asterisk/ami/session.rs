//! One connection, from the greeting to its end.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::gather::{Gathered, Gathering};
use super::login::{self, FILTERS, GREETING};
use super::{
    Action, AskError, Framed, Framing, Heard, Kind, Message, Settings, Sieve, Sifted, TICK, Timing,
    shape,
};

/// Bytes that are read at once.
const READ: usize = 16 * 1024;
/// An action may take so many times the time that Asterisk may be silent during it.
const TOTAL: u32 = 4;

/// A connection that is logged in.
#[derive(Debug)]
pub(super) struct Session {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    buffer: Box<[u8]>,
    framing: Framing,
    sieve: Sieve,
    token: String,
    /// Actions sent.
    sent: u64,
    /// The last that was heard is that Asterisk shuts down.
    shutdown: bool,
    heard: mpsc::Sender<Heard>,
    timing: Timing,
}

/// Why there is no connection any more, or none yet.
#[derive(Debug)]
pub(super) struct Lost {
    /// For people: what, where, what to do.
    pub why: String,
    /// It will be the same in a second: the login was refused.
    pub refused: bool,
}

impl Lost {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            refused: false,
        }
    }
}

/// What became of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// So many bytes came; none: it ended.
    Read(usize),
    /// It was quiet for a [`TICK`].
    Quiet,
    /// The time is over.
    Late,
}

impl Session {
    /// Connects and logs in. Gives the version of Asterisk too, empty where it is not told. Events are not sent yet.
    pub(super) async fn open(
        settings: &Settings,
        timing: Timing,
        heard: mpsc::Sender<Heard>,
    ) -> Result<(Self, String), Lost> {
        let address = &settings.address;
        let connect = timeout(timing.dead, TcpStream::connect(address));
        let stream = match connect.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(Lost::new(format!(
                    "cannot connect to Asterisk's manager interface at {address}: {error}; check `enabled`, `port` and `bindaddr` in manager.conf"
                )));
            }
            Err(_) => {
                return Err(Lost::new(format!(
                    "cannot connect to Asterisk's manager interface at {address}: no answer"
                )));
            }
        };
        // Actions are small and wait for their answer.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let token = token()?;
        let mut session = Self {
            read,
            write,
            buffer: vec![0; READ].into_boxed_slice(),
            framing: Framing::after_greeting(),
            sieve: Sieve::new(token.clone(), false),
            token,
            sent: 0,
            shutdown: false,
            heard,
            timing,
        };
        timeout(timing.dead, session.greeting(address))
            .await
            .unwrap_or_else(|_| Err(no_greeting(address)))?;
        session.login(settings).await?;
        let core = session.ask(&Action::new("CoreSettings")).await?;
        let version = core.unwrap_or_default();
        let version = version.first().and_then(|core| core.get("AsteriskVersion"));
        let version = version.unwrap_or_default().chars().take(64).collect();
        Ok((session, version))
    }

    async fn greeting(&mut self, address: &str) -> Result<(), Lost> {
        let mut line = Vec::new();
        loop {
            let byte = self.read.read_u8().await;
            let byte = byte.map_err(|_| no_greeting(address))?;
            if byte == b'\n' && line.starts_with(GREETING) {
                return Ok(());
            }
            line.push(byte);
            let likely = line.iter().zip(GREETING).all(|(a, b)| a == b);
            if !likely || line.len() > 128 {
                return Err(no_greeting(address));
            }
        }
    }

    async fn login(&mut self, settings: &Settings) -> Result<(), Lost> {
        let address = &settings.address;
        let wrong = |error: AskError| Lost::new(format!("cannot log in to {address}: {error}"));
        let answer = self.ask(&login::challenge()).await?.map_err(wrong)?;
        let challenge = answer.first().and_then(|answer| answer.get("Challenge"));
        let challenge = challenge.ok_or_else(|| {
            Lost::new(format!("cannot log in to {address}: it gives no challenge"))
        })?;
        let login = login::login(&settings.user, login::key(&settings.secret, challenge));
        match self.ask(&login).await? {
            Ok(_) => {}
            Err(AskError::Refused { .. } | AskError::NotAllowed { .. }) => {
                return Err(Lost {
                    why: format!(
                        "Asterisk at {address} refuses the login of `{}` (authentication failed); check in manager.conf that [{}] exists, that its secret is the one given here, and that its deny and permit lines let this host in, then `asterisk -rx \"manager reload\"`",
                        settings.user.escape_debug(),
                        settings.user.escape_debug()
                    ),
                    refused: true,
                });
            }
            Err(error) => return Err(wrong(error)),
        }
        let mut filtered = true;
        for filter in FILTERS {
            filtered &= self.ask(&login::filter(filter)).await?.is_ok();
        }
        self.sieve = Sieve::new(self.token.clone(), filtered);
        Ok(())
    }

    /// Asks for the events.
    pub(super) async fn listen(&mut self) -> Result<(), Lost> {
        let answer = self.ask(&login::events()).await?;
        answer
            .map(|_| ())
            .map_err(|error| Lost::new(format!("Asterisk sends no events: {error}")))
    }

    /// Whether Asterisk is still there.
    pub(super) async fn ping(&mut self) -> Result<(), Lost> {
        let ping = Action::new("Ping");
        match self.converse(&ping, self.timing.dead).await? {
            Err(AskError::Timeout { .. }) => Err(Lost::new("Asterisk does not answer any more")),
            _ => Ok(()),
        }
    }

    /// Asks, and waits for the whole answer; what else is heard meanwhile is passed on.
    pub(super) async fn ask(
        &mut self,
        action: &Action,
    ) -> Result<Result<Vec<Message>, AskError>, Lost> {
        self.converse(action, self.timing.answer).await
    }

    async fn converse(
        &mut self,
        action: &Action,
        silent: Duration,
    ) -> Result<Result<Vec<Message>, AskError>, Lost> {
        self.sent += 1;
        let id = format!("{}-{}", self.token, self.sent);
        let block = match action.block(&id) {
            Ok(block) => block,
            Err(error) => return Ok(Err(error)),
        };
        let written = timeout(self.timing.dead, self.write.write_all(block.as_bytes())).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => return Err(Lost::new("Asterisk does not read any more")),
        }
        let mut gathering = Gathering::new(action.name(), &id);
        let last = Instant::now() + silent * TOTAL;
        let mut until = Instant::now() + silent;
        loop {
            match self.wait(until.min(last)).await? {
                Waited::Late => {
                    let action = action.name().to_owned();
                    return Ok(Err(AskError::Timeout { action }));
                }
                waited => {
                    let came = matches!(waited, Waited::Read(_));
                    if let Some(answer) = self.digest(waited, Some(&mut gathering)).await? {
                        return Ok(answer);
                    }
                    if came {
                        until = Instant::now() + silent;
                    }
                }
            }
        }
    }

    /// Waits for the stream, at most until then. Nothing is lost when this is not waited for to its end.
    pub(super) async fn wait(&mut self, until: Instant) -> Result<Waited, Lost> {
        let tick = self.sieve.holds() && !self.framing.within();
        let wake = if tick {
            until.min(Instant::now() + TICK)
        } else {
            until
        };
        let read = tokio::select! {
            biased;
            read = self.read.read(&mut self.buffer) => read,
            () = sleep_until(wake) => {
                return Ok(if wake < until { Waited::Quiet } else { Waited::Late });
            }
        };
        read.map(Waited::Read).map_err(|error| self.broken(&error))
    }

    /// Takes in what came. Gives the answer that is gathered, once it is whole.
    pub(super) async fn digest(
        &mut self,
        waited: Waited,
        mut gathering: Option<&mut Gathering>,
    ) -> Result<Option<Result<Vec<Message>, AskError>>, Lost> {
        let mut sifted = Vec::new();
        let mut keep = |one| sifted.push(one);
        let (sieve, framing) = (&mut self.sieve, &mut self.framing);
        match waited {
            Waited::Read(0) => sieve.finish(framing.within_rest(), keep),
            Waited::Read(length) => {
                self.shutdown = false;
                let bytes = self.buffer.get(..length).unwrap_or_default();
                framing.read(bytes, |framed| match framed {
                    Framed::Message(message) => sieve.take(message, &mut keep),
                    Framed::TooLong => sieve.skip(&mut keep),
                    Framed::Greeting(_) => {}
                });
            }
            Waited::Quiet => sieve.idle(keep),
            Waited::Late => {}
        }
        let mut answer = None;
        for one in sifted {
            let message = match one {
                Sifted::Forged { source, .. } => {
                    self.tell(Heard::Forged { source }).await;
                    continue;
                }
                Sifted::Message { message, .. } => message,
            };
            let gathered = match gathering.as_mut() {
                Some(gathering) if answer.is_none() => gathering.take(message),
                _ => Gathered::Other(message),
            };
            match gathered {
                Gathered::Other(message) => self.pass(message).await,
                Gathered::More => {}
                Gathered::Done(whole) => answer = Some(whole),
            }
        }
        if waited == Waited::Read(0) {
            return Err(self.ended("Asterisk closed the connection"));
        }
        Ok(answer)
    }

    /// Passes on an event that somebody has use for.
    async fn pass(&mut self, message: Message) {
        let Kind::Event(event) = message.kind() else {
            return;
        };
        if !shape::wanted(event) || message.get("Privilege").is_none() {
            return;
        }
        self.shutdown = event == "Shutdown";
        self.tell(Heard::Event(message)).await;
    }

    async fn tell(&self, heard: Heard) {
        // Nobody may want to hear any more; answers are still wanted.
        let _ = self.heard.send(heard).await;
    }

    fn broken(&self, error: &io::Error) -> Lost {
        self.ended(&format!("the connection to Asterisk broke: {error}"))
    }

    fn ended(&self, otherwise: &str) -> Lost {
        Lost::new(if self.shutdown {
            "Asterisk shut down"
        } else {
            otherwise
        })
    }
}

fn no_greeting(address: &str) -> Lost {
    Lost::new(format!(
        "{address} does not greet as Asterisk's manager interface does; check `ami` here, and `port` and `bindaddr` in manager.conf"
    ))
}

/// What our ActionIDs begin with: 128 random bits.
fn token() -> Result<String, Lost> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Lost::new(format!("the kernel gives no random bytes: {error}")))?;
    Ok(login::hex(&bytes))
}
