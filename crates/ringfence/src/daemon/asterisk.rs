//! What Asterisk says, and what follows from it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::{debug, info, warn};

use super::accepted::Registered;
use super::beside::{State, Word};
use super::removal::Keys;
use super::state::Daemon;
use crate::asterisk::ami::{self, Message};
use crate::asterisk::auths::Auths;
use crate::asterisk::security::{Attempts, Event, Finding, Transport};
use crate::config::Config;
use crate::fraud::Guard;
use crate::notify::{Notice, NoticeKind};
use crate::opinion::{self, Asks, Question};

/// For how long a registration holds whose time is not known yet: the next survey says it.
const UNTIL_ASKED: Duration = Duration::from_secs(180);
/// How long before a contact appears its credentials may have been accepted.
const JUST: Duration = Duration::from_secs(10);
/// How soon Asterisk is asked after something changed there.
const SOON: Duration = Duration::from_secs(2);
/// How much longer than the last one took the pause before the next survey is.
const PAUSE: u32 = 20;

/// What is known of Asterisk.
pub(super) struct Asterisk {
    pub(super) attempts: Attempts,
    pub(super) auths: Auths,
    pub(super) guard: Guard,
    /// Security events that could not be read.
    pub(super) unreadable: u64,
    /// Names with line ends.
    pub(super) forged: u64,
    /// Keys of the contacts that the last survey found.
    pub(super) contacts: Keys,
    pub(super) survey: super::survey::Last,
}

impl Asterisk {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            attempts: Attempts::default(),
            auths: Auths::default(),
            guard: Guard::new(&config.fraud, &config.emergency, TimeZone::system()),
            unreadable: 0,
            forged: 0,
            contacts: Keys::new(),
            survey: super::survey::Last::default(),
        }
    }
}

impl Daemon {
    /// Takes in what was said beside the packets.
    pub(super) fn take_word(&mut self, word: Word) -> Result<()> {
        match word {
            Word::Asterisk(heard) => self.hear_asterisk(heard),
            Word::Log(heard) => {
                let now = Instant::now();
                match self.asterisk.attempts.see(&heard.sight, now) {
                    Some(finding) => self.hear_server(finding),
                    None => Ok(()),
                }
            }
            Word::Surveyed(Ok(inventory)) => self.surveyed(inventory),
            Word::Surveyed(Err(error)) => {
                self.not_surveyed(&error);
                Ok(())
            }
            Word::Channels(asked, channels) => {
                self.asterisk.guard.settle(&channels, asked);
                Ok(())
            }
            Word::Opinions(generation, made) => self.take_opinions(generation, made),
            Word::Host(told) => {
                self.take_host(told);
                Ok(())
            }
            Word::Caller(caller) => {
                self.answer_caller(caller);
                Ok(())
            }
        }
    }

    /// What is due every second.
    pub(super) fn listen_on(&mut self) -> Result<()> {
        for finding in self.asterisk.attempts.settled(Instant::now()) {
            self.hear_server(finding)?;
        }
        self.hear_late()?;
        self.beside.ask();
        Ok(())
    }

    fn hear_asterisk(&mut self, heard: ami::Heard) -> Result<()> {
        match heard {
            ami::Heard::Up { version } => {
                self.asterisk.guard.forget_calls();
                self.beside.survey_in(Duration::ZERO);
                info!("connected to Asterisk {version}");
                let Some(held) = &mut self.beside.asterisk else {
                    return Ok(());
                };
                let was = std::mem::replace(&mut held.state, State::Up(version));
                if matches!(was, State::Down(_)) {
                    let text = "Asterisk answers again";
                    self.notify(Notice::new(NoticeKind::Asterisk, text));
                }
            }
            ami::Heard::Down { why } => {
                warn!("Asterisk: {why}");
                let Some(held) = &mut self.beside.asterisk else {
                    return Ok(());
                };
                let was = std::mem::replace(&mut held.state, State::Down(why.clone()));
                if !matches!(was, State::Down(_)) {
                    let notice = Notice::new(NoticeKind::Asterisk, "Asterisk does not answer");
                    self.notify(notice.text(&why));
                }
            }
            ami::Heard::Forged { source } => {
                self.asterisk.forged += 1;
                self.hear_forgery(source)?;
            }
            ami::Heard::Event(message) => self.hear_event(&message)?,
        }
        Ok(())
    }

    fn hear_event(&mut self, message: &Message) -> Result<()> {
        if let Some(alarm) = self.asterisk.guard.note(message, Timestamp::now()) {
            self.alarm(&alarm)?;
        }
        match message.event() {
            Some("ContactStatus" | "PeerStatus") => self.hear_status(message),
            Some("FullyBooted" | "Reload") => {
                self.beside.survey_in(SOON);
                Ok(())
            }
            _ => match Event::of_message(message) {
                Ok(Some(event)) => {
                    let finding = self.asterisk.attempts.note(&event, Instant::now());
                    finding.map_or(Ok(()), |finding| self.hear_server(finding))
                }
                Ok(None) => Ok(()),
                Err(error) => {
                    self.asterisk.unreadable += 1;
                    debug!("{error}");
                    Ok(())
                }
            },
        }
    }

    /// Credentials were accepted. Whether a registration came of it, the contact says that follows, or the next survey;
    /// chan_sip tells of registrations alone.
    pub(super) fn accepted_by_server(&mut self, finding: &Finding) -> Result<()> {
        let now = Instant::now();
        let Some(auth) = self.asterisk.auths.note(finding, now) else {
            return Ok(());
        };
        let (source, transport, port) = (auth.source, auth.transport, auth.local.port());
        if finding.service == "SIP" {
            let account = finding.account.clone().unwrap_or_default();
            self.register_if_admitted(account, source, Some(transport), port, UNTIL_ASKED)?;
        }
        if self.beside.asterisk.is_some() && !matches!(transport, Transport::Udp) {
            let pause = self.survey_pause();
            self.beside.survey_in(pause);
        }
        Ok(())
    }

    /// A contact or a peer appeared, or went.
    fn hear_status(&mut self, message: &Message) -> Result<()> {
        let pause = self.survey_pause();
        self.beside.survey_in(pause);
        if message.event() == Some("PeerStatus") {
            return self.hear_peer(message);
        }
        let Some(account) = message.some("AOR").or(message.some("EndpointName")) else {
            return Ok(());
        };
        if message.get("ContactStatus") == Some("Removed") {
            return Ok(());
        }
        let now = Instant::now();
        // Accepted credentials name the endpoint.
        let names = [message.some("EndpointName"), Some(account)];
        let auths = &self.asterisk.auths;
        let mut found = names.into_iter().flatten();
        let Some(auth) = found.find_map(|name| auths.last(name, JUST, now)) else {
            return Ok(());
        };
        let (source, transport, port) = (auth.source, auth.transport, auth.local.port());
        let account = account.to_owned();
        self.register_if_admitted(account, source, Some(transport), port, UNTIL_ASKED)
    }

    /// chan_iax2 says where a peer registered from; it has no other event. (chan_sip says where it sends to, which is
    /// what the phone wrote.)
    fn hear_peer(&mut self, message: &Message) -> Result<()> {
        if message.get("ChannelType") != Some("IAX2")
            || message.get("PeerStatus") != Some("Registered")
        {
            return Ok(());
        }
        let account = message
            .get("Peer")
            .and_then(|peer| peer.strip_prefix("IAX2/"));
        let address = message.last("Address").unwrap_or_default();
        let ip = address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
        let source = ip.or_else(|_| address.parse::<SocketAddr>());
        let (Some(account), Ok(source)) = (account, source) else {
            return Ok(());
        };
        self.register_if_admitted(account.to_owned(), source, None, 4569, UNTIL_ASKED)
    }

    /// Trusts a registration that the server tells of, unless it comes from where the policy in force admits nobody:
    /// then it got round the fence, and the audit tells of it.
    pub(super) fn register_if_admitted(
        &mut self,
        account: String,
        source: SocketAddr,
        transport: Option<Transport>,
        port: u16,
        granted: Duration,
    ) -> Result<()> {
        let ip = source.ip().to_canonical();
        if ip.is_loopback() || !self.admits(ip, transport, &account)? {
            return Ok(());
        }
        let source = SocketAddr::new(ip, source.port());
        self.register(&Registered {
            account,
            source,
            transport,
            port,
            granted,
        })?;
        Ok(())
    }

    /// Whether the policy lets an address register. In shadow mode everybody is learned of; where nobody can say yet,
    /// the next survey asks again.
    fn admits(&mut self, ip: IpAddr, transport: Option<Transport>, account: &str) -> Result<bool> {
        if self.config.mode == crate::config::Mode::Shadow {
            return Ok(true);
        }
        self.tell_opinions(ip)?;
        let Some(opinions) = &mut self.opinions.made else {
            return Ok(false);
        };
        let question = Question {
            source: ip,
            port: None,
            transport: carried(transport),
            asks: Asks::Register,
            account,
            agent: "",
        };
        Ok(opinions.is_own(ip) || opinions.opinion(&question).ok)
    }

    /// How long until Asterisk may be asked again after something changed: the longer its lists are, the longer.
    pub(super) fn survey_pause(&self) -> Duration {
        SOON.max(self.asterisk.survey.took * PAUSE)
    }
}

/// The transport as the judge is asked.
pub(super) fn carried(transport: Option<Transport>) -> opinion::Transport {
    match transport {
        Some(Transport::Udp) => opinion::Transport::Udp,
        Some(Transport::Tcp) => opinion::Transport::Tcp,
        Some(Transport::Tls) => opinion::Transport::Tls,
        Some(Transport::Ws) => opinion::Transport::Ws,
        Some(Transport::Wss) => opinion::Transport::Wss,
        None => opinion::Transport::Iax2,
    }
}
