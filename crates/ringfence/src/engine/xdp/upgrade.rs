//! What pins of another layout hold: copied, left behind, and removed.
//!
//! The program of the other layout goes on judging with its own maps until its link is given to ours. Any step may
//! be the last one before a crash: the next start finds the other pins again, and goes on from there.

use std::fmt;

use aya::maps::{MapData, MapInfo};
use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::control::LAYOUT;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::layout::{EVENTS, LESSONS, MAPS, Shape};
use super::raw::Table;
use super::{Fence, FenceError, Pins, egress};
use crate::engine::{Engine as _, boot_time};

/// A map whose elements are copied out of other layouts.
struct Heir {
    name: &'static str,
    /// The first layout in which keys and values meant what they mean now. Raise it to the current layout with each
    /// change of that meaning, be it one that leaves the sizes as they are.
    since: u32,
}

/// The maps that are copied. What else a new program reads comes from the configuration and the store, or is of no use
/// after some seconds.
const HEIRS: [Heir; 4] = [
    Heir {
        name: "BANS",
        since: 0,
    },
    Heir {
        name: "COUNTERS",
        since: 0,
    },
    Heir {
        name: "COUNTRIES",
        since: 0,
    },
    Heir {
        name: "EVENT_STATS",
        since: 0,
    },
];

/// What became of a map of another layout.
#[derive(Debug, PartialEq, Eq)]
pub struct Inherited {
    /// The number of the layout.
    pub layout: u32,
    /// The map's name.
    pub map: String,
    /// What became of its elements.
    pub fate: Fate,
}

/// What became of the elements of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// So many were copied.
    Copied(usize),
    /// Its keys or values have other sizes, or another meaning, than this program knows.
    OtherShape,
    /// This program has no such map.
    Unknown,
}

impl fmt::Display for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layout, map, fate } = self;
        let what = match fate {
            Fate::Copied(count) => return write!(f, "{map} of layout v{layout}: {count} copied"),
            Fate::OtherShape => "is of another shape",
            Fate::Unknown => "is not known to this version",
        };
        write!(
            f,
            "{map} of layout v{layout} {what}: nothing of it was copied"
        )?;
        if map == "BANS" {
            write!(f, "; the bans of the store hold")?;
        }
        Ok(())
    }
}

impl Fence {
    /// Copies what other layouts' pins hold, as far as it is known, and tells of the rest. Counters are left alone as
    /// soon as this layout has a link: from then on its own program counts.
    pub fn inherit(&mut self) -> Result<Vec<Inherited>, FenceError> {
        let mut told = Vec::new();
        let counts = self.pins.interfaces().is_empty();
        for other in self.pins.others()? {
            for map in other.maps()? {
                let fate = match heir(&other, &map) {
                    Ok("BANS") => Fate::Copied(self.inherit_bans(&other)?),
                    Ok(name) if counts => Fate::Copied(self.inherit_counts(&other, name)?),
                    Ok(_) => continue,
                    Err(fate) if remade(&map) && fate == Fate::Unknown => continue,
                    Err(fate) => fate,
                };
                let layout = other.layout();
                told.push(Inherited { layout, map, fate });
            }
        }
        Ok(told)
    }

    /// Removes the pins of other layouts, once no interface needs their links, and the filters of interfaces that are no
    /// longer guarded; the bans that their programs made up to the end are copied before.
    pub(super) fn leave_others_behind(&mut self) -> Result<(), FenceError> {
        for other in self.pins.others()? {
            if heir(&other, "BANS").is_ok() {
                self.inherit_bans(&other)?;
            }
            let guarded = self.pins.interfaces();
            for interface in other.interfaces() {
                if !guarded.contains(&interface) {
                    egress::detach_filter(&interface);
                }
            }
            other.remove_layout()?;
        }
        Ok(())
    }

    /// Copies bans that hold longer than those that are known; how many.
    fn inherit_bans(&mut self, other: &Pins) -> Result<usize, FenceError> {
        let (bans, now) = (open::<Address, Ban>(other, "BANS")?, boot_time()?);
        let failed = |source| FenceError::Map {
            name: "BANS",
            action: "copy",
            source,
        };
        let mut copied = 0;
        for subject in bans.keys().map_err(failed)? {
            let Some(ban) = bans.get(&subject).map_err(failed)? else {
                continue;
            };
            let known = self.ban_of(subject)?.map_or(0, |ban| ban.until);
            if ban.until > now && ban.until > known {
                self.ban(subject, &ban)?;
                copied += 1;
            }
        }
        Ok(copied)
    }

    /// Copies counters, each CPU's own; how many are not zero.
    fn inherit_counts(&mut self, other: &Pins, name: &'static str) -> Result<usize, FenceError> {
        let failed = |source| FenceError::Map {
            name,
            action: "copy",
            source,
        };
        let (from, to) = (open::<u32, u64>(other, name)?, self.counters(name)?);
        let room = |table: &Table<u32, u64>| table.room().map_err(failed);
        let mut copied = 0;
        for index in 0..room(&from)?.min(room(to)?) {
            let values = from.of_each_cpu(&index).map_err(failed)?;
            to.set_each_cpu(&index, &values).map_err(failed)?;
            copied += usize::from(values.iter().any(|value| *value != 0));
        }
        Ok(copied)
    }
}

/// The name of the map if its elements can be copied.
fn heir(other: &Pins, map: &str) -> Result<&'static str, Fate> {
    let heir = HEIRS.iter().find(|heir| heir.name == map);
    let heir = heir.ok_or(Fate::Unknown)?;
    let found = MapInfo::from_pin(other.map(map)).ok();
    let found = found.and_then(|info| Shape::of(&info));
    let ours = MAPS.iter().find(|(name, _)| *name == map);
    let same =
        matches!((found, ours), (Some(found), Some((_, ours))) if found.holds_the_same(ours));
    if same && (heir.since..LAYOUT).contains(&other.layout()) {
        Ok(heir.name)
    } else {
        Err(Fate::OtherShape)
    }
}

/// Whether this program has such a map and makes it anew.
fn remade(map: &str) -> bool {
    MAPS.iter()
        .chain([&EVENTS, &LESSONS])
        .any(|(name, _)| *name == map)
}

fn open<K, V>(other: &Pins, name: &'static str) -> Result<Table<K, V>, FenceError>
where
    K: FromBytes + IntoBytes + Immutable,
    V: FromBytes + IntoBytes + Immutable,
{
    let failed = |source| FenceError::Map {
        name,
        action: "open",
        source,
    };
    let map = MapData::from_pin(other.map(name)).map_err(std::io::Error::other);
    map.and_then(Table::new).map_err(failed)
}
