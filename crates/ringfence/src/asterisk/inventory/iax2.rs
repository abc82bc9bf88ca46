//! chan_iax2.

use std::net::SocketAddr;

use super::sip::{contact, is_yes, output, peers, place};
use super::uri;
use super::{Contact, Endpoint, Inventory, Kind, Technology};
use crate::asterisk::ami::Message;
use crate::opinion::Transport;

/// Takes in what IAXpeers answered.
pub(super) fn read_peers(messages: &[Message], inventory: &mut Inventory) {
    for (name, message) in peers(messages, Technology::Iax2) {
        let mut endpoint = Endpoint::new(Technology::Iax2, name, Kind::Peer);
        match place(message) {
            Some((address, port)) if is_yes(message, "Dynamic") => {
                // chan_iax2 answers to where the registration came from, and notes that.
                let source = port.map(|port| SocketAddr::new(address, port));
                endpoint.contacts.push(Contact {
                    transport: Transport::Iax2,
                    source,
                    ..contact(message, name, address, port)
                });
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

/// Takes in what `iax2 show peer` answered for the peer of this name.
pub(super) fn read_details(name: &str, messages: &[Message], inventory: &mut Inventory) {
    let mut endpoints = inventory.endpoints.iter_mut();
    let Some(endpoint) =
        endpoints.find(|endpoint| endpoint.technology == Technology::Iax2 && endpoint.name == name)
    else {
        return;
    };
    for (key, value) in output(messages) {
        let yes = value.eq_ignore_ascii_case("yes");
        match key {
            "Calltoken req" => endpoint.call_token = Some(!value.eq_ignore_ascii_case("no")),
            "ACL" => endpoint.acl = Some(yes),
            _ => {}
        }
    }
}
