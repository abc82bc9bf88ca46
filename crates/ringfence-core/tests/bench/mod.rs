//! A place over plain memory where the judge works in tests, and packets made by hand.
#![allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test program uses its own part of it"
)]

pub mod packet;

use std::collections::HashMap;

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Bench, Buckets, Cells, Listed, Store, Tables, Trace, Turn};
use ringfence_core::class::{CLASSES, Class};
use ringfence_core::control::EventCount;
use ringfence_core::country::{Country, CountryTable};
use ringfence_core::feed::Head;
use ringfence_core::hash::Key;
use ringfence_core::judge;
use ringfence_core::limit::{Bucket, Limit};
use ringfence_core::packet::{Bytes, Link};
use ringfence_core::policy::{Admission, Policy, Service, ServiceKind, policy_flags};
use ringfence_core::reason::{Action, Reason};
use ringfence_core::scan::{Scan, Step, WINDOW};
use ringfence_core::trust::{Account, Contact, ContactKey, Lesson, Standing};
use ringfence_core::verdict::Verdict;
use zerocopy::{FromZeros, IntoBytes};

pub const SECOND: u64 = 1_000_000_000;

/// What a slot of the window holds of an older packet, as it would in the kernel.
const STALE: &[u8] = b" SIP/2.0\r\nTo: <sip:stale@example.com>;tag=1\r\n\r\n\0\n\"<:;";

/// Everything of a bench but the tables that it only reads.
pub struct Place {
    frame: Vec<u8>,
    pub now: u64,
    pub lists: HashMap<Address, Listed>,
    pub bans: HashMap<Address, Ban>,
    pub standings: HashMap<Address, Standing>,
    pub contacts: HashMap<ContactKey, Contact>,
    pub accounts: HashMap<u64, Account>,
    pub lessons: Vec<Lesson>,
    pub counts: HashMap<u32, u64>,
    cells: [Vec<u64>; Cells::ALL.len()],
    buckets: [Vec<Bucket>; Buckets::ALL.len()],
    pub traces: Vec<Trace>,
}

impl Bytes for Place {
    fn frame_length(&self) -> u32 {
        self.frame.len() as u32
    }

    fn short(&self, offset: u32) -> Option<u16> {
        let at = offset as usize;
        let bytes = self.frame.get(at..at.checked_add(2)?)?;
        Some(u16::from_ne_bytes(bytes.try_into().ok()?))
    }

    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        let at = offset as usize;
        let bytes = self.frame.get(at..at.checked_add(N * 4)?)?;
        let (words, _) = bytes.as_chunks::<4>();
        Some(std::array::from_fn(|n| u32::from_ne_bytes(words[n])))
    }
}

impl Store for Place {
    fn now(&mut self) -> u64 {
        self.now
    }

    fn listed(&self, address: &Address, _: u32) -> Listed {
        self.lists.get(address).copied().unwrap_or_default()
    }

    fn feed_head(&self) -> Option<Head> {
        None
    }

    fn feed_near(&self, _: u32) -> bool {
        false
    }

    fn feed_listed(&self, _: u32, _: u32, _: u32) -> u8 {
        0
    }

    fn ban(&self, subject: &Address) -> Option<Ban> {
        self.bans.get(subject).copied()
    }

    fn set_ban(&mut self, subject: &Address, ban: &Ban) {
        self.bans.insert(*subject, *ban);
    }

    fn standing(&self, address: &Address) -> Option<&Standing> {
        self.standings.get(address)
    }

    fn set_standing(&mut self, address: &Address, standing: &Standing) {
        self.standings.insert(*address, *standing);
    }

    fn contact(&self, key: &ContactKey) -> Option<&Contact> {
        self.contacts.get(key)
    }

    fn set_contact(&mut self, key: &ContactKey, contact: &Contact) {
        self.contacts.insert(*key, *contact);
    }

    fn account(&self, digest: u64) -> Option<&Account> {
        self.accounts.get(&digest)
    }

    fn set_account(&mut self, digest: u64, account: &Account) {
        self.accounts.insert(digest, *account);
    }

    fn tell(&mut self, lesson: &Lesson) {
        self.lessons.push(*lesson);
    }

    fn count(&mut self, what: EventCount) {
        *self.counts.entry(what as u32).or_default() += 1;
    }

    fn cell(&self, table: Cells, index: u32) -> u64 {
        assert!(index < table.words());
        self.cells[table as usize][index as usize]
    }

    fn swap_cell(&mut self, table: Cells, index: u32, old: u64, new: u64) -> bool {
        let word = &mut self.cells[table as usize][index as usize];
        let same = *word == old;
        if same {
            *word = new;
        }
        same
    }

    fn bucket(&self, table: Buckets, index: u32) -> Option<&Bucket> {
        self.buckets[table as usize].get(index as usize)
    }

    fn swap_word(&mut self, table: Buckets, index: u32, way: usize, old: u64, new: u64) -> bool {
        let word = &mut self.buckets[table as usize][index as usize][way & 7];
        let same = *word == old;
        if same {
            *word = new;
        }
        same
    }

    fn trace(&mut self, trace: Trace) {
        self.traces.push(trace);
    }
}

impl Bench for Place {
    fn fill(&self, offset: u32, length: u32, scan: &mut Scan) -> bool {
        assert!(
            (1..=WINDOW).contains(&length),
            "{length} bytes for the window"
        );
        let from = offset as usize;
        match self.frame.get(from..from + length as usize) {
            Some(bytes) => {
                scan.window.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }

    fn turns<T: Turn<Self>>(&mut self, tables: Tables<'_>, scan: &mut Scan, most: u32) {
        for _ in 0..most {
            if T::turn(self, tables, scan) {
                return;
            }
        }
    }

    fn repeat<S: Step>(scan: &mut Scan, policy: &Policy, most: u32) {
        for _ in 0..most {
            if S::step(scan, policy) {
                return;
            }
        }
    }
}

/// A judge at work: tables, clock and memory.
pub struct World {
    pub policy: Box<Policy>,
    pub countries: Box<CountryTable>,
    pub place: Place,
    scan: Box<Scan>,
}

/// The numbers of the services of [`World::new`], and their ports.
pub mod port {
    pub const SIP: u16 = 5060;
    pub const SIPS: u16 = 5061;
    pub const PLAIN: u16 = 22;
    pub const WS: u16 = 8088;
    pub const WSS: u16 = 8089;
    pub const IAX2: u16 = 4569;
}

const KINDS: [(u16, ServiceKind); 6] = [
    (port::SIP, ServiceKind::Sip),
    (port::SIPS, ServiceKind::Sips),
    (port::PLAIN, ServiceKind::Plain),
    (port::WS, ServiceKind::Ws),
    (port::WSS, ServiceKind::Wss),
    (port::IAX2, ServiceKind::Iax2),
];

impl World {
    /// Enforces, with one service of each kind, open to anyone and without limits.
    pub fn new() -> Self {
        let mut policy = Policy::new_box_zeroed().unwrap();
        policy.mode = 1;
        policy.flags = policy_flags::BANS;
        policy.ban_time = 3600 * SECOND;
        policy.strikes = Limit::new(30, 60 * SECOND, 30);
        for (n, (port, kind)) in KINDS.into_iter().enumerate() {
            let number = n as u8 + 1;
            policy.udp[usize::from(port)] = number;
            policy.tcp[usize::from(port)] = number;
            let service = &mut policy.services[n + 1];
            service.kind = kind as u8;
            service.admissions = [Admission::Anyone as u8; CLASSES];
        }
        Self {
            policy,
            countries: CountryTable::new_box_zeroed().unwrap(),
            place: Place {
                frame: Vec::new(),
                now: 1000 * SECOND,
                lists: HashMap::new(),
                bans: HashMap::new(),
                standings: HashMap::new(),
                contacts: HashMap::new(),
                accounts: HashMap::new(),
                lessons: Vec::new(),
                counts: HashMap::new(),
                cells: Cells::ALL.map(|table| vec![0; table.words() as usize]),
                buckets: Buckets::ALL.map(|table| vec![[0; 8]; table.buckets() as usize]),
                traces: Vec::new(),
            },
            scan: Scan::new_box_zeroed().unwrap(),
        }
    }

    /// The service at a port.
    pub fn service(&mut self, port: u16) -> &mut Service {
        let number = self.policy.udp[usize::from(port)];
        &mut self.policy.services[usize::from(number)]
    }

    pub fn rate(&mut self, port: u16, class: Class, limit: Limit) {
        self.service(port).rates[class as usize] = limit;
    }

    pub fn list(&mut self, address: Address, flags: u32) {
        self.place.lists.entry(address).or_default().flags |= flags;
    }

    /// `GB` is 198.51.0.0/16 and 2001:db8::/32; all else is unknown.
    pub fn load_countries(&mut self) {
        let gb = Country::from_code("GB").unwrap();
        let other = Country::UNKNOWN;
        let v4 = [(0xc633_0000, gb), (0xc634_0000, other)];
        let v6 = [(0x2001_0db8_0000_0000, gb), (0x2001_0db9_0000_0000, other)];
        self.countries.load(v4, v6).unwrap();
    }

    /// The judge's word on a frame.
    pub fn verdict(&mut self, link: Link, frame: &[u8]) -> Verdict {
        self.place.frame.clear();
        self.place.frame.extend_from_slice(frame);
        self.place.traces.clear();
        let window = self.scan.window.as_mut_bytes();
        for (byte, stale) in window.iter_mut().zip(STALE.iter().cycle()) {
            *byte = *stale;
        }
        let tables = Tables {
            policy: &self.policy,
            countries: &self.countries,
            key: &Key { words: [7, 9] },
        };
        judge::judge(&mut self.place, tables, &mut self.scan, 0, link);
        self.scan.verdict
    }

    /// What becomes of an Ethernet frame that leaves the host.
    pub fn leaves(&mut self, frame: &[u8]) -> Action {
        self.place.frame.clear();
        self.place.frame.extend_from_slice(frame);
        let tables = Tables {
            policy: &self.policy,
            countries: &self.countries,
            key: &Key { words: [7, 9] },
        };
        judge::outgoing(&mut self.place, tables, &mut self.scan, Link::Ethernet)
    }

    /// The reason for an Ethernet frame's verdict.
    pub fn reason(&mut self, frame: &[u8]) -> Reason {
        self.verdict(Link::Ethernet, frame).reason()
    }

    /// The reason for the verdict on a UDP datagram to port 5060 from 198.51.100.1.
    pub fn sip(&mut self, payload: &[u8]) -> Reason {
        self.reason(&packet::Udp::to(port::SIP).frame(payload))
    }
}
