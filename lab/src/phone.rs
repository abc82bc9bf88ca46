//! Phones: SIPp with the scenarios of the laboratory.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::kamailio::Kamailio;
use crate::netns::Netns;
use crate::process::wait_until;
use crate::sipp::{Plan, Run, SippReport};
use crate::topology::{Lab, PBX_V4, PBX_V6};

const LISTENS_WITHIN: Duration = Duration::from_secs(5);
/// What a phone asks for that asks for nothing special, in seconds.
const EXPIRES: u32 = 300;
/// How long a call lasts that is not to be looked at while it is up.
const CALL: Duration = Duration::from_millis(200);
/// Calls a second, where there is one only: SIPp waits for the length of one before the first.
const AT_ONCE: u32 = 20;

/// A TCP connection that a phone opened leaves its port in TIME_WAIT: each takes the next.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// How a phone speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams, all from the phone's port.
    Udp,
    /// A connection from another port for each run; the phone's port listens.
    Tcp,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// SIPp's name for one socket of this kind.
    fn option(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }
}

/// A phone in the laboratory's `phone` place.
#[derive(Debug, Clone, Copy)]
pub struct Phone {
    /// Its account, one of [`Kamailio::USERS`].
    pub user: u16,
    /// Its address, which its place must have: see [`Lab::add_address`].
    pub address: IpAddr,
    /// The port that it listens on.
    pub port: u16,
    /// How it speaks.
    pub transport: Transport,
}

/// Which end of a call hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangsUp {
    /// Who called.
    Caller,
    /// Who was called.
    Called,
}

impl HangsUp {
    fn key(self) -> (&'static str, &'static str) {
        let name = match self {
            Self::Caller => "caller",
            Self::Called => "called",
        };
        ("hangs_up", name)
    }
}

/// Both ends of calls.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// What the caller saw.
    pub caller: SippReport,
    /// What the callee saw.
    pub callee: SippReport,
}

impl CallReport {
    /// Whether all calls went through without a retransmission at either end.
    pub fn is_flawless(&self) -> bool {
        self.caller.is_flawless() && self.callee.is_flawless()
    }
}

/// Calls that are made while this value is held.
#[derive(Debug)]
pub struct Calling {
    caller: Run,
    called: Run,
}

impl Calling {
    /// Waits for the end of the last call.
    pub fn report(self) -> Result<CallReport> {
        Ok(CallReport {
            caller: self.caller.report()?,
            callee: self.called.report()?,
        })
    }
}

/// Somebody outside who calls a number here and is not asked for a password: see
/// [`Setup::provider`](crate::Setup::provider).
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// Where it is.
    pub place: &'a Netns,
    /// From where it calls.
    pub local: SocketAddr,
    /// The number that it calls, as in the Request-URI.
    pub number: &'a str,
}

impl Outside<'_> {
    /// Begins a call that reaches a registered phone, which picks up; one end hangs up after `talk`.
    pub fn begin_call(
        &self,
        lab: &Lab,
        phone: &Phone,
        talk: Duration,
        hangs_up: HangsUp,
    ) -> Result<Calling> {
        let called = phone.pick_up(lab, 1, 1, talk, hangs_up)?;
        let keys = [
            ("number", self.number),
            ("from", "0441632960001"),
            hangs_up.key(),
        ];
        let caller = Plan {
            scenario: "outside",
            place: self.place,
            transport: Transport::Udp.option(),
            local: self.local,
            remote: Some(server(self.local.ip())),
            calls: 1,
            rate: AT_ONCE,
            keys: &keys,
            pause: talk,
            fields: None,
        };
        Ok(Calling {
            caller: caller.start(lab)?,
            called,
        })
    }

    /// Calls a registered phone and hangs up at once.
    pub fn call(&self, lab: &Lab, phone: &Phone) -> Result<CallReport> {
        self.begin_call(lab, phone, CALL, HangsUp::Caller)?.report()
    }
}

impl Phone {
    /// Registers `times` times, at `rate` a second.
    pub fn register(&self, lab: &Lab, times: u32, rate: u32) -> Result<SippReport> {
        self.register_for(lab, EXPIRES, times, rate)
    }

    /// Registers for so many seconds, `times` times, at `rate` a second.
    pub fn register_for(
        &self,
        lab: &Lab,
        expires: u32,
        times: u32,
        rate: u32,
    ) -> Result<SippReport> {
        let (contact, expires) = (self.port.to_string(), expires.to_string());
        let keys = [
            ("contact_port", contact.as_str()),
            ("expires", expires.as_str()),
        ];
        self.plan(lab, "register", times, rate, &keys).run(lab)
    }

    /// Calls another phone, which must be registered, `times` times at `rate` a second. Each
    /// call lasts a fifth of a second.
    pub fn call(&self, lab: &Lab, callee: &Phone, times: u32, rate: u32) -> Result<CallReport> {
        let called = callee.pick_up(lab, times, rate, CALL, HangsUp::Caller)?;
        let (number, contact) = (callee.user.to_string(), self.port.to_string());
        let keys = [
            ("callee", number.as_str()),
            ("contact_port", contact.as_str()),
        ];
        let caller = self.plan(lab, "caller", times, rate, &keys).run(lab)?;
        Ok(CallReport {
            caller,
            callee: called.report()?,
        })
    }

    /// Begins to listen for calls, and picks up.
    fn pick_up(
        &self,
        lab: &Lab,
        times: u32,
        rate: u32,
        talk: Duration,
        hangs_up: HangsUp,
    ) -> Result<Run> {
        let keys = [hangs_up.key()];
        let called = Plan {
            remote: None,
            local: SocketAddr::new(self.address, self.port),
            fields: None,
            pause: talk,
            ..self.plan(lab, "callee", times, rate, &keys)
        };
        let called = called.start(lab)?;
        let transport = self.transport.name();
        let ready = wait_until(LISTENS_WITHIN, || {
            Ok(called.has_ended()? || lab.phone.listens(transport, self.address, self.port)?)
        })?;
        if !ready || called.has_ended()? {
            return Err(Error::NotReady {
                what: format!("phone {}", self.user),
                after: LISTENS_WITHIN,
                output: called.report()?.finished.output(),
            });
        }
        Ok(called)
    }

    fn plan<'a>(
        &self,
        lab: &'a Lab,
        scenario: &'a str,
        calls: u32,
        rate: u32,
        keys: &'a [(&'a str, &'a str)],
    ) -> Plan<'a> {
        let port = match self.transport {
            Transport::Udp => self.port,
            Transport::Tcp => NEXT_PORT.fetch_add(1, Ordering::Relaxed),
        };
        Plan {
            scenario,
            place: &lab.phone,
            transport: self.transport.option(),
            local: SocketAddr::new(self.address, port),
            remote: Some(server(self.address)),
            calls,
            rate,
            keys,
            pause: CALL,
            fields: Some(fields(self.user)),
        }
    }
}

/// Many phones behind one address, over UDP, each with a port of its own.
#[derive(Debug, Clone)]
pub struct Office {
    /// Their accounts, one a phone.
    pub users: std::ops::RangeInclusive<u16>,
    /// Their address, which the place of the phones must have.
    pub address: IpAddr,
}

impl Office {
    /// How many phones there are.
    pub fn phones(&self) -> u32 {
        u32::try_from(self.users.len()).unwrap_or(u32::MAX)
    }

    /// Each registers, one after the other, at `rate` a second, and all again `times` times.
    pub fn register(&self, lab: &Lab, times: u32, rate: u32) -> Result<SippReport> {
        let expires = EXPIRES.to_string();
        let keys = [("contact_port", "5060"), ("expires", expires.as_str())];
        self.plan(lab, "register", times * self.phones(), rate, &keys)
            .run(lab)
    }

    /// Makes calls to a registered phone, each from the next of the phones, at `rate` a second.
    pub fn call(&self, lab: &Lab, callee: &Phone, calls: u32, rate: u32) -> Result<CallReport> {
        let called = callee.pick_up(lab, calls, rate, CALL, HangsUp::Caller)?;
        let number = callee.user.to_string();
        let keys = [("callee", number.as_str()), ("contact_port", "5060")];
        let caller = self.plan(lab, "caller", calls, rate, &keys).run(lab)?;
        Ok(CallReport {
            caller,
            callee: called.report()?,
        })
    }

    fn plan<'a>(
        &self,
        lab: &'a Lab,
        scenario: &'a str,
        calls: u32,
        rate: u32,
        keys: &'a [(&'a str, &'a str)],
    ) -> Plan<'a> {
        let lines: Vec<_> = self.users.clone().map(fields).collect();
        Plan {
            scenario,
            place: &lab.phone,
            // A socket a call.
            transport: "un",
            local: SocketAddr::new(self.address, 0),
            remote: Some(server(self.address)),
            calls,
            rate,
            keys,
            pause: CALL,
            fields: Some(lines.join("\n")),
        }
    }
}

/// The telephone system, as an address of this family reaches it.
fn server(from: IpAddr) -> IpAddr {
    if from.is_ipv6() {
        PBX_V6.into()
    } else {
        PBX_V4.into()
    }
}

/// A user and how it authenticates.
fn fields(user: u16) -> String {
    let password = Kamailio::password(user);
    format!("{user};[authentication username={user} password={password}];")
}
