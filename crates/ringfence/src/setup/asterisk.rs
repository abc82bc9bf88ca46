//! What Asterisk's own files say of where it listens. Read, never written.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::Bind;
use super::conf::{Conf, Section};
use crate::config::{Kind, Protocol};

/// What the files say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// Whether there is a configuration of Asterisk at all.
    pub there: bool,
    /// Where it takes calls, each with the file that says so.
    pub binds: Vec<Bind>,
    /// The first and the last port for media, and the file that says so.
    pub rtp: Option<(u16, u16, String)>,
    /// The manager interface, where it is switched on.
    pub ami: Option<SocketAddr>,
    /// Files that the files name and that were not read.
    pub not_read: Vec<String>,
}

/// A part of Asterisk, and the files that hold it: Asterisk's own first, then those that FreePBX writes and includes there.
struct Part {
    files: &'static [&'static str],
    /// Includes that hold other things than what is looked for.
    known: &'static str,
}

const PJSIP: Part = Part {
    files: &[
        "pjsip.conf",
        "pjsip.transports.conf",
        "pjsip.transports_custom.conf",
        "pjsip.transports_custom_post.conf",
    ],
    known: "pjsip.",
};
const SIP: Part = Part {
    files: &[
        "sip.conf",
        "sip_general_additional.conf",
        "sip_general_custom.conf",
    ],
    known: "sip_",
};
const IAX: Part = Part {
    files: &[
        "iax.conf",
        "iax_general_additional.conf",
        "iax_general_custom.conf",
    ],
    known: "iax_",
};
const HTTP: Part = Part {
    files: &["http.conf", "http_additional.conf", "http_custom.conf"],
    known: "http_",
};
const RTP: Part = Part {
    files: &["rtp.conf", "rtp_additional.conf", "rtp_custom.conf"],
    known: "rtp_",
};
const MANAGER: Part = Part {
    files: &[
        "manager.conf",
        "manager_additional.conf",
        "manager_custom.conf",
    ],
    known: "manager_",
};

/// The sections of the files of a part, each with its file.
struct Sections(Vec<(&'static str, Section)>);

impl Sections {
    fn read(folder: &Path, part: &Part, not_read: &mut Vec<String>) -> Self {
        let mut sections = Vec::new();
        for file in part.files {
            let Some(conf) = Conf::read(&folder.join(file)) else {
                continue;
            };
            sections.extend(conf.sections.into_iter().map(|section| (*file, section)));
            let unread = conf.includes.into_iter().filter(|include| {
                !part.files.contains(&include.as_str()) && !include.starts_with(part.known)
            });
            not_read.extend(unread.map(|include| format!("{include}, which {file} includes")));
        }
        Self(sections)
    }

    /// The last value of a key of `[general]`, with its file. What a file holds before its first section is general: it
    /// is included there.
    fn general(&self, key: &str) -> Option<(&'static str, &str)> {
        let general = self.0.iter().rev();
        let general = general.filter(|(_, s)| matches!(s.name.as_str(), "general" | ""));
        let mut found = general.filter_map(|(file, section)| Some((*file, section.get(key)?)));
        found.next()
    }

    fn yes(&self, key: &str) -> bool {
        let general = self.0.iter().rev();
        let general = general.filter(|(_, s)| matches!(s.name.as_str(), "general" | ""));
        let mut found = general.filter(|(_, section)| section.get(key).is_some());
        found
            .next()
            .is_some_and(|(_, section)| section.is_true(key))
    }

    fn port(&self, key: &str) -> Option<u16> {
        self.general(key)?.1.parse().ok()
    }

    fn first_file(&self) -> Option<&'static str> {
        self.0.first().map(|(file, _)| *file)
    }

    /// A bind of `[general]`: the address that the first of `keys` says which is there, else all; the port that stands
    /// there, else that of `port_key`, else `port`.
    fn bind(
        &self,
        (kind, protocol): (Kind, Protocol),
        keys: &[&str],
        (port_key, port): (&str, u16),
    ) -> Option<Bind> {
        let said = keys.iter().find_map(|key| {
            let (file, value) = self.general(key)?;
            Some((file, place(value)?))
        });
        let named = self
            .general(port_key)
            .and_then(|(file, value)| Some((file, value.parse::<u16>().ok()?)));
        let own = said.and_then(|(file, (_, own))| Some((file, own?)));
        let (file, port) = match own.or(named) {
            Some(found) => found,
            None => (said.map(|(file, _)| file).or(self.first_file())?, port),
        };
        Some(Bind {
            kind,
            protocol,
            port,
            address: said.and_then(|(_, (address, _))| address),
            why: file.to_owned(),
        })
    }
}

/// Looks through the files of a folder, which is `/etc/asterisk` on a real host.
pub fn configured(folder: &Path) -> Configured {
    let mut found = Configured {
        there: folder.join("asterisk.conf").is_file() || folder.join("pjsip.conf").is_file(),
        ..Configured::default()
    };
    let mut unread = Vec::new();
    let mut read = |part| Sections::read(folder, part, &mut unread);
    let (pjsip, sip, iax, http, rtp, manager) = (
        read(&PJSIP),
        read(&SIP),
        read(&IAX),
        read(&HTTP),
        read(&RTP),
        read(&MANAGER),
    );
    found.not_read = unread;
    found.binds.extend(pjsip.0.iter().filter_map(transport));
    found.binds.extend(chan_sip(&sip));
    let iax2 = (Kind::Iax2, Protocol::Udp);
    let iax2 = iax.bind(iax2, &["bindaddr"], ("bindport", 4569));
    found.binds.extend(iax2);
    found.binds.extend(web_socket(&http));
    found.rtp = rtp.first_file().and_then(|file| {
        let first = rtp.port("rtpstart").unwrap_or(5000);
        let last = rtp.port("rtpend").unwrap_or(31000);
        let file = rtp.general("rtpend").map_or(file, |(file, _)| file);
        (first <= last).then(|| (first, last, file.to_owned()))
    });
    if manager.yes("enabled") {
        let port = manager.port("port").unwrap_or(5038);
        let address = manager
            .general("bindaddr")
            .and_then(|(_, value)| place(value)?.0);
        let loopback = IpAddr::from([127, 0, 0, 1]);
        found.ami = Some(SocketAddr::new(address.unwrap_or(loopback), port));
    }
    // The same may be said twice: in the file and in one that it includes.
    found.binds.sort_by_key(Bind::key);
    found.binds.dedup_by_key(|bind| bind.key());
    found.not_read.sort_unstable();
    found.not_read.dedup();
    found
}

/// A section of pjsip.conf that is a transport. WebSocket transports listen where http.conf says.
fn transport((file, section): &(&'static str, Section)) -> Option<Bind> {
    if section.get("type") != Some("transport") {
        return None;
    }
    let said = section
        .get("protocol")
        .unwrap_or("udp")
        .to_ascii_lowercase();
    let (kind, protocol, port) = match said.as_str() {
        "udp" => (Kind::Sip, Protocol::Udp, 5060),
        "tcp" => (Kind::Sip, Protocol::Tcp, 5060),
        "tls" => (Kind::Sips, Protocol::Tcp, 5061),
        _ => return None,
    };
    let (address, own) = place(section.get("bind")?)?;
    Some(Bind {
        kind,
        protocol,
        port: own.unwrap_or(port),
        address,
        why: format!("[{}] in {file}", section.name),
    })
}

fn chan_sip(sip: &Sections) -> Vec<Bind> {
    let (udp, tcp) = ((Kind::Sip, Protocol::Udp), (Kind::Sip, Protocol::Tcp));
    let port = ("bindport", 5060);
    let mut binds = Vec::new();
    binds.extend(sip.bind(udp, &["udpbindaddr", "bindaddr"], port));
    if sip.yes("tcpenable") {
        binds.extend(sip.bind(tcp, &["tcpbindaddr", "bindaddr"], port));
    }
    if sip.yes("tlsenable") {
        let tls = (Kind::Sips, Protocol::Tcp);
        binds.extend(sip.bind(tls, &["tlsbindaddr"], ("tlsbindport", 5061)));
    }
    binds
}

fn web_socket(http: &Sections) -> Vec<Bind> {
    let mut binds = Vec::new();
    if http.yes("enabled") {
        let ws = (Kind::Ws, Protocol::Tcp);
        binds.extend(http.bind(ws, &["bindaddr"], ("bindport", 8088)));
    }
    if http.yes("tlsenable") {
        let wss = (Kind::Wss, Protocol::Tcp);
        binds.extend(http.bind(wss, &["tlsbindaddr"], ("tlsbindport", 8089)));
    }
    binds
}

/// An address and port as these files write them: `0.0.0.0:5060`, `[::]:5060`, `:::5060`, `192.0.2.1`. No address stands
/// for all.
fn place(text: &str) -> Option<(Option<IpAddr>, Option<u16>)> {
    let bare = |text: &str| {
        let text = text.trim_start_matches('[').trim_end_matches(']');
        text.parse::<IpAddr>().ok()
    };
    let (address, port) = if let Ok(whole) = text.parse::<SocketAddr>() {
        (whole.ip(), Some(whole.port()))
    } else if let Some(address) = bare(text) {
        (address, None)
    } else {
        let (address, port) = text.rsplit_once(':')?;
        (bare(address)?, Some(port.parse().ok()?))
    };
    let address = (!address.is_unspecified()).then_some(address);
    Some((address, port.filter(|port| *port != 0)))
}

#[cfg(test)]
#[path = "asterisk_tests.rs"]
mod tests;
