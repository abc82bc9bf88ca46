//! Phones: SIPp with the scenarios of the laboratory.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::kamailio::Kamailio;
use crate::process::wait_until;
use crate::sipp::{Plan, SippReport};
use crate::topology::{Lab, PBX_V4, PBX_V6};

const LISTENS_WITHIN: Duration = Duration::from_secs(5);

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

impl Phone {
    /// Registers `times` times, at `rate` a second.
    pub fn register(&self, lab: &Lab, times: u32, rate: u32) -> Result<SippReport> {
        let contact = self.port.to_string();
        self.plan(lab, "register", times, rate, &[("contact_port", &contact)])
            .run(lab)
    }

    /// Calls another phone, which must be registered, `times` times at `rate` a second. Each
    /// call lasts a fifth of a second.
    pub fn call(&self, lab: &Lab, callee: &Phone, times: u32, rate: u32) -> Result<CallReport> {
        let called = Plan {
            remote: None,
            local: SocketAddr::new(callee.address, callee.port),
            fields: None,
            ..callee.plan(lab, "callee", times, rate, &[])
        };
        let called = called.start(lab)?;
        let transport = callee.transport.name();
        let ready = wait_until(LISTENS_WITHIN, || {
            Ok(called.has_ended()? || lab.phone.listens(transport, callee.address, callee.port)?)
        })?;
        if !ready || called.has_ended()? {
            return Err(Error::NotReady {
                what: format!("phone {}", callee.user),
                after: LISTENS_WITHIN,
                output: called.report()?.finished.output(),
            });
        }
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

    fn plan<'a>(
        &self,
        lab: &'a Lab,
        scenario: &'a str,
        calls: u32,
        rate: u32,
        keys: &'a [(&'a str, &'a str)],
    ) -> Plan<'a> {
        let (user, password) = (self.user, Kamailio::password(self.user));
        let port = match self.transport {
            Transport::Udp => self.port,
            Transport::Tcp => NEXT_PORT.fetch_add(1, Ordering::Relaxed),
        };
        Plan {
            scenario,
            place: &lab.phone,
            transport: self.transport.option(),
            local: SocketAddr::new(self.address, port),
            remote: Some(if self.address.is_ipv6() {
                PBX_V6.into()
            } else {
                PBX_V4.into()
            }),
            calls,
            rate,
            keys,
            fields: Some(format!(
                "{user};[authentication username={user} password={password}];"
            )),
        }
    }
}
