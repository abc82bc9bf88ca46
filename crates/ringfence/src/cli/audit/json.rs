//! The audit for programs: one JSON object a line.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::asterisk::audit::{Audit, Row};
use crate::asterisk::inventory::{Inventory, Kind};
use crate::cli::terminal;

/// Writes all of it.
pub(super) fn write(audit: &Audit, inventory: &Inventory, out: &mut impl Write) -> io::Result<()> {
    let rows = audit.rows.iter().map(row);
    let weaknesses = audit.weaknesses.iter().map(|weakness| {
        json!({
            "weakness": weakness.what, "says": weakness.says, "names": weakness.names,
            "write": weakness.write,
        })
    });
    let proposals = audit.proposals.iter().map(|proposal| {
        let hosts: Vec<_> = proposal.hosts.iter().map(ToString::to_string).collect();
        json!({
            "trunk": proposal.name, "hosts": hosts, "of": proposal.of, "toml": proposal.to_string(),
        })
    });
    let unasked = inventory.unasked.iter();
    let unasked = unasked.map(|(what, why)| json!({ "not_asked": what, "why": why }));
    let count = audit.count();
    let summary = json!({
        "summary": {
            "ok": count.ok, "ko": count.ko, "unknown": count.unknown, "absent": count.absent,
        },
    });
    let lines = rows.chain(weaknesses).chain(proposals).chain(unasked);
    for line in lines.chain([summary]) {
        writeln!(out, "{}", terminal::json(&line.to_string()))?;
    }
    Ok(())
}

fn row(row: &Row) -> Value {
    let kind = match row.kind {
        Kind::Phone => "phone",
        Kind::Trunk => "trunk",
        Kind::Peer => "peer",
        Kind::Guest => "guest",
    };
    json!({
        "kind": kind, "what": row.what.name(), "technology": row.technology.name(),
        "name": row.name, "address": row.address, "port": row.port, "learned": row.learned,
        "uri": row.uri, "country": row.country.map(|country| country.code()),
        "verdict": row.verdict.name(), "reason": row.reason, "detail": row.detail,
        "service": row.service, "stranger": row.stranger, "trusted": row.trusted,
        "remedy": row.remedy, "contact": row.contact_key,
    })
}
