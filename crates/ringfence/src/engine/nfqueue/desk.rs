//! Where queued packets are judged: one judge, whichever thread brings the packet.

use ringfence_core::control::{EventCount, Interface};
use ringfence_core::event::{EVIDENCE, Event};
use ringfence_core::limit::{Limit, shared};
use ringfence_core::packet::Link;
use ringfence_core::policy::SERVICES;
use ringfence_core::reason::{Action, REASONS, Reason};
use ringfence_core::trust::Lesson;
use ringfence_core::verdict::Verdict;
use tokio::sync::mpsc::Sender;
use zerocopy::FromZeros;

use super::protocol::Packet;
use crate::engine::Counts;
use crate::engine::memory::Memory;

/// The place that no guarded interface has.
const NOWHERE: u32 = 31;

/// The judge, what it counts, and whom it tells.
pub struct Desk {
    pub judge: Memory,
    /// Packets by service and reason.
    pub counts: Counts,
    /// Packets passed and dropped by the number of the country.
    pub countries: Box<[[u64; 2]; 256]>,
    interfaces: Vec<Interface>,
    limit: Limit,
    /// When the next event and the next lesson may be told.
    spent: [u64; 2],
    events: Sender<Event>,
    lessons: Sender<Lesson>,
    /// Packets that were longer than what can be copied: they pass unjudged.
    pub cut: u64,
}

impl Desk {
    /// One that has seen nothing and tells these.
    pub fn new(judge: Memory, events: Sender<Event>, lessons: Sender<Lesson>) -> Self {
        Self {
            judge,
            counts: Box::new([[0; REASONS]; SERVICES]),
            countries: Box::new([[0; 2]; 256]),
            interfaces: Vec::new(),
            limit: Limit::new(0, 1, 0),
            spent: [0; 2],
            events,
            lessons,
            cut: 0,
        }
    }

    /// Numbers the interfaces by their place, and sets how many events may be told in a second.
    pub fn guard(&mut self, interfaces: &[Interface], events_per_second: u32) {
        self.interfaces = interfaces.to_vec();
        self.limit = Limit::new(events_per_second, 1_000_000_000, events_per_second);
    }

    /// Whether a packet goes on, at boot time `now` (ns).
    pub fn decide(&mut self, packet: &Packet<'_>, now: u64) -> bool {
        if packet.cut {
            self.cut += 1;
            return true;
        }
        if packet.interface_in == 0 || packet.interface_out != 0 {
            return self.sent(packet, now);
        }
        let index = packet.interface_in;
        let place = self.interfaces.iter().position(|it| it.index == index);
        let place = place.map_or(NOWHERE, |place| place as u32);
        let verdict = self.judge.judge(now, place, Link::RawIp, packet.bytes);
        self.count(&verdict);
        if verdict.reason().action() == Action::Drop {
            self.report(&verdict, packet, now);
        }
        self.tell_lessons(now);
        verdict.action() == Action::Pass
    }

    fn sent(&mut self, packet: &Packet<'_>, now: u64) -> bool {
        let action = self.judge.judge_leaving(now, Link::RawIp, packet.bytes);
        self.tell_lessons(now);
        if action == Action::Drop {
            self.judge.count_event(EventCount::Silenced);
        }
        action == Action::Pass
    }

    fn count(&mut self, verdict: &Verdict) {
        let service = usize::from(verdict.service) & (SERVICES - 1);
        let reason = usize::from(verdict.reason_number()).min(REASONS - 1);
        self.counts[service][reason] += 1;
        if let Some(country) = verdict.country() {
            let dropped = usize::from(verdict.reason().action() == Action::Drop);
            self.countries[usize::from(country.number())][dropped] += 1;
        }
    }

    /// Reports a drop as the programs in the kernel do: where one of its source and reason is due and there is a share left.
    fn report(&mut self, verdict: &Verdict, packet: &Packet<'_>, now: u64) {
        let (new, fine) = shared(self.spent[0], &self.limit, now);
        if !fine {
            return self.judge.count_event(EventCount::Limited);
        }
        let urgent = verdict.destroy() || verdict.banned().is_some();
        if !urgent && !self.judge.is_due(verdict, now) {
            return self.judge.count_event(EventCount::Sampled);
        }
        self.spent[0] = new;
        let told = self.events.try_send(event(verdict, packet, now));
        self.judge.count_event(match told {
            Ok(()) => EventCount::Reported,
            Err(_) => EventCount::Lost,
        });
    }

    fn tell_lessons(&mut self, now: u64) {
        for lesson in self.judge.take_lessons() {
            let (new, fine) = shared(self.spent[1], &self.limit, now);
            if fine && self.lessons.try_send(lesson).is_ok() {
                self.spent[1] = new;
            } else {
                self.judge.count_event(EventCount::LessonsLost);
            }
        }
    }
}

fn event(verdict: &Verdict, packet: &Packet<'_>, now: u64) -> Event {
    let mut event = Event::new_zeroed();
    event.time = now;
    event.source = verdict.source;
    event.destination = verdict.destination;
    event.interface = packet.interface_in;
    event.length = packet.bytes.len() as u32;
    event.source_port = verdict.source_port;
    event.destination_port = verdict.destination_port;
    event.signature = verdict.signature;
    event.protocol = verdict.protocol;
    event.reason = verdict.reason_number();
    event.service = verdict.service;
    event.class = verdict.class;
    event.country = verdict.country().map_or(0, |country| country.number());
    event.enforced = verdict.action() as u8;
    event.banned = verdict.banned().map_or(0, |cause| cause as u8);
    event.destroy = u8::from(verdict.destroy());
    if !matches!(verdict.reason(), Reason::Denied | Reason::Banned) {
        let payload = packet.bytes.get(verdict.payload as usize..);
        let payload = payload.unwrap_or_default();
        let length = payload.len().min(verdict.length as usize).min(EVIDENCE);
        event.evidence[..length].copy_from_slice(&payload[..length]);
        event.evidence_length = length as u16;
    }
    event
}
