//! What the sockets of this host say of where it takes calls.

use super::{Bind, Configured};
use crate::config::{Kind, Protocol};
use crate::net::Listener;

/// What was heard of listening sockets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Where calls are taken.
    pub calls: Vec<Bind>,
    /// Ports that phones are provisioned from: 69/udp (TFTP), 83, 84 and 1443/tcp (FreePBX's HTTP and HTTPS).
    pub provisioning: Vec<Bind>,
    /// Ports of web servers: 80 and 443/tcp.
    pub web: Vec<Bind>,
    /// What a person should know of it.
    pub remarks: Vec<String>,
}

/// Telephone systems by the name of their process.
const ASTERISK: &str = "asterisk";
const FREESWITCH: &str = "freeswitch";
const PROXIES: [&str; 4] = ["kamailio", "opensips", "openser", "sip-router"];

/// The first port that Linux gives to sockets that ask for none in particular.
const EPHEMERAL: u16 = 32768;

/// Ports that phones are provisioned from.
const PROVISIONING: [(Protocol, u16); 4] = [
    (Protocol::Udp, 69),
    (Protocol::Tcp, 83),
    (Protocol::Tcp, 84),
    (Protocol::Tcp, 1443),
];
/// Ports of web servers.
const WEB: [(Protocol, u16); 2] = [(Protocol::Tcp, 80), (Protocol::Tcp, 443)];

/// Looks through the sockets, with what Asterisk's files say at hand. What only loopback reaches is left out, and so are
/// ports for media.
pub fn heard(listeners: &[Listener], configured: &Configured) -> Heard {
    let mut heard = Heard::default();
    for listener in listeners {
        let place = (listener.protocol, listener.address.port());
        if listener.address.ip().is_loopback() {
            continue;
        }
        if let Some((kind, file)) = kind(listener, configured) {
            heard.calls.push(bind(listener, kind, file));
        } else if PROVISIONING.contains(&place) {
            heard.provisioning.push(bind(listener, Kind::Plain, None));
        } else if WEB.contains(&place) {
            heard.web.push(bind(listener, Kind::Plain, None));
        } else if let Some(program) = unclear(listener) {
            heard.remarks.push(format!(
                "{program} listens on {}/{}: if it takes SIP over WebSocket there, add a service of kind \"ws\" or \"wss\"",
                listener.protocol,
                listener.address.port()
            ));
        }
    }
    heard.remarks.dedup();
    not_heard(listeners, configured, &mut heard);
    heard
}

fn bind(listener: &Listener, kind: Kind, file: Option<&str>) -> Bind {
    let address = listener.address.ip();
    let program = listener.program.as_deref();
    let why = match (program, file) {
        (Some(program), None) => format!("{program} listens there"),
        (Some(program), Some(file)) => format!("{program} listens there; {file}"),
        (None, None) => "somebody listens there".to_owned(),
        (None, Some(file)) => format!("somebody listens there; {file}"),
    };
    Bind {
        kind,
        protocol: listener.protocol,
        port: listener.address.port(),
        address: (!address.is_unspecified()).then_some(address),
        why,
    }
}

/// What is spoken on a socket: as Asterisk's files say where the port is theirs, else by program and port.
fn kind<'c>(listener: &Listener, configured: &'c Configured) -> Option<(Kind, Option<&'c str>)> {
    let (protocol, port) = (listener.protocol, listener.address.port());
    let program = listener.program.as_deref();
    if program.is_none_or(|program| program == ASTERISK) {
        let mut files = configured.binds.iter();
        if let Some(known) = files.find(|bind| (bind.protocol, bind.port) == (protocol, port)) {
            return Some((known.kind, Some(known.why.as_str())));
        }
    }
    let kind = match program {
        Some(ASTERISK) => match (protocol, port) {
            (_, 5060 | 5160) => Kind::Sip,
            (Protocol::Tcp, 5061 | 5161) => Kind::Sips,
            (Protocol::Tcp, 8088) => Kind::Ws,
            (Protocol::Tcp, 8089) => Kind::Wss,
            (Protocol::Udp, 4569) => Kind::Iax2,
            _ => return None,
        },
        Some(FREESWITCH) => match (protocol, port) {
            (_, 5060 | 5070 | 5080 | 5090) => Kind::Sip,
            (Protocol::Tcp, 5061 | 5081) => Kind::Sips,
            (Protocol::Tcp, 5066) => Kind::Ws,
            (Protocol::Tcp, 7443) => Kind::Wss,
            _ => return None,
        },
        Some(program) if PROXIES.contains(&program) => match (protocol, port) {
            (Protocol::Tcp, 5061) => Kind::Sips,
            (Protocol::Tcp, 5000..6000) => Kind::Sip,
            (Protocol::Udp, ..EPHEMERAL) => Kind::Sip,
            _ => return None,
        },
        _ => match (protocol, port) {
            (_, 5060) => Kind::Sip,
            (Protocol::Tcp, 5061) => Kind::Sips,
            (Protocol::Udp, 4569) => Kind::Iax2,
            _ => return None,
        },
    };
    Some((kind, None))
}

/// The proxy that listens on a TCP port that may be one for WebSocket or for something else.
fn unclear(listener: &Listener) -> Option<&str> {
    let program = listener.program.as_deref()?;
    let unclear = listener.protocol == Protocol::Tcp && PROXIES.contains(&program);
    unclear.then_some(program)
}

/// What the files say and no socket does: left out where Asterisk runs, else taken, for Asterisk may be stopped.
fn not_heard(listeners: &[Listener], configured: &Configured, heard: &mut Heard) {
    let runs = listeners
        .iter()
        .any(|listener| listener.program.as_deref() == Some(ASTERISK));
    for bind in configured.binds.iter().filter(|bind| !bind.is_local()) {
        let known = |heard: &Bind| (heard.protocol, heard.port) == (bind.protocol, bind.port);
        if heard.calls.iter().any(known) {
            continue;
        }
        let (protocol, port, why) = (bind.protocol, bind.port, &bind.why);
        if runs {
            heard.remarks.push(format!(
                "{protocol}/{port} is in Asterisk's configuration ({why}), but nobody listens there: left out"
            ));
        } else {
            let why = format!("{why}; nobody listens there yet");
            heard.calls.push(Bind {
                why,
                ..bind.clone()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(text: &str) -> Listener {
        let mut words = text.split(' ');
        let protocol = match words.next() {
            Some("udp") => Protocol::Udp,
            _ => Protocol::Tcp,
        };
        Listener {
            protocol,
            address: words.next().unwrap().parse().unwrap(),
            program: words.next().map(str::to_owned),
        }
    }

    fn said(listeners: &[&str], configured: &Configured) -> (Vec<String>, Heard) {
        let listeners: Vec<_> = listeners.iter().map(|text| listener(text)).collect();
        let heard = heard(&listeners, configured);
        let said = |bind: &Bind| format!("{} {}/{}", bind.kind, bind.protocol, bind.port);
        (heard.calls.iter().map(said).collect(), heard)
    }

    #[test]
    fn each_server_by_its_ports() {
        let none = Configured::default();
        for (listeners, expected) in [
            (
                &[
                    "udp 0.0.0.0:5080 freeswitch",
                    "tcp 0.0.0.0:7443 freeswitch",
                    "udp 0.0.0.0:16384 freeswitch",
                    "tcp 0.0.0.0:8021 freeswitch",
                ][..],
                &["sip udp/5080", "wss tcp/7443"][..],
            ),
            (
                &[
                    "udp 192.0.2.1:5060 kamailio",
                    "udp 192.0.2.1:5555 kamailio",
                    "tcp 192.0.2.1:5061 kamailio",
                    "udp 0.0.0.0:40000 kamailio",
                ],
                &["sip udp/5060", "sip udp/5555", "sips tcp/5061"],
            ),
            (&["udp 0.0.0.0:5060", "udp 0.0.0.0:5160"], &["sip udp/5060"]),
            (
                &["udp 127.0.0.1:5060 asterisk", "udp [::1]:5060 kamailio"],
                &[],
            ),
            (
                &[
                    "udp 0.0.0.0:4569 asterisk",
                    "tcp 0.0.0.0:5038 asterisk",
                    "udp 0.0.0.0:12000 asterisk",
                ],
                &["iax2 udp/4569"],
            ),
        ] {
            assert_eq!(said(listeners, &none).0, expected, "{listeners:?}");
        }
    }

    #[test]
    fn asterisks_files_name_what_its_sockets_do_not() {
        let configured = Configured {
            binds: vec![
                Bind {
                    kind: Kind::Sip,
                    protocol: Protocol::Udp,
                    port: 15060,
                    address: None,
                    why: "[u] in pjsip.conf".into(),
                },
                Bind {
                    kind: Kind::Sip,
                    protocol: Protocol::Udp,
                    port: 5160,
                    address: None,
                    why: "sip.conf".into(),
                },
            ],
            ..Configured::default()
        };
        let (calls, heard) = said(&["udp 0.0.0.0:15060 asterisk"], &configured);
        assert_eq!(calls, ["sip udp/15060"]);
        assert_eq!(
            heard.calls[0].why,
            "asterisk listens there; [u] in pjsip.conf"
        );
        assert!(
            heard.remarks[0].starts_with("udp/5160 is in Asterisk's"),
            "{heard:?}"
        );
        let (calls, _) = said(&[], &configured);
        assert_eq!(calls, ["sip udp/15060", "sip udp/5160"]);
    }

    #[test]
    fn other_ports_and_unclear_ones() {
        let listeners = [
            "udp 0.0.0.0:69 in.tftpd",
            "tcp [::]:84 httpd",
            "tcp 0.0.0.0:443 nginx",
            "tcp 127.0.0.1:80 nginx",
            "tcp 0.0.0.0:8443 kamailio",
        ];
        let (calls, heard) = said(&listeners, &Configured::default());
        assert!(calls.is_empty(), "{calls:?}");
        assert_eq!(heard.provisioning.len(), 2);
        assert_eq!(heard.web[0].why, "nginx listens there");
        assert_eq!(heard.web.len(), 1);
        assert!(
            heard.remarks[0].contains("kamailio listens on tcp/8443"),
            "{heard:?}"
        );
    }
}
