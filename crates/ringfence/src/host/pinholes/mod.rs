//! Pinholes: who may send to the ports of media, where not everybody may. Addresses that are registered here or answer
//! this host, and the addresses and ports that an SDP names of which the fence let the message through.
//!
//! A thread keeps them: netfilter's log gives it copies of SIP, the daemon says who is registered, and nftables holds
//! what is open in sets that end by themselves.

mod book;
mod copies;
mod rules;
mod sdp;
mod sip;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nftables::types::NfFamily;
use serde_json::{Value, json};

use super::model::{Range, TABLE};
use super::{HostError, ranges};
use crate::config::Config;
use crate::nft::{self, Nft};
use crate::store::ListKind;
use crate::tables::Inputs;
use book::Book;
use copies::Copies;

pub(super) use rules::{MEDIA, media, peers, watching};

/// How long the thread waits for a packet before it looks for something else to do.
const PATIENCE: Duration = Duration::from_millis(100);
/// After so long it tries again what failed, and forgets what is over.
const SOMETIMES: Duration = Duration::from_secs(2);
/// After it told the kernel something it gathers for so long: nft is a program of its own each time.
const GATHER: Duration = Duration::from_millis(40);
/// Packets that are read before what they name is opened.
const AT_ONCE: usize = 256;

/// The generation of the rules at which our table was found intact last: see [`super::Keeper::look`]. Whoever changes
/// only what live sets hold moves it on.
#[derive(Debug, Clone, Default)]
pub struct Intact(Arc<Mutex<Option<u32>>>);

impl Intact {
    /// What it is.
    pub fn get(&self) -> Option<u32> {
        *self.locked()
    }

    /// Sets it.
    pub fn set(&self, generation: Option<u32>) {
        *self.locked() = generation;
    }

    fn locked(&self) -> MutexGuard<'_, Option<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the daemon tells the thread.
#[derive(Debug)]
pub enum Sight {
    /// All that it knows.
    All {
        /// Who is registered, or answers this host.
        addresses: Vec<IpAddr>,
        /// Who is known by a list: see [`known`].
        known: Vec<Range>,
        /// This host's own addresses.
        own: Vec<IpAddr>,
    },
    /// One more is registered, or answers.
    Address(IpAddr),
}

/// How many pinholes there are, and whether they work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holes {
    /// Addresses that may send media from any port.
    pub addresses: usize,
    /// Addresses with a port that an SDP named.
    pub streams: usize,
    /// What does not work.
    pub trouble: Option<String>,
}

/// The thread that keeps the pinholes. It ends with this value; what is open stands until its time is over.
#[derive(Debug)]
pub struct Pinholes {
    sights: mpsc::Sender<Sight>,
    holes: Arc<Mutex<Holes>>,
}

impl Pinholes {
    /// Begins, in the thread's network namespace.
    pub fn start(intact: Intact) -> Self {
        let (sights, heard) = mpsc::channel();
        let holes = Arc::new(Mutex::new(Holes::default()));
        let mut work = Work {
            sights: heard,
            holes: holes.clone(),
            nft: Nft::default(),
            intact,
            book: Book::default(),
            copies: None,
            told: false,
            generation: None,
            table: None,
            place: Place::Unknown,
        };
        std::thread::spawn(move || work.run());
        Self { sights, holes }
    }

    /// Tells the thread. False where it has ended.
    pub fn tell(&self, sight: Sight) -> bool {
        self.sights.send(sight).is_ok()
    }

    /// How it stands.
    pub fn holes(&self) -> Holes {
        let holes = self.holes.lock();
        holes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Who is known by a list: permitted sources, trunks and proxies.
pub fn known(config: &Config, inputs: &Inputs) -> Vec<Range> {
    let mut all = peers(config, inputs);
    all.extend(
        config
            .permit
            .iter()
            .map(|entry| ranges::of_list(&entry.range)),
    );
    let said = inputs.ranges(ListKind::Permit);
    all.extend(said.map(|range| ranges::of_list(&range)));
    all
}

/// What the sets of the kernel hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing is known of it.
    Unknown,
    /// What the book says, but for its changes.
    Known,
    /// They could not be written, and are tried again with the next generation of the rules or after a while.
    Failed,
}

struct Work {
    sights: mpsc::Receiver<Sight>,
    holes: Arc<Mutex<Holes>>,
    nft: Nft,
    intact: Intact,
    book: Book,
    copies: Option<Copies>,
    /// Whether the daemon said who is registered.
    told: bool,
    /// The generation of the rules that was seen last.
    generation: Option<u32>,
    /// The handle of our table: a new one has empty sets.
    table: Option<u64>,
    place: Place,
}

impl Work {
    fn run(&mut self) {
        let mut due = Instant::now();
        let mut troubles = [None, None];
        while self.hear() {
            if due <= Instant::now() {
                due = Instant::now() + SOMETIMES;
                self.book.expire(Instant::now());
                if self.place == Place::Failed {
                    self.place = Place::Unknown;
                }
                if self.copies.is_none() {
                    let held = Copies::hold(rules::GROUP, PATIENCE);
                    troubles[0] = held.as_ref().err().map(|error| {
                        let group = rules::GROUP;
                        format!("cannot hold group {group} of netfilter's log, what an SDP names stays shut: {error}")
                    });
                    self.copies = held.ok();
                }
            }
            self.read();
            let mut wrote = false;
            match self.write() {
                Ok(_) if self.place == Place::Failed => {}
                Ok(told) => (wrote, troubles[1]) = (told, None),
                Err(error) => {
                    self.place = Place::Failed;
                    troubles[1] = Some(format!("cannot open pinholes: {error}"));
                }
            }
            let (addresses, streams) = self.book.count();
            let mut holes = self.holes.lock().unwrap_or_else(PoisonError::into_inner);
            *holes = Holes {
                addresses,
                streams,
                trouble: troubles.iter().flatten().next().cloned(),
            };
            drop(holes);
            if wrote {
                std::thread::sleep(GATHER);
            }
        }
    }

    /// Takes in what the daemon says. False where it is gone.
    fn hear(&mut self) -> bool {
        loop {
            match self.sights.try_recv() {
                Ok(Sight::All {
                    addresses,
                    known,
                    own,
                }) => {
                    self.told = true;
                    self.book.know(addresses, known, own);
                }
                Ok(Sight::Address(address)) => self.book.add(address),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Waits for packets a moment, and reads those that are there.
    fn read(&mut self) {
        let Some(copies) = &mut self.copies else {
            std::thread::sleep(PATIENCE);
            return;
        };
        let (book, now) = (&mut self.book, Instant::now());
        let mut each = |packet: &[u8]| {
            if let Some((from, places)) = sip::named(packet) {
                book.open(from, &places, now);
            }
        };
        for n in 0..AT_ONCE {
            match copies.next(n == 0, &mut each) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    self.copies = None;
                    return;
                }
            }
        }
    }

    /// Brings the sets of the kernel to what the book says. False where nothing was to be told.
    fn write(&mut self) -> Result<bool, HostError> {
        let generation = nft::generation()?;
        if self.generation != Some(generation) {
            let table = self.handle()?;
            if self.table != table || self.place == Place::Failed {
                self.place = Place::Unknown;
            }
            (self.table, self.generation) = (table, Some(generation));
        }
        // Without the table, or before it is known who is registered, nothing is to be said.
        if self.table.is_none() || !self.told || self.place == Place::Failed {
            return Ok(false);
        }
        let anew = self.place == Place::Unknown;
        let commands = self.book.changes(Instant::now(), anew);
        if commands.is_empty() {
            return Ok(false);
        }
        let mut intact = self.intact.locked();
        let before = nft::generation()?;
        let batch = json!({ "nftables": commands }).to_string();
        self.nft.run_text(&batch)?;
        self.place = Place::Known;
        let after = nft::generation()?;
        // Nobody else changed anything meanwhile.
        if after == before.wrapping_add(1) {
            if *intact == Some(before) {
                *intact = Some(after);
            }
            if before == generation {
                self.generation = Some(after);
            }
        }
        Ok(true)
    }

    /// The handle of our table, which no later one has.
    fn handle(&self) -> Result<Option<u64>, HostError> {
        let family = serde_json::to_value(NfFamily::INet).unwrap_or(Value::Null);
        let tables = self.nft.tables()?;
        let ours = tables.iter().map(|object| &object["table"]);
        let mut ours = ours.filter(|table| table["name"] == TABLE && table["family"] == family);
        Ok(ours.next().and_then(|table| table["handle"].as_u64()))
    }
}
