//! Debian's Kamailio as the telephone system, and what it received.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::process::{Running, wait_until};
use crate::topology::{Lab, PBX_V4, PBX_V6};

const TEMPLATE: &str = include_str!("kamailio.cfg");
const MARK: &str = "RINGFENCE-LAB:";
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// A log that did not grow for so long is complete.
const QUIET: Duration = Duration::from_millis(150);

/// A request that Kamailio received and could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The source address.
    pub src: IpAddr,
    /// The source port.
    pub src_port: u16,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The method.
    pub method: String,
    /// The User-Agent; empty where there is none.
    pub ua: String,
    /// The Request-URI.
    pub ruri: String,
    /// The URI of the To header.
    pub to: String,
}

/// A running Kamailio on port 5060 of the `pbx`, UDP and TCP, IPv4 and IPv6.
#[derive(Debug)]
pub struct Kamailio<'lab> {
    lab: &'lab Lab,
    running: Running,
    /// How much of the log is forgotten, in bytes.
    forgotten: usize,
}

impl<'lab> Kamailio<'lab> {
    /// The domain that it serves, which is also its realm.
    pub const DOMAIN: &'static str = "sip.example.com";
    /// The users that it knows.
    pub const USERS: std::ops::RangeInclusive<u16> = 1001..=1020;

    /// The password of a user.
    pub fn password(user: u16) -> String {
        format!("pw-{user}")
    }

    /// Starts Kamailio and returns when it answers.
    pub fn start(lab: &'lab Lab) -> Result<Self> {
        let directory = lab.directory("kamailio-")?;
        let config = directory.join("kamailio.cfg");
        let text = TEMPLATE
            .replace("@MARK@", MARK)
            .replace("@DOMAIN@", Self::DOMAIN)
            .replace("@V4@", &PBX_V4.to_string())
            .replace("@V6@", &PBX_V6.to_string());
        fs::write(&config, text).during(format!("write {}", config.display()))?;
        let mut command = lab.pbx.command("kamailio");
        command
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(&config);
        command.arg("-w").arg(&directory).arg("-Y").arg(&directory);
        let mut started = Self {
            lab,
            running: Running::start(&mut command)?,
            forgotten: 0,
        };
        let ready = wait_until(STARTS_WITHIN, || {
            Ok(started.running.has_ended()? || started.answers()?)
        })?;
        if !ready || started.running.has_ended()? {
            return Err(Error::NotReady {
                what: "Kamailio".to_owned(),
                after: STARTS_WITHIN,
                output: started.running.output()?,
            });
        }
        started.forget()?;
        Ok(started)
    }

    /// Every request received since the start or the last [`Kamailio::forget`], in order of
    /// arrival. Waits until what was received is written down.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let log = self.settled_log()?;
        Ok(parse(log.get(self.forgotten..).unwrap_or_default()))
    }

    /// Forgets the requests received so far.
    pub fn forget(&mut self) -> Result<()> {
        self.forgotten = self.settled_log()?.len();
        Ok(())
    }

    fn settled_log(&self) -> Result<String> {
        let mut before = self.running.output()?;
        loop {
            thread::sleep(QUIET);
            let now = self.running.output()?;
            if now.len() == before.len() {
                return Ok(now);
            }
            before = now;
        }
    }

    /// Asks once over each family's UDP; TCP listens before the workers start.
    fn answers(&self) -> Result<bool> {
        self.lab
            .pbx
            .inside(|| {
                Ok(asked(IpAddr::from(PBX_V4)).is_ok() && asked(IpAddr::from(PBX_V6)).is_ok())
            })
            .and_then(|answered| answered)
    }
}

fn asked(server: IpAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind((server, 0))?;
    let from = socket.local_addr()?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    socket.connect((server, 5060))?;
    let request = format!(
        "OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-lab\r\n\
         From: <sip:lab@{domain}>;tag=lab\r\nTo: <sip:{domain}>\r\nCall-ID: lab-{port}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 2\r\nContent-Length: 0\r\n\r\n",
        domain = Kamailio::DOMAIN,
        port = from.port(),
    );
    socket.send(request.as_bytes())?;
    socket.recv(&mut [0; 2048]).map(drop)
}

/// A record of one worker may follow a prefix of another on the same line: only the mark counts.
fn parse(log: &str) -> Vec<Request> {
    log.split(MARK)
        .skip(1)
        .filter_map(|rest| record(rest.split_once(';')?.0))
        .collect()
}

fn record(text: &str) -> Option<Request> {
    let mut fields = text.split(',');
    Some(Request {
        src: unhex(fields.next()?)?
            .trim_matches(['[', ']'])
            .parse()
            .ok()?,
        src_port: fields.next()?.parse().ok()?,
        transport: fields.next()?.to_owned(),
        method: unhex(fields.next()?)?,
        ua: unhex(fields.next()?)?,
        ruri: unhex(fields.next()?)?,
        to: unhex(fields.next()?)?,
    })
}

/// An absent header is written as `<null>` or not at all.
fn unhex(text: &str) -> Option<String> {
    if text == "<null>" {
        return Some(String::new());
    }
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    Some(String::from_utf8_lossy(&digits.collect::<Option<Vec<u8>>>()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records_between_other_lines() {
        let log = " 1(7) ALERT: <script>:  2(8) ALERT: <script>: \
                   RINGFENCE-LAB:3132372e302e302e31,5061,udp,494e56495445,<null>,61,62;\n\
                   noise\nRINGFENCE-LAB:broken;\nRINGFENCE-LAB:3a3a31,1,tcp,61,,,;\n";
        let found = parse(log);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].src.to_string(), "127.0.0.1");
        assert_eq!(
            (found[0].src_port, found[0].method.as_str()),
            (5061, "INVITE")
        );
        assert_eq!((found[0].ua.as_str(), found[0].to.as_str()), ("", "b"));
        assert_eq!(found[1].transport, "tcp");
    }
}
