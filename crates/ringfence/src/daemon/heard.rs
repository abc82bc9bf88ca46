//! How it does what is heard beside the packets: a part of the status.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::beside::State;
use super::state::Daemon;

impl Daemon {
    /// Lines for people, and the same for programs; nothing where nothing is configured.
    pub(super) fn beside_status(&self) -> (Vec<String>, Value) {
        let (mut lines, mut data) = (Vec::new(), serde_json::Map::new());
        if self.config.asterisk.is_some() {
            let (more, asterisk) = self.asterisk_status();
            lines.extend(more);
            data.insert("asterisk".into(), asterisk);
        }
        let mut logs = Vec::new();
        for gauge in self.beside.gauges() {
            let (counts, trouble) = (gauge.counts(), gauge.trouble());
            lines.push(match &trouble {
                Some(trouble) => format!("log {}: {trouble}", gauge.log),
                None => format!(
                    "log {}: {} lines, {} of attempts, {} forged, {} not understood",
                    gauge.log, counts.lines, counts.counted, counts.forged, counts.unknown
                ),
            });
            logs.push(json!({ "log": &*gauge.log, "counts": counts, "trouble": trouble }));
        }
        if !logs.is_empty() {
            data.insert("logs".into(), logs.into());
        }
        if self.config.agi.is_some() {
            let Some(counts) = self.beside.callers() else {
                lines.push("the dial plan cannot ask: its port is not to be had".into());
                return (lines, data.into());
            };
            let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            let (ok, strangers) = (of(&counts.ok), of(&counts.strangers));
            let undecided = of(&counts.undecided);
            lines.push(format!(
                "the dial plan asked about callers: {ok} ok, {strangers} strangers, {undecided} not decided"
            ));
            data.insert(
                "callers".into(),
                json!({
                    "ok": ok, "strangers": strangers, "undecided": undecided, "broken": of(&counts.broken),
                    "busy": of(&counts.busy), "refused": of(&counts.refused),
                }),
            );
        }
        (lines, data.into())
    }

    fn asterisk_status(&self) -> (Vec<String>, Value) {
        let state = self.beside.asterisk.as_ref().map(|held| &held.state);
        let how = match state {
            None => "its secret cannot be read".to_owned(),
            Some(State::Connecting) => "not connected yet".to_owned(),
            Some(State::Up(version)) => format!("connected, version {version}"),
            Some(State::Down(why)) => why.clone(),
        };
        let known = &self.asterisk;
        let mut lines = vec![format!("Asterisk: {how}")];
        let count = known.survey.count.as_ref();
        if let Some(count) = count {
            lines.push(format!(
                "its endpoints and contacts under this policy: {} ok, {} ko, {} unknown; `ringfence audit` lists them",
                count.ok, count.ko, count.unknown
            ));
        }
        if let Some(untold) = &known.survey.untold {
            lines.push(format!("what Asterisk does not tell: {untold}"));
        }
        let differ = known.survey.differences.told.len() + known.survey.differences.more;
        if differ > 0 {
            lines.push(format!(
                "registrations that packets and Asterisk tell differently: {differ}"
            ));
        }
        if known.forged > 0 || known.unreadable > 0 {
            lines.push(format!(
                "events forged by names: {}; not understood: {}",
                known.forged, known.unreadable
            ));
        }
        let told: Vec<String> = known
            .survey
            .differences
            .told
            .iter()
            .map(ToString::to_string)
            .collect();
        let data = json!({
            "connected": matches!(state, Some(State::Up(_))), "state": how,
            "audit": count.map(|count| json!({ "ok": count.ok, "ko": count.ko, "unknown": count.unknown })),
            "untold": known.survey.untold, "differences": told, "forged": known.forged, "unreadable": known.unreadable,
        });
        (lines, data)
    }
}
