//! A row for each contact, host and registration.

use std::net::IpAddr;

use super::{Row, Verdict, What};
use crate::asterisk::inventory::{Contact, Endpoint, Inventory, Kind, Outbound, Technology};
use crate::config::Host;
use crate::net::is_private;
use crate::opinion::{Asks, Opinion, Opinions, Question, Transport};

pub(super) fn rows(inventory: &Inventory, opinions: &mut Opinions) -> Vec<Row> {
    let mut rows = Vec::new();
    for endpoint in &inventory.endpoints {
        let before = rows.len();
        for contact in &endpoint.contacts {
            rows.push(of_contact(endpoint, contact, opinions));
        }
        let transport = match endpoint.technology {
            Technology::Iax2 => Transport::Iax2,
            _ => Transport::Udp,
        };
        for host in &endpoint.hosts {
            let row = blank(
                endpoint.kind,
                What::Host,
                endpoint.technology,
                &endpoint.name,
            );
            rows.push(of_host(row, host, transport, opinions));
        }
        if rows.len() == before {
            rows.push(absent(endpoint));
        }
    }
    for outbound in &inventory.outbound {
        rows.extend(of_outbound(outbound, opinions));
    }
    rows
}

fn blank(kind: Kind, what: What, technology: Technology, name: &str) -> Row {
    Row {
        kind,
        what,
        technology,
        name: name.to_owned(),
        address: None,
        port: None,
        learned: false,
        uri: String::new(),
        country: None,
        verdict: Verdict::Unknown,
        reason: "",
        detail: String::new(),
        service: String::new(),
        stranger: None,
        trusted: false,
        remedy: None,
        contact_key: None,
    }
}

fn absent(endpoint: &Endpoint) -> Row {
    let (reason, detail) = match endpoint.kind {
        Kind::Guest => ("no address", "it takes whoever is nobody else"),
        Kind::Trunk => ("no address", "no fixed host of it is known"),
        Kind::Phone | Kind::Peer => ("not registered", "nobody is registered"),
    };
    Row {
        reason,
        detail: detail.to_owned(),
        ..blank(
            endpoint.kind,
            What::Absent,
            endpoint.technology,
            &endpoint.name,
        )
    }
}

fn of_contact(endpoint: &Endpoint, contact: &Contact, opinions: &mut Opinions) -> Row {
    let row = Row {
        uri: contact.uri.clone(),
        contact_key: contact.key.clone(),
        learned: contact.source.is_some(),
        port: contact.source.map(|source| source.port()),
        ..blank(
            endpoint.kind,
            What::Contact,
            endpoint.technology,
            &endpoint.name,
        )
    };
    let Some(address) = contact
        .source
        .map_or_else(|| claimed(contact), |of| Some(of.ip()))
    else {
        return Row {
            reason: "unknown source",
            detail: "neither Contact nor Via has an address".into(),
            ..row
        };
    };
    let question = Question {
        source: address,
        port: row.port,
        transport: contact.transport,
        asks: Asks::Register,
        account: &contact.aor,
        agent: &contact.user_agent,
    };
    let judged = judged(row, &question, opinions);
    if judged.verdict == Verdict::Ko && !judged.learned && is_private(address) {
        // Behind which public address it is, its Contact does not say.
        return Row {
            verdict: Verdict::Unknown,
            reason: "unknown source",
            detail: "Contact and Via have private addresses only".into(),
            remedy: None,
            country: None,
            ..judged
        };
    }
    judged
}

/// Where a phone says that it is: a public address rather than a private one.
fn claimed(contact: &Contact) -> Option<IpAddr> {
    let said = [contact.address, contact.via];
    let mut said = said.into_iter().flatten();
    let public = said.clone().find(|ip| !is_private(*ip));
    public.or_else(|| said.next())
}

/// A registration of Asterisk elsewhere: the host that calls will come from.
fn of_outbound(outbound: &Outbound, opinions: &mut Opinions) -> Vec<Row> {
    let row = Row {
        uri: outbound.uri.clone(),
        ..blank(
            Kind::Trunk,
            What::Registration,
            outbound.technology,
            &outbound.name,
        )
    };
    if outbound.hosts.is_empty() {
        let unknown = Row {
            reason: "no address",
            detail: "the server is no host".into(),
            ..row
        };
        return vec![unknown];
    }
    let of = |host| of_host(row.clone(), host, outbound.transport, opinions);
    outbound.hosts.iter().map(of).collect()
}

/// A fixed host: where it has many addresses, the first that is dropped speaks for all.
fn of_host(row: Row, host: &Host, transport: Transport, opinions: &mut Opinions) -> Row {
    let row = Row {
        uri: host.to_string(),
        ..row
    };
    let addresses = match host {
        Host::Range(range) if range.first() == range.last() => vec![range.first()],
        Host::Range(range) => vec![range.first(), range.last()],
        Host::Name(name) => {
            let resolved = &opinions.inputs().resolved;
            resolved.get(name).cloned().unwrap_or_default()
        }
    };
    let mut found = Row {
        reason: "not looked up",
        detail: "the name has no address that is known here".into(),
        ..row.clone()
    };
    for address in addresses {
        let question = Question {
            source: address,
            port: None,
            transport,
            asks: Asks::Invite,
            account: &row.name,
            agent: "",
        };
        found = judged(row.clone(), &question, opinions);
        if found.verdict == Verdict::Ko {
            // What is nobody's is not proposed.
            if matches!(found.reason, "country" | "domain") && found.kind != Kind::Guest {
                found.remedy = Some("add the [[trunk]] that is proposed below".into());
            }
            break;
        }
    }
    found
}

/// What the judge says goes into the row.
fn judged(row: Row, question: &Question<'_>, opinions: &mut Opinions) -> Row {
    let source = question.source;
    let row = Row {
        address: Some(source),
        ..row
    };
    if opinions.is_own(source) {
        return Row {
            verdict: Verdict::Ok,
            reason: "local",
            detail: "an address of this host: it crosses no fence".into(),
            ..row
        };
    }
    let Opinion {
        ok,
        reason,
        stranger,
        service,
        country,
        remedy,
    } = opinions.opinion(question);
    Row {
        country: Some(country),
        verdict: if ok { Verdict::Ok } else { Verdict::Ko },
        reason: reason.name(),
        detail: reason.detail().to_owned(),
        service,
        stranger: stranger.map(|reason| reason.name()),
        trusted: opinions.trusts(source),
        remedy,
        ..row
    }
}
