//! chan_pjsip.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use super::password::fault;
use super::uri::{self, Uri};
use super::{Contact, Endpoint, Inventory, Kind, MOST, Outbound, Technology, WeakPassword, kept};
use crate::asterisk::ami::Message;
use crate::config::{AddressRange, Host};

/// What the actions answered.
#[derive(Default)]
pub(super) struct Answers {
    /// PJSIPShowEndpoints.
    pub endpoints: Vec<Message>,
    /// PJSIPShowContacts.
    pub contacts: Vec<Message>,
    /// PJSIPShowRegistrationsInbound.
    pub inbound: Vec<Message>,
    /// PJSIPShowRegistrationsOutbound.
    pub outbound: Vec<Message>,
}

fn named<'m>(messages: &'m [Message], event: &'m str) -> impl Iterator<Item = &'m Message> {
    messages
        .iter()
        .filter(move |message| message.event() == Some(event))
        .take(MOST)
}

/// Takes in all but the details of each endpoint.
pub(super) fn read(answers: &Answers, inventory: &mut Inventory) {
    let fixed = fixed_aors(&answers.inbound);
    let mut endpoints: BTreeMap<String, usize> = BTreeMap::new();
    for message in named(&answers.endpoints, "EndpointList") {
        let Some(name) = message.some("ObjectName") else {
            continue;
        };
        let endpoint = endpoint(message, name, &fixed);
        endpoints.insert(endpoint.name.clone(), inventory.endpoints.len());
        inventory.endpoints.push(endpoint);
    }
    for message in named(&answers.contacts, "ContactList") {
        let Some(contact) = contact(message) else {
            continue;
        };
        let name = kept(message.some("Endpoint").unwrap_or(&contact.aor));
        // It may have been made since the endpoints were listed.
        let place = *endpoints.entry(name.clone()).or_insert_with(|| {
            let endpoint = Endpoint::new(Technology::Pjsip, &name, Kind::Phone);
            inventory.endpoints.push(endpoint);
            inventory.endpoints.len() - 1
        });
        if let Some(endpoint) = inventory.endpoints.get_mut(place) {
            endpoint.contacts.push(contact);
        }
    }
    outbound(&answers.outbound, inventory);
}

/// Addresses of record that nobody can register at: their contacts are those of the configuration. What others list may
/// have been brought by anybody with a password.
fn fixed_aors(inbound: &[Message]) -> BTreeSet<&str> {
    named(inbound, "InboundRegistrationDetail")
        .filter(|message| message.get("MaxContacts") == Some("0"))
        .filter_map(|message| message.some("ObjectName"))
        .collect()
}

fn endpoint(message: &Message, name: &str, fixed: &BTreeSet<&str>) -> Endpoint {
    let guest = name == "anonymous" || name.starts_with("anonymous@");
    let mut endpoint = Endpoint::new(Technology::Pjsip, name, Kind::Phone);
    let contacts = message.get("Contacts").unwrap_or_default().split(',');
    for (aor, uri) in contacts.filter_map(|contact| contact.split_once('/')) {
        if let Some(host) = uri::read(uri).host.filter(|_| fixed.contains(aor)) {
            endpoint.add_host(host);
        }
    }
    let asks_nobody = message.some("Auths").is_none();
    if guest {
        endpoint.kind = Kind::Guest;
    } else if !endpoint.hosts.is_empty() || asks_nobody || message.some("OutboundAuths").is_some() {
        endpoint.kind = Kind::Trunk;
    }
    endpoint
}

fn contact(message: &Message) -> Option<Contact> {
    let key = message.some("ObjectName")?;
    let uri = message.get("Uri").unwrap_or_default();
    let read: Uri = uri::read(uri);
    let aor = key.rsplit_once(";@").map_or(key, |(aor, _)| aor);
    let expires = message.get("ExpirationTime").and_then(|at| at.parse().ok());
    let via = message.get("ViaAddr").and_then(|via| via.parse().ok());
    // What is cut off is no key.
    let key = (kept(key) == key).then(|| key.to_owned());
    Some(Contact {
        aor: kept(aor),
        uri: kept(uri),
        address: read.address(),
        port: read.port,
        transport: read.transport,
        via: via.map(|via: IpAddr| via.to_canonical()),
        expires: expires.and_then(|at| Timestamp::from_second(at).ok()),
        status: kept(message.get("Status").unwrap_or_default()),
        user_agent: kept(message.get("UserAgent").unwrap_or_default()),
        source: None,
        call_id: message.some("CallId").map(kept),
        key,
    })
}

fn outbound(messages: &[Message], inventory: &mut Inventory) {
    for message in named(messages, "OutboundRegistrationDetail") {
        let (Some(name), Some(uri)) = (message.some("ObjectName"), message.some("ServerUri"))
        else {
            continue;
        };
        let (server, mut hosts) = (uri::read(uri), Vec::new());
        let proxy = message.some("OutboundProxy").map(uri::read);
        for host in [server.host, proxy.and_then(|proxy| proxy.host)] {
            hosts.extend(host.filter(|host| !hosts.contains(host)));
        }
        inventory.outbound.push(Outbound {
            technology: Technology::Pjsip,
            name: kept(name),
            uri: kept(uri),
            hosts,
            transport: server.transport,
            status: kept(message.get("Status").unwrap_or_default()),
        });
    }
    passwords(messages, &[], inventory);
}

/// Takes in what PJSIPShowEndpoint answered for the endpoint of this name.
pub(super) fn read_details(name: &str, messages: &[Message], inventory: &mut Inventory) {
    // Each names the endpoint that it is of.
    let of_another = |message: &Message| {
        let key = match message.event() {
            Some("EndpointDetail") => "ObjectName",
            _ => "EndpointName",
        };
        message.get(key).is_some_and(|of| of != name)
    };
    if messages.iter().any(of_another) {
        return;
    }
    passwords(messages, &[name], inventory);
    let mut endpoints = inventory.endpoints.iter_mut();
    let Some(endpoint) = endpoints
        .find(|endpoint| endpoint.technology == Technology::Pjsip && endpoint.name == name)
    else {
        return;
    };
    for message in named(messages, "IdentifyDetail") {
        let matches = message.get("Match").unwrap_or_default();
        for range in matches.split(',').filter_map(matched) {
            if range.is_everything() {
                endpoint.everywhere = true;
            } else {
                endpoint.add_host(Host::Range(range));
            }
        }
    }
    if let Some(detail) = named(messages, "EndpointDetail").next() {
        let has = |key| detail.some(key).is_some();
        endpoint.acl = Some(has("Acl") || has("ContactAcl"));
        let by_name = detail
            .get("IdentifyBy")
            .is_none_or(|by| by.split(',').any(|by| by.trim() == "username"));
        endpoint.open = by_name && !has("Auth") && endpoint.kind != Kind::Guest;
    }
    if endpoint.kind == Kind::Phone && !endpoint.hosts.is_empty() {
        endpoint.kind = Kind::Trunk;
    }
}

/// An entry of `match`: an address with the bits or the mask of its net. What begins with `!` is left out of it.
fn matched(text: &str) -> Option<AddressRange> {
    let text = text.trim();
    let Some((address, mask)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(AddressRange::from);
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = match mask.parse::<IpAddr>() {
        Ok(mask) => ipnet::ip_mask_to_prefix(mask).ok()?,
        Err(_) => mask.parse().ok()?,
    };
    let net = ipnet::IpNet::new(address, bits).ok()?;
    AddressRange::new(net.network(), net.broadcast()).ok()
}

/// Looks at the passwords, and keeps none.
fn passwords(messages: &[Message], names: &[&str], inventory: &mut Inventory) {
    for message in named(messages, "AuthDetail") {
        let Some(section) = message.some("ObjectName") else {
            continue;
        };
        let hashed = ["Md5Cred", "PasswordDigest", "OauthSecret"];
        if hashed.iter().any(|key| message.some(key).is_some()) {
            continue;
        }
        let user = message.get("Username").unwrap_or_default();
        let names: Vec<&str> = names.iter().copied().chain([user, section]).collect();
        let Some(fault) = fault(&names, message.get("Password").unwrap_or_default()) else {
            continue;
        };
        let weak = WeakPassword {
            technology: Technology::Pjsip,
            section: kept(section),
            fault,
        };
        // Many endpoints may share it.
        if !inventory.weak.contains(&weak) && inventory.weak.len() < MOST {
            inventory.weak.push(weak);
        }
    }
}
