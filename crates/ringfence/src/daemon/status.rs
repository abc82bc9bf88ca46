//! How the fence stands.

use std::time::Duration;

use anyhow::Result;
use ringfence_core::control::EventCount;
use ringfence_core::country::Country;
use ringfence_core::reason::{Action, Reason};
use serde_json::json;

use super::event::why;
use super::guarded::Guarded;
use super::state::Daemon;
use crate::config::{Mode, Period};
use crate::control::Answer;
use crate::engine::boot_time;

impl Daemon {
    /// How the fence stands, in few words.
    pub(super) fn brief(&self) -> Result<String> {
        let counts = self.fence.counts()?;
        let of = |action: Action| -> u64 {
            let reasons = Reason::ALL.iter().filter(|one| one.action() == action);
            let packets =
                reasons.flat_map(|one| counts.iter().map(|service| service[*one as usize]));
            packets.sum()
        };
        Ok(format!(
            "{}: {} passed, {} dropped, {} bans",
            self.config.mode,
            of(Action::Pass),
            of(Action::Drop),
            self.bans.len()
        ))
    }

    pub(super) fn status(&mut self) -> Result<Answer> {
        let counts = self.fence.counts()?;
        let (mut passed, mut dropped, mut reasons) = (0, 0, serde_json::Map::new());
        let mut lines = Vec::new();
        for reason in Reason::ALL {
            let packets: u64 = counts.iter().map(|service| service[*reason as usize]).sum();
            match reason.action() {
                Action::Pass => passed += packets,
                Action::Drop => dropped += packets,
            }
            if packets != 0 {
                let action = if reason.action() == Action::Drop {
                    "drop"
                } else {
                    "pass"
                };
                let why = why(reason.name(), reason.detail());
                lines.push(format!("  {packets:>10}  {action} {why}"));
                let entry = reasons
                    .entry(reason.name())
                    .or_insert_with(|| json!({ "pass": 0, "drop": 0 }));
                entry[action] = json!(entry[action].as_u64().unwrap_or(0) + packets);
            }
        }
        let now = boot_time()?;
        let left = self
            .trial
            .end()
            .map(|end| end.saturating_sub(now) / 1_000_000_000);
        let mode = self.config.mode.to_string();
        let up = self.started.elapsed().as_secs();
        let ran = Period::from(Duration::from_secs(up));
        let mut text = format!(
            "mode {mode}{}\nthe daemon has run for {ran}\n",
            self.trial.tell()?
        );
        for remark in self.fence.remarks() {
            text.push_str(&format!("{remark}\n"));
        }
        for interface in &self.guarded {
            text.push_str(&format!("{}\n", interface.line()));
        }
        let verb = if self.config.mode == Mode::Enforce {
            "dropped"
        } else {
            "would have been dropped"
        };
        let (names, trunk_data, name_data) = self.resolved.status();
        for line in names {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!(
            "packets since the fence was put up: {passed} passed, {dropped} {verb}"
        ));
        for line in &lines {
            text.push_str(&format!("\n{line}"));
        }
        let mut top: Vec<_> = self.sources.iter().collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        top.truncate(10);
        if !top.is_empty() {
            text.push_str("\nsources told of most often:");
        }
        for (source, count) in &top {
            text.push_str(&format!("\n  {count:>10}  {source}"));
        }
        let mut countries: Vec<_> = (0..=255)
            .map(Country::from_number)
            .zip(self.fence.countries()?)
            .collect();
        countries.retain(|(_, counts)| *counts != [0, 0]);
        countries.sort_by_key(|(_, counts)| std::cmp::Reverse(counts[0] + counts[1]));
        let countries: Vec<_> = countries
            .iter()
            .map(|(country, [passed, dropped])| json!({ "code": country.code(), "passed": passed, "dropped": dropped }))
            .collect();
        let events = self.fence.event_counts()?;
        let event = |what: EventCount| events[what as usize];
        text.push_str(&format!(
            "\ndrops told as events: {}; not told: {} of a source just told, {} above `events_per_second`, {} lost",
            event(EventCount::Reported),
            event(EventCount::Sampled),
            event(EventCount::Limited),
            event(EventCount::Lost),
        ));
        for (what, words) in [
            (
                EventCount::Silenced,
                "packets of dropped connections were kept from leaving",
            ),
            (EventCount::BansLost, "bans found no room"),
            (
                EventCount::TrustLost,
                "registrations, peers and accounts found no room",
            ),
            (
                EventCount::Unread,
                "answers were too long, or in too many pieces, to learn from",
            ),
            (
                EventCount::Unsolicited,
                "responses answered nothing known and passed",
            ),
            (
                EventCount::LessonsLost,
                "words of what was learned were not told",
            ),
        ] {
            if event(what) != 0 {
                text.push_str(&format!("\n{} {words}", event(what)));
            }
        }
        text.push_str(&format!(
            "\nprefixes listed (lists, trunks, proxies, own addresses): {}; bans: {}",
            self.fence.lists().len(),
            self.bans.len(),
        ));
        let (line, country_data) = self.country_status();
        text.push_str(&format!("\n{line}"));
        let (trusted, trust) = self.trust_status()?;
        for line in trusted {
            text.push_str(&format!("\n{line}"));
        }
        let (line, host) = self.host_status();
        if let Some(line) = line {
            text.push_str(&format!("\n{line}"));
        }
        let share = self.share_status();
        if let Some((line, _)) = &share {
            text.push_str(&format!("\n{line}"));
        }
        let share = share.map(|(_, data)| data);
        let (lines, beside) = self.beside_status();
        for line in lines {
            text.push_str(&format!("\n{line}"));
        }
        let (lines, feeds) = self.feeds_status();
        for line in lines {
            text.push_str(&format!("\n{line}"));
        }
        let interfaces: Vec<_> = self.guarded.iter().map(Guarded::data).collect();
        Ok(Answer::done(
            text,
            json!({
                "mode": mode, "trial": self.trial.name(), "trial_seconds_left": left, "uptime_seconds": up,
                "engine": self.fence.name(),
                "remarks": self.fence.remarks(),
                "generation": self.generation, "interfaces": interfaces, "trunks": trunk_data,
                "names": name_data,
                "packets": { "passed": passed, "dropped": dropped, "reasons": reasons },
                "sources": top.iter().map(|(ip, n)| json!({ "address": ip, "events": n })).collect::<Vec<_>>(),
                "countries": countries,
                "tables": { "listed": self.fence.lists().len(), "bans": self.bans.len() },
                "events": {
                    "reported": event(EventCount::Reported), "sampled": event(EventCount::Sampled),
                    "limited": event(EventCount::Limited), "lost": event(EventCount::Lost),
                    "bans_lost": event(EventCount::BansLost),
                    "silenced": event(EventCount::Silenced),
                    "trust_lost": event(EventCount::TrustLost), "unread": event(EventCount::Unread),
                    "unsolicited": event(EventCount::Unsolicited),
                    "lessons_lost": event(EventCount::LessonsLost),
                },
                "trust": trust, "beside": beside, "host": host, "share": share, "feeds": feeds,
                "country_data": country_data,
            }),
        ))
    }
}
