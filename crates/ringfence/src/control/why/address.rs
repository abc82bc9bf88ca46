//! Why an address is or was blocked.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::json;

use super::lists::{self, On};
use super::{SHOWN, dropped_data, dropped_line, meaning, refusal_data, refusal_line, text};
use crate::config::{AddressRange, Config};
use crate::control::listing::{self, ban_line, moment};
use crate::control::{Answer, trust};
use crate::store::{Ban, BanEnd, Dropped, PastBan, Refusal, Store, StoreError};
use crate::tables;
use crate::trust::Holder;

/// All that is known of an address.
struct Known {
    address: IpAddr,
    lists: Vec<On>,
    bans: Vec<Ban>,
    past: Vec<PastBan>,
    dropped: Vec<Dropped>,
    refused: Vec<Refusal>,
    holder: Option<Holder>,
}

pub fn why(
    store: &Store,
    config: &Config,
    address: IpAddr,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let source = tables::subject(address);
    let mut bans = store.bans()?;
    bans.retain(|ban| {
        let net = ipnet::IpNet::new(ban.address, ban.prefix_len);
        ban.until > now && net.is_ok_and(|net| net.contains(&address))
    });
    let prefix_len = if address.is_ipv4() { 32 } else { 64 };
    let known = Known {
        address,
        lists: lists::of(store, config, address)?,
        bans,
        past: store.history_of(source, prefix_len)?,
        dropped: store.drops_of(source)?,
        refused: store.refusals_of(source)?,
        holder: trust::stored(store.trust()?, now)
            .into_iter()
            .find(|holder| holder.address == address),
    };
    let (blocked, why, commands) = known.answer();
    let mut line = format!("{address} {why}");
    if !commands.is_empty() {
        let commands: Vec<_> = commands.iter().map(|one| format!("`{one}`")).collect();
        line.push_str(&format!("; let it in with {}", commands.join(" or ")));
    }
    let past = known.past.iter().map(|past| {
        json!({
            "reason": past.ban.reason, "port": past.ban.port, "since": past.ban.since, "ended": past.ended,
            "lifted": past.how == BanEnd::Lifted,
        })
    });
    let data = json!({
        "address": address, "blocked": blocked, "why": why, "commands": commands,
        "bans": listing::bans(known.bans.iter()).data, "past_bans": past.collect::<Vec<_>>(),
        "dropped": known.dropped.iter().map(dropped_data).collect::<Vec<_>>(),
        "refused": known.refused.iter().map(refusal_data).collect::<Vec<_>>(),
        "trust": known.holder.as_ref().map(trust::data),
    });
    Ok(Answer::done(text(line, &known.details()), data))
}

impl Known {
    /// Whether it is blocked now, why it is or was, and what lets it in.
    fn answer(&self) -> (bool, String, Vec<String>) {
        let address = self.address;
        let none = Vec::new;
        if let Some(on) = self.lists.first() {
            let comment = if on.comment.is_empty() {
                String::new()
            } else {
                format!(", {}", on.comment.escape_debug())
            };
            let range = &on.range;
            return match (on.list, on.by_command) {
                ("deny", true) => (
                    true,
                    format!("is on the deny list ({range}{comment}): all that it sends is dropped"),
                    vec![format!("ringfence deny remove {range}")],
                ),
                ("deny", false) => (
                    true,
                    format!(
                        "is on the deny list of the configuration ({range}{comment}): all that it sends is dropped; \
                         take it off there, then `ringfence reload`"
                    ),
                    none(),
                ),
                ("trunk", _) => (
                    false,
                    format!(
                        "is of a trunk ({range}{comment}) and never banned: {}",
                        self.latest()
                    ),
                    none(),
                ),
                ("proxy", _) => (
                    false,
                    format!(
                        "is of a proxy ({range}{comment}) and never banned: {}",
                        self.latest()
                    ),
                    none(),
                ),
                _ if range.parse::<AddressRange>().is_err() => (
                    false,
                    format!("is permitted as {range}{comment}: nothing of it is dropped"),
                    none(),
                ),
                _ => (
                    false,
                    format!("is on the permit list ({range}{comment}): nothing of it is dropped"),
                    none(),
                ),
            };
        }
        if let Some(ban) = self.bans.first() {
            let (what, whom) = match ban.port {
                Some(port) => (format!("is banned at port {port}"), address.to_string()),
                None if ban.is_net() => (
                    format!("is in the net {}, which is banned,", ban.source()),
                    ban.source(),
                ),
                None => ("is banned".to_owned(), address.to_string()),
            };
            let why = format!(
                "{what} for `{}` until {}, since {}, ban no. {}",
                ban.reason,
                moment(ban.until),
                moment(ban.since),
                ban.times
            );
            return (true, why, vec![format!("ringfence unban {whom}")]);
        }
        match self.dropped.first() {
            Some(row) if row.registered.is_none_or(|at| at < row.last) => {
                let why = format!("{}{}", self.trusted(), dropped_line(row));
                (true, why, remedies(address, row))
            }
            _ => (false, self.latest(), none()),
        }
    }

    fn trusted(&self) -> String {
        self.holder.as_ref().map_or(String::new(), |holder| {
            format!("is {} now; ", holder.why.join(", "))
        })
    }

    /// What became of it where nothing keeps it out.
    fn latest(&self) -> String {
        let trusted = self.trusted();
        if let Some(row) = self.refused.first() {
            return format!(
                "{trusted}is let through and was refused by the server as {}, {} times, last {} ({}): {}",
                row.name,
                row.count,
                moment(row.last),
                row.status,
                meaning(row)
            );
        }
        if let Some(row) = self.dropped.first() {
            let registered = row.registered.map(moment).unwrap_or_default();
            return format!(
                "{trusted}registered {registered}; before, it {}",
                dropped_line(row)
            );
        }
        if let Some(past) = self.past.first() {
            let how = match past.how {
                BanEnd::Expired => "ran out",
                BanEnd::Lifted => "was lifted",
            };
            return format!(
                "{trusted}is not banned; its last ban, for `{}`, {how} {}",
                past.ban.reason,
                moment(past.ended)
            );
        }
        format!("{trusted}is not blocked: no drop, ban or refusal of it is remembered")
    }

    fn details(&self) -> Vec<String> {
        let holder = self
            .holder
            .iter()
            .map(|holder| format!("trust: {}", trust::line(holder)));
        let bans = self
            .bans
            .iter()
            .map(|ban| format!("ban: {}", ban_line(ban)));
        let past = self.past.iter().take(SHOWN).map(|past| {
            format!(
                "past ban: {}, ended {}",
                ban_line(&past.ban),
                moment(past.ended)
            )
        });
        let dropped = self.dropped.iter().take(SHOWN).map(dropped_line);
        let refused = self.refused.iter().take(SHOWN).map(refusal_line);
        holder
            .chain(bans)
            .chain(past)
            .chain(dropped)
            .chain(refused)
            .collect()
    }
}

/// The commands that let in whoever was dropped so.
fn remedies(address: IpAddr, row: &Dropped) -> Vec<String> {
    let permit = format!("ringfence permit add {address}");
    match row.reason.as_str() {
        // Nothing may come from there, or a trunk asks for what no trunk may have.
        "spoofed" | "trunk" => Vec::new(),
        "country" => vec![format!("ringfence country allow {}", row.country), permit],
        _ => vec![permit],
    }
}
