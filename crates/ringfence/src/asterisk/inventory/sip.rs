//! chan_sip, which Asterisk has up to version 20.

use std::net::IpAddr;

use super::uri;
use super::{Contact, Endpoint, Inventory, Kind, MOST, Outbound, SipSettings, Technology, kept};
use crate::asterisk::ami::Message;
use crate::config::Host;
use crate::opinion::Transport;

/// The peers of a channel driver, from `PeerEntry` events.
pub(super) fn peers(
    messages: &[Message],
    technology: Technology,
) -> impl Iterator<Item = (&str, &Message)> {
    messages
        .iter()
        .filter(move |message| {
            let of = message.get("Channeltype").unwrap_or_default();
            message.event() == Some("PeerEntry") && of.eq_ignore_ascii_case(technology.name())
        })
        .filter_map(|message| Some((message.some("ObjectName")?, message)))
        .take(MOST)
}

/// The address and port of a peer, where it has one.
pub(super) fn place(message: &Message) -> Option<(IpAddr, Option<u16>)> {
    let address: IpAddr = message.get("IPaddress")?.parse().ok()?;
    let port = message.get("IPport").and_then(|port| port.parse().ok());
    let host = uri::of_address(address)?;
    Some((uri::address(&host)?, port.filter(|port| *port != 0)))
}

pub(super) fn is_yes(message: &Message, key: &str) -> bool {
    let value = message.get(key).unwrap_or_default();
    value.eq_ignore_ascii_case("yes")
}

/// Takes in what SIPpeers answered.
pub(super) fn read_peers(messages: &[Message], inventory: &mut Inventory) {
    for (name, message) in peers(messages, Technology::Sip) {
        let dynamic = is_yes(message, "Dynamic");
        let kind = if dynamic { Kind::Phone } else { Kind::Trunk };
        let mut endpoint = Endpoint::new(Technology::Sip, name, kind);
        endpoint.acl = Some(is_yes(message, "ACL"));
        match place(message) {
            Some((address, port)) if dynamic => {
                endpoint
                    .contacts
                    .push(contact(message, name, address, port));
            }
            Some((address, _)) => {
                if let Some(host) = uri::of_address(address) {
                    endpoint.add_host(host);
                }
            }
            None => {}
        }
        inventory.endpoints.push(endpoint);
    }
}

/// The registration of a peer at an address.
pub(super) fn contact(
    message: &Message,
    name: &str,
    address: IpAddr,
    port: Option<u16>,
) -> Contact {
    Contact {
        aor: kept(name),
        uri: String::new(),
        address: Some(address),
        port,
        transport: Transport::Udp,
        via: None,
        expires: None,
        status: kept(message.get("Status").unwrap_or_default()),
        user_agent: String::new(),
        source: None,
        call_id: None,
        key: None,
    }
}

/// Takes in what SIPshowregistry or IAXregistry answered.
pub(super) fn read_registry(messages: &[Message], of: Technology, inventory: &mut Inventory) {
    let entries = messages
        .iter()
        .filter(|message| message.event() == Some("RegistryEntry"));
    for message in entries.take(MOST) {
        let Some(server) = message.some("Host") else {
            continue;
        };
        let (host, _) = uri::host_port(server);
        let hosts: Vec<Host> = host.into_iter().collect();
        inventory.outbound.push(Outbound {
            technology: of,
            name: kept(message.some("Username").unwrap_or(server)),
            uri: kept(server),
            hosts,
            transport: match of {
                Technology::Iax2 => Transport::Iax2,
                _ => Transport::Udp,
            },
            status: kept(message.get("State").unwrap_or_default()),
        });
    }
}

/// Takes in what `sip show settings` answered.
pub(super) fn read_settings(messages: &[Message], inventory: &mut Inventory) {
    let says = |wanted: &str| {
        let mut lines = output(messages);
        lines.find_map(|(key, value)| (key == wanted).then(|| value.eq_ignore_ascii_case("yes")))
    };
    let guests = says("Allow unknown access");
    let always_reject = says("Always auth rejects");
    if let (Some(guests), Some(always_reject)) = (guests, always_reject) {
        inventory.sip = Some(SipSettings {
            guests,
            always_reject,
        });
    }
}

/// Lines of a command's output that have the form `key: value`.
pub(super) fn output(messages: &[Message]) -> impl Iterator<Item = (&str, &str)> {
    messages
        .iter()
        .flat_map(Message::fields)
        .filter(|(key, _)| key.eq_ignore_ascii_case("Output"))
        .filter_map(|(_, line)| line.split_once(':'))
        .map(|(key, value)| (key.trim(), value.trim()))
}
