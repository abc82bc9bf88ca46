//! Debian's Kamailio as the telephone system, and what it received.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::process::{Running, wait_until};
use crate::topology::{Lab, PBX_V4, PBX_V6};

const TEMPLATE: &str = include_str!("kamailio.cfg");
/// The tables of its modules: the account at the provider, their versions, and whom to ping.
const UACREG: &str = "\
id(int,auto) l_uuid(string) l_username(string) l_domain(string) r_username(string) \
r_domain(string) realm(string) auth_username(string) auth_password(string) auth_ha1(string,null) \
auth_proxy(string) expires(int) flags(int) reg_delay(int) contact_addr(string) socket(string,null)\n\
1:line:1001:@DOMAIN@:line:@PROVIDER@:provider.example:line:secret::sip\\:@PROVIDER@\\:5060:4:0:0:@V4@\\:5060:\n";
const VERSION: &str = "id(int,auto) table_name(string) table_version(int)\n1:uacreg:5\n";
const DISPATCHER: &str = "1 sip:@PROVIDER@:5060\n";
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
    /// The user of the credentials; empty where there are none.
    pub credentials: String,
}

/// How it answers strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Whoever has no right password is challenged, whatever the user.
    Challenging,
    /// All is challenged, the right password too.
    Refusing,
    /// A user that does not exist is 404.
    Telling,
}

/// What Kamailio asks of its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Nothing.
    Nothing,
    /// A registration of four seconds, over and over.
    Register,
    /// OPTIONS, once a second.
    Options,
}

/// What may differ from one Kamailio to another.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The users that it knows, of four digits.
    pub users: RangeInclusive<u16>,
    /// How it answers strangers.
    pub manner: Manner,
    /// Contacts of one user; one more is 403.
    pub contacts: u32,
    /// Who calls without being asked for a password.
    pub provider: Option<Ipv4Addr>,
    /// What it asks of the provider's port 5060.
    pub asking: Asking,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            users: Kamailio::USERS,
            manner: Manner::Challenging,
            contacts: 10,
            provider: None,
            asking: Asking::Nothing,
        }
    }
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
    pub const USERS: RangeInclusive<u16> = 1001..=1020;
    /// The user that calls to 112 reach.
    pub const EMERGENCY: u16 = 1002;

    /// The password of a user.
    pub fn password(user: u16) -> String {
        format!("pw-{user}")
    }

    /// Starts Kamailio and returns when it answers.
    pub fn start(lab: &'lab Lab) -> Result<Self> {
        Self::start_with(lab, &Setup::default())
    }

    /// Starts a Kamailio of a kind and returns when it answers.
    pub fn start_with(lab: &'lab Lab, setup: &Setup) -> Result<Self> {
        let directory = lab.directory("kamailio-")?;
        let config = setup.write(&directory)?;
        let mut command = lab.pbx.command("kamailio");
        command
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(&config);
        command.arg("-w").arg(&directory).arg("-Y").arg(&directory);
        for name in setup.defined() {
            command.args(["-A", name]);
        }
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

    /// All that it printed.
    pub fn log(&self) -> Result<String> {
        self.running.output()
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

impl Setup {
    /// What the template is to take note of.
    fn defined(&self) -> impl Iterator<Item = &'static str> {
        let manner = match self.manner {
            Manner::Challenging => None,
            Manner::Refusing => Some("REFUSE_ALL"),
            Manner::Telling => Some("NOT_FOUND"),
        };
        let asking = match self.asking {
            Asking::Nothing => None,
            Asking::Register => Some("REGISTER_OUT"),
            Asking::Options => Some("PING_OUT"),
        };
        manner.into_iter().chain(asking)
    }

    /// Writes the configuration and the tables that it reads.
    fn write(&self, directory: &Path) -> Result<PathBuf> {
        let provider = self
            .provider
            .map_or_else(|| "nobody".to_owned(), |it| it.to_string());
        let words = [
            ("@MARK@", MARK.to_owned()),
            ("@DOMAIN@", Kamailio::DOMAIN.to_owned()),
            ("@V4@", PBX_V4.to_string()),
            ("@V6@", PBX_V6.to_string()),
            ("@FIRST@", self.users.start().to_string()),
            ("@LAST@", self.users.end().to_string()),
            ("@CONTACTS@", self.contacts.to_string()),
            ("@EMERGENCY@", Kamailio::EMERGENCY.to_string()),
            ("@DIRECTORY@", directory.display().to_string()),
            ("@PROVIDER@", provider),
        ];
        let filled = |template: &str| {
            let fill = |text: String, (word, value): &(&str, String)| text.replace(word, value);
            words.iter().fold(template.to_owned(), fill)
        };
        let tables = directory.join("tables");
        fs::create_dir(&tables).during(format!("make {}", tables.display()))?;
        let config = directory.join("kamailio.cfg");
        for (path, template) in [
            (config.clone(), TEMPLATE),
            (tables.join("uacreg"), UACREG),
            (tables.join("version"), VERSION),
            (tables.join("dispatcher"), DISPATCHER),
        ] {
            fs::write(&path, filled(template)).during(format!("write {}", path.display()))?;
        }
        Ok(config)
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
        credentials: unhex(fields.next()?)?,
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
                   RINGFENCE-LAB:3132372e302e302e31,5061,udp,494e56495445,<null>,61,62,;\n\
                   noise\nRINGFENCE-LAB:broken;\nRINGFENCE-LAB:3a3a31,1,tcp,61,,,,31;\n";
        let found = parse(log);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].src.to_string(), "127.0.0.1");
        assert_eq!(
            (found[0].src_port, found[0].method.as_str()),
            (5061, "INVITE")
        );
        assert_eq!((found[0].ua.as_str(), found[0].to.as_str()), ("", "b"));
        assert_eq!(
            (found[1].transport.as_str(), found[1].credentials.as_str()),
            ("tcp", "1")
        );
    }
}
