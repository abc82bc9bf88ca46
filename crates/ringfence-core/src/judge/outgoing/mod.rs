//! What this host sends. A connection that was dropped says nothing more, its reset least of all;
//! and what this host answers and asks is what the judge learns trust from.

mod contacts;
mod iax2;
mod request;
mod response;

use super::{Judge, Part};
use crate::address::Address;
use crate::bench::{Bench, Tables, list_flags};
use crate::class::Class;
use crate::control::EventCount;
use crate::flow::{Flow, Phase};
use crate::packet::{self, Fragment, Link, Network, protocol};
use crate::policy::ServiceKind;
use crate::reason::Action;
use crate::scan::{Kind, Scan, Span};
use crate::search::{digest_of, number_of};
use crate::sip::{self, Start};
use core::hint::black_box;

/// Most messages of one frame that are learned from: segmentation offload puts many into one.
pub const SENT_MESSAGES: u32 = 8;

/// Judges a frame that leaves this host.
#[inline(always)]
pub fn outgoing<B: Bench>(
    bench: &mut B,
    tables: Tables<'_>,
    scan: &mut Scan,
    link: Link,
) -> Action {
    let mut judge = Judge {
        bench,
        tables,
        scan,
    };
    if judge.leaves(link) {
        Action::Pass
    } else {
        Action::Drop
    }
}

impl<B: Bench> Judge<'_, B> {
    /// Whether a frame may leave. What is learned from it is learned first.
    #[inline(always)]
    fn leaves(&mut self, link: Link) -> bool {
        self.scan.verdict.begin(0, link);
        let verdict = &mut self.scan.verdict;
        if packet::network(self.bench, verdict) != Network::Ip {
            return true;
        }
        let udp = verdict.protocol == protocol::UDP;
        if !udp && verdict.protocol != protocol::TCP
            || matches!(verdict.fragment(), Fragment::Later(_))
            || !packet::transport(self.bench, verdict)
        {
            return true;
        }
        let policy = self.tables.policy;
        let ports = if udp { &policy.udp } else { &policy.tcp };
        // Read from memory, where it has 16 bits: Linux 6.1 knows no bound of a swapped word.
        let mut number = ports[*black_box(&mut verdict.source_port) as usize];
        self.scan.verdict.service = number;
        if number != 0 && !udp && self.ask(Part::Silenced) == 1 {
            return false;
        }
        if number == 0 {
            // To a peer's port of the same number, as a client.
            number = ports[*black_box(&mut self.scan.verdict.destination_port) as usize];
        }
        self.scan.verdict.service = number;
        if number == 0 || self.scan.verdict.length == 0 {
            return true;
        }
        match self.service().kind() {
            ServiceKind::Sip => self.ask(Part::Sent),
            ServiceKind::Iax2 if self.ask(Part::SentIax2) == 1 => self.ask(Part::AnsweredIax2),
            _ => 0,
        };
        true
    }

    /// Whether the frame belongs to a TCP connection that was dropped: 1 or 0.
    #[inline(always)]
    pub(super) fn silenced(&mut self) -> u32 {
        let policy = self.tables.policy;
        let service = self.service();
        if matches!(service.kind(), ServiceKind::Plain | ServiceKind::Iax2) {
            return 0;
        }
        // The record of a connection is found by its ends as a packet of the peer has them.
        self.turn_round();
        let now = self.now();
        let (key, verdict) = (self.tables.key, &self.scan.verdict);
        Flow::find(self.bench, key, verdict, &mut self.scan.flow, now);
        let peer = self.scan.verdict.source;
        self.turn_round();
        if self.scan.flow.phase() != Phase::Dropped || !policy.enforced(now) {
            return 0;
        }
        // Who was listed since is not held to what was.
        let listed = self.bench.listed(&peer, policy.lists).flags;
        u32::from(listed & (list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY) == 0)
    }

    #[inline(always)]
    fn turn_round(&mut self) {
        let verdict = &mut self.scan.verdict;
        let (source, destination) = (verdict.source.words(), verdict.destination.words());
        let ports = (verdict.source_port, verdict.destination_port);
        verdict.source = Address::from_words(destination);
        verdict.destination = Address::from_words(source);
        (verdict.destination_port, verdict.source_port) = ports;
    }

    /// Learns from the messages of a frame. From here on the peer is the source, as in what it
    /// sends.
    #[inline(always)]
    pub(super) fn sent_messages(&mut self) -> u32 {
        self.turn_round();
        self.scan.position = 0;
        let mut n = 0;
        while n < SENT_MESSAGES && self.learn_from_message() {
            n += 1;
        }
        0
    }

    /// Learns from the next message; whether there may be another.
    #[inline(always)]
    fn learn_from_message(&mut self) -> bool {
        let at = self.scan.position;
        if !self.fill(at) {
            return false;
        }
        self.scan.closed = u32::from(self.scan.verdict.fragment() == Fragment::Whole);
        self.find_lines(self.scan.closed == 1, false);
        if self.ask(Part::SentMessage) == 1 {
            self.ask(Part::Tags);
            if self.scan.verdict.class == Class::Response as u8 {
                self.learn_from_response();
            } else {
                self.ask(Part::SentRequest);
            }
        }
        self.scan.position != 0 && self.scan.position < self.scan.verdict.length
    }

    /// Reads the message in the window, and goes on to the next: 1 where it may be learned from.
    #[inline(always)]
    pub(super) fn sent_message(&mut self) -> u32 {
        let at = self.scan.position;
        let ended = self.scan.headers_end();
        self.scan.position = match ended {
            Some(end) => {
                let length = self.scan.span(Kind::ContentLength);
                let body = number_of::<B>(self.scan, length).unwrap_or(0);
                at.saturating_add(end).saturating_add(body)
            }
            None => 0,
        };
        let class = match sip::start::<B>(self.scan) {
            Start::Response => Class::Response,
            Start::Request(class, _) => class,
            Start::Foreign | Start::Missing => return 0,
        };
        self.scan.verdict.class = class as u8;
        if ended.is_none() {
            // A datagram in pieces, or a segment that ends in the headers.
            self.bench.count(EventCount::Unread);
            return 0;
        }
        sip::transaction::<B>(self.scan);
        self.name_transaction();
        1
    }

    /// The digests of the tags of From and To, 0 where there is none. Nothing.
    #[inline(always)]
    pub(super) fn tags(&mut self) -> u32 {
        self.scan.known.tags[0] = self.tag(Kind::From);
        self.scan.known.tags[1] = self.tag(Kind::To);
        0
    }

    #[inline(always)]
    fn tag(&mut self, kind: Kind) -> u64 {
        let tag = sip::tag::<B>(self.scan, kind);
        if tag.is_empty() {
            0
        } else {
            digest_of::<B>(self.scan, tag) | 1
        }
    }

    /// The status code of the response in the window.
    #[inline(always)]
    fn status(&mut self) -> u32 {
        let line = self.scan.span(Kind::StartLine);
        let from = line.from + 8;
        let status = Span { from, to: line.to };
        number_of::<B>(self.scan, status).unwrap_or(0)
    }
}
