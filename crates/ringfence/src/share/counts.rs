//! What was passed and dropped, for others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Packets passed and dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Passed.
    pub pass: u64,
    /// Dropped; in shadow mode would have been.
    pub drop: u64,
}

/// Verdicts since the fence was put up, and the bans in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// `shadow` or `enforce`.
    pub mode: String,
    /// Of all services together.
    pub packets: Packets,
    /// By service; empty is what no service is meant by.
    pub services: BTreeMap<String, Packets>,
    /// By service and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, Packets>>,
    /// Bans in force, those that are not shared included.
    pub bans: u64,
}

impl Counts {
    /// Takes in packets of a service with one reason.
    pub fn add(&mut self, service: &str, reason: &str, packets: Packets) {
        let reasons = self.reasons.entry(service.to_owned()).or_default();
        let of_service = self.services.entry(service.to_owned()).or_default();
        let of_reason = reasons.entry(reason.to_owned()).or_default();
        for sum in [of_reason, of_service, &mut self.packets] {
            sum.pass = sum.pass.saturating_add(packets.pass);
            sum.drop = sum.drop.saturating_add(packets.drop);
        }
    }

    /// As JSON with a line end.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// In Prometheus' text format, version 0.0.4.
    pub fn prometheus(&self) -> String {
        let mut text = String::from(
            "# HELP ringfence_packets_total Packets judged since the fence was put up.\n\
             # TYPE ringfence_packets_total counter\n",
        );
        for (service, reasons) in &self.reasons {
            for (reason, packets) in reasons {
                for (verdict, count) in [("pass", packets.pass), ("drop", packets.drop)] {
                    if count > 0 {
                        text.push_str(&format!(
                            "ringfence_packets_total{{service=\"{}\",reason=\"{}\",verdict=\"{verdict}\"}} {count}\n",
                            label(service),
                            label(reason)
                        ));
                    }
                }
            }
        }
        text.push_str(&format!(
            "# HELP ringfence_bans Bans in force.\n# TYPE ringfence_bans gauge\nringfence_bans {}\n\
             # HELP ringfence_enforcing Whether verdicts are carried out.\n# TYPE ringfence_enforcing gauge\n\
             ringfence_enforcing {}\n",
            self.bans,
            u8::from(self.mode == "enforce")
        ));
        text
    }
}

/// The value of a label, in which nothing is left that ends it.
fn label(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}
