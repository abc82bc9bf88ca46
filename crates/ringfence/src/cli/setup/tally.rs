//! What became of the packets that were looked on at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ringfence_core::reason::Action;
use ringfence_core::verdict::Verdict;
use serde_json::{Value, json};

use crate::cli::message;
use crate::engine::memory::Memory;

/// Sources that are counted singly.
const SOURCES: usize = 4096;
/// Sources that people are shown.
const SHOWN: usize = 20;

/// Packets by reason, and of those that would have been dropped by source.
#[derive(Default)]
pub(super) struct Tally {
    passed: u64,
    dropped: u64,
    sent: u64,
    missed: u64,
    reasons: BTreeMap<&'static str, u64>,
    sources: HashMap<(IpAddr, &'static str), Source>,
    others: u64,
}

/// A source of packets that would have been dropped for one reason.
struct Source {
    packets: u64,
    country: &'static str,
    message: String,
    service: String,
}

impl Tally {
    /// Counts a packet that came in.
    pub(super) fn judged(&mut self, memory: &Memory, verdict: &Verdict, packet: &[u8]) {
        let reason = verdict.reason();
        *self.reasons.entry(reason.name()).or_default() += 1;
        if reason.action() == Action::Pass {
            self.passed += 1;
            return;
        }
        self.dropped += 1;
        let Some(ip) = message::ip(verdict.source) else {
            self.others += 1;
            return;
        };
        let key = (ip, reason.name());
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&key) {
            self.others += 1;
            return;
        }
        let source = self.sources.entry(key).or_insert_with(|| Source {
            packets: 0,
            country: memory.country(verdict.source).code(),
            message: message::name(verdict, packet),
            service: memory.names().service(verdict.service).to_owned(),
        });
        source.packets += 1;
    }

    /// Counts a packet that this host sent.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// Counts packets that there was no time for.
    pub(super) fn missed(&mut self, packets: u64) {
        self.missed += packets;
    }

    /// By packets, most first.
    fn ranked(&self) -> Vec<(&(IpAddr, &'static str), &Source)> {
        let mut ranked: Vec<_> = self.sources.iter().collect();
        ranked.sort_by_key(|(key, source)| (Reverse(source.packets), **key));
        ranked
    }

    /// For people. `learned` is what was learned from what this host sent.
    pub(super) fn text(&self, learned: &str) -> String {
        let Self {
            passed,
            dropped,
            sent,
            missed,
            others,
            ..
        } = self;
        let packets = passed + dropped;
        let mut text = format!(
            "{packets} packets came in: {passed} would have passed, {dropped} would have been dropped"
        );
        for (reason, count) in &self.reasons {
            text.push_str(&format!("\n{count:>10}  {reason}"));
        }
        if *sent > 0 {
            text.push_str(&format!(
                "\nlearned from {sent} packets that this host sent: {learned}"
            ));
        }
        if *missed > 0 {
            text.push_str(&format!(
                "\n{missed} packets came too fast and were not looked at"
            ));
        }
        let ranked = self.ranked();
        if !ranked.is_empty() {
            text.push_str("\n\nwould have been dropped:");
        }
        for ((ip, reason), source) in ranked.iter().take(SHOWN) {
            let Source {
                packets,
                country,
                message,
                service,
            } = source;
            let line = format!("\n{packets:>10}  {ip} {country} {reason}: {message} to {service}");
            text.push_str(line.trim_end());
        }
        let left: u64 = ranked
            .iter()
            .skip(SHOWN)
            .map(|(_, source)| source.packets)
            .sum();
        if left + others > 0 {
            text.push_str(&format!("\n{:>10}  of others", left + others));
        }
        if *dropped > 0 {
            text.push_str(
                "\nWho belongs among them is let in by `permit`, a [[trunk]], or its country.",
            );
        }
        text
    }

    /// For programs.
    pub(super) fn data(&self) -> Value {
        let sources: Vec<Value> = self
            .ranked()
            .into_iter()
            .map(|((ip, reason), source)| {
                json!({
                    "source": ip, "reason": reason, "packets": source.packets, "country": source.country,
                    "message": source.message, "service": source.service,
                })
            })
            .collect();
        json!({
            "packets": self.passed + self.dropped,
            "verdict": { "pass": self.passed, "drop": self.dropped },
            "reason": self.reasons, "sent": self.sent, "missed": self.missed, "dropped": sources,
        })
    }
}
