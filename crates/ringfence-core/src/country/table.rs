//! The table from address to country: its layout, its search and its writer.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Country;

/// Buckets of either index: 16 leading bits (IPv6: the 16 bits after those of 2000::/3).
const BUCKETS: usize = 1 << 16;
/// Index slots: a bucket's entries end where the next bucket's begin; one more keeps 8 bytes whole.
const INDEX: usize = BUCKETS + 2;
/// Room for IPv4 entries. A power of two, so that a mask is the bounds check.
const V4_ROOM: usize = 1 << 19;
/// Room for IPv6 entries: what is left of 6,000,000 bytes.
const V6_ROOM: usize = 421_888;
/// Low bits of an index slot: position of the bucket's first entry. The country is above them.
const POSITION: u32 = (1 << 24) - 1;
/// Bits of the top half of an IPv6 address below those that choose the bucket.
const V6_LOW_BITS: u32 = 64 - 3 - 16;
/// The three leading bits of 2000::/3, the only global unicast space (RFC 4291, 2.4).
const V6_GLOBAL: u64 = 0b001;

/// From address to country, for the whole world, in 6 MB of kernel memory.
///
/// An index slot holds `country << 24 | position`. Where slots `b` and `b + 1` have the same
/// position, bucket `b` lies wholly in the slot's country. Otherwise its entries are at the
/// positions between the two, ascending, the first of them at the bucket's first address.
/// An entry is `low bits of the range's first address << 8 | country` and holds until the next.
/// Both kinds of entry keep their highest bit clear: the search takes it as a borrow.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CountryTable {
    v6_entries: [u64; V6_ROOM],
    v4_entries: [u32; V4_ROOM],
    v4_index: [u32; INDEX],
    v6_index: [u32; INDEX],
}

const _: () = assert!(
    size_of::<CountryTable>() <= 6_000_000,
    "the table in force takes 6 MB"
);
const _: () = assert!(V4_ROOM <= POSITION as usize);
const _: () = assert!(V6_ROOM <= V4_ROOM);
const _: () = assert!(
    V6_LOW_BITS + 8 < 64,
    "an IPv6 entry keeps its highest bit clear"
);
const _: () = assert!(size_of::<CountryTable>().is_multiple_of(8));

impl CountryTable {
    /// The country of an IPv4 address in host order.
    #[inline(always)]
    pub fn v4(&self, address: u32) -> Country {
        let bucket = usize::from((address >> 16) as u16);
        let slot = self.v4_index[bucket];
        let mut at = slot & POSITION;
        let mut length = (self.v4_index[bucket + 1] & POSITION).wrapping_sub(at);
        if length == 0 {
            return Country((slot >> 24) as u8);
        }
        let key = (address & 0xffff) << 8 | 0xff;
        // A bucket has at most 65,536 entries: 16 halvings leave one.
        for _ in 0..16 {
            if length <= 1 {
                break;
            }
            let half = length >> 1;
            let entry = self.v4_entries[(at.wrapping_add(half)) as usize & (V4_ROOM - 1)];
            // All ones when the entry is not after the key: BPF has no conditional move, and a
            // branch here would be mispredicted every other time.
            let taken = (key.wrapping_sub(entry) >> 31).wrapping_sub(1);
            at = at.wrapping_add(half & taken);
            length -= half;
        }
        Country(self.v4_entries[at as usize & (V4_ROOM - 1)] as u8)
    }

    /// The country of an IPv6 address, given its upper 64 bits in host order.
    ///
    /// Whatever is outside 2000::/3 is `ZZ`.
    #[inline(always)]
    pub fn v6(&self, top: u64) -> Country {
        if top >> 61 != V6_GLOBAL {
            return Country::UNKNOWN;
        }
        let bucket = usize::from((top >> V6_LOW_BITS) as u16);
        let slot = self.v6_index[bucket];
        let mut at = u64::from(slot & POSITION);
        let mut length = u64::from(self.v6_index[bucket + 1] & POSITION).wrapping_sub(at);
        if length == 0 {
            return Country((slot >> 24) as u8);
        }
        let key = v6_low(top) << 8 | 0xff;
        // A bucket has at most all 421,888 entries: 19 halvings leave one.
        for _ in 0..19 {
            if length <= 1 {
                break;
            }
            let half = length >> 1;
            let entry = self.v6_entry(at.wrapping_add(half));
            let taken = (key.wrapping_sub(entry) >> 63).wrapping_sub(1);
            at = at.wrapping_add(half & taken);
            length -= half;
        }
        Country(self.v6_entry(at) as u8)
    }

    /// The entry at a position; past the end, which no loaded table names, one after every key.
    #[inline(always)]
    fn v6_entry(&self, position: u64) -> u64 {
        self.v6_entries
            .get(position as usize)
            .copied()
            .unwrap_or(1 << 62)
    }

    /// Writes the whole table from where countries begin.
    ///
    /// Each item is the first address (IPv6: its upper 64 bits) of a range that holds until the
    /// next item; both must ascend. What comes before the first item is `ZZ`. After an error the
    /// table's contents are of no use.
    pub fn load(
        &mut self,
        v4: impl IntoIterator<Item = (u32, Country)>,
        v6: impl IntoIterator<Item = (u64, Country)>,
    ) -> Result<(), LoadError> {
        let mut writer = Writer::new(&mut self.v4_index, &mut self.v4_entries);
        let mut last = None;
        for (start, country) in v4 {
            if last >= Some(start) {
                return Err(LoadError::Order);
            }
            last = Some(start);
            let low = start & 0xffff;
            writer.push(
                (start >> 16) as usize,
                low == 0,
                country,
                |country, at_start| u32::from(country.0) | if at_start { 0 } else { low << 8 },
            );
        }
        writer.finish().map_err(|needed| LoadError::V4Full {
            needed,
            room: V4_ROOM,
        })?;

        let mut writer = Writer::new(&mut self.v6_index, &mut self.v6_entries);
        let mut last = None;
        for (start, country) in v6 {
            if last >= Some(start) {
                return Err(LoadError::Order);
            }
            last = Some(start);
            match start >> 61 {
                0 => writer.country = country,
                V6_GLOBAL => {
                    let low = v6_low(start);
                    let bucket = usize::from((start >> V6_LOW_BITS) as u16);
                    writer.push(bucket, low == 0, country, |country, at_start| {
                        u64::from(country.0) | if at_start { 0 } else { low << 8 }
                    });
                }
                _ => break,
            }
        }
        writer.finish().map_err(|needed| LoadError::V6Full {
            needed,
            room: V6_ROOM,
        })
    }
}

/// The bits of an IPv6 address's upper half below its bucket.
#[inline(always)]
fn v6_low(top: u64) -> u64 {
    top & ((1 << V6_LOW_BITS) - 1)
}

/// Fills one family's index and entries in ascending order.
struct Writer<'a, E> {
    index: &'a mut [u32; INDEX],
    entries: &'a mut [E],
    /// The first bucket whose slot is not written.
    bucket: usize,
    /// Entries so far; it goes on counting when there is no more room.
    count: usize,
    /// The country in force at the point reached.
    country: Country,
}

impl<'a, E> Writer<'a, E> {
    fn new(index: &'a mut [u32; INDEX], entries: &'a mut [E]) -> Self {
        Self {
            index,
            entries,
            bucket: 0,
            count: 0,
            country: Country::UNKNOWN,
        }
    }

    /// A range of `country` begins in `bucket`, `at_start` of it or further on. `entry` packs the
    /// entry of a country at the bucket's start or at the range's.
    fn push(
        &mut self,
        bucket: usize,
        at_start: bool,
        country: Country,
        entry: impl Fn(Country, bool) -> E,
    ) {
        if country == self.country {
            return;
        }
        self.seal(bucket);
        if !at_start {
            let first_of_bucket = self.bucket == bucket;
            if first_of_bucket {
                self.seal(bucket + 1);
                self.store(entry(self.country, true));
            } else if self.index.get(bucket).map(|slot| slot & POSITION) == Some(self.position()) {
                // The bucket began with a range of its own, which so far needed no entry.
                self.store(entry(self.country, true));
            }
            self.store(entry(country, false));
        }
        self.country = country;
        if at_start {
            self.seal(bucket + 1);
        }
    }

    /// Writes the slots of all buckets before `end`, each with the country in force at its start.
    fn seal(&mut self, end: usize) {
        let slot = u32::from(self.country.0) << 24 | self.position();
        if let Some(slots) = self.index.get_mut(self.bucket..end) {
            slots.fill(slot);
            self.bucket = end;
        }
    }

    fn position(&self) -> u32 {
        self.count.min(POSITION as usize) as u32
    }

    fn store(&mut self, entry: E) {
        if let Some(place) = self.entries.get_mut(self.count) {
            *place = entry;
        }
        self.count += 1;
    }

    /// Closes the index; the error is how many entries were needed.
    fn finish(mut self) -> Result<(), usize> {
        self.seal(INDEX);
        if self.count > self.entries.len() {
            Err(self.count)
        } else {
            Ok(())
        }
    }
}

/// Why a table could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// More changes of country among IPv4 addresses than the table holds.
    V4Full {
        /// Entries that the data needs.
        needed: usize,
        /// Entries that there are.
        room: usize,
    },
    /// More changes of country among IPv6 networks than the table holds.
    V6Full {
        /// Entries that the data needs.
        needed: usize,
        /// Entries that there are.
        room: usize,
    },
    /// Starts that do not ascend.
    Order,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, needed, room) = match self {
            Self::V4Full { needed, room } => ("IPv4", needed, room),
            Self::V6Full { needed, room } => ("IPv6", needed, room),
            Self::Order => return f.write_str("the starts of the country ranges do not ascend"),
        };
        write!(
            f,
            "the data needs {needed} {family} entries and the country table has room for {room}; \
             use a data set of countries rather than of cities or networks"
        )
    }
}

impl core::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::{boxed::Box, vec, vec::Vec};

    use proptest::prelude::*;
    use zerocopy::FromZeros;

    use super::*;

    fn table(v4: &[(u32, Country)], v6: &[(u64, Country)]) -> Box<CountryTable> {
        let mut table = CountryTable::new_box_zeroed().unwrap();
        table.load(v4.iter().copied(), v6.iter().copied()).unwrap();
        table
    }

    fn naive<A: Ord + Copy>(starts: &[(A, Country)], address: A) -> Country {
        let after = starts.partition_point(|(start, _)| *start <= address);
        after
            .checked_sub(1)
            .map_or(Country::UNKNOWN, |at| starts[at].1)
    }

    fn country(code: &str) -> Country {
        Country::from_code(code).unwrap()
    }

    #[test]
    fn an_empty_table_knows_nothing() {
        let table = CountryTable::new_box_zeroed().unwrap();
        for address in [0, 1, 0xffff, 0x1_0000, u32::MAX] {
            assert_eq!(table.v4(address), Country::UNKNOWN);
        }
        assert_eq!(table.v6(0x2001_0db8 << 32), Country::UNKNOWN);
    }

    #[test]
    fn a_table_of_garbage_is_read_without_panic() {
        let mut table = CountryTable::new_box_zeroed().unwrap();
        table
            .as_mut_bytes()
            .iter_mut()
            .enumerate()
            .for_each(|(at, byte)| {
                *byte = (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
            });
        for address in (0..=u32::MAX).step_by(65_521) {
            table.v4(address);
            table.v6(u64::from(address) << 32);
        }
    }

    #[test]
    fn edges_of_buckets_and_families() {
        let (gb, ie, fr) = (country("GB"), country("IE"), country("FR"));
        let v4 = [
            (0, gb),
            (0x0001_0000, ie),
            (0x0001_ffff, fr),
            (0xffff_ffff, gb),
        ];
        let v6 = [
            (0, fr),
            (0x2000_0000_0000_0001, gb),
            (0x2001_0000_0000_0000, ie),
            (0x3fff_ffff_ffff_ffff, fr),
            (0x4000_0000_0000_0000, gb),
        ];
        let table = table(&v4, &v6);
        for address in [
            0,
            1,
            0xffff,
            0x1_0000,
            0x1_fffe,
            0x1_ffff,
            0x2_0000,
            u32::MAX - 1,
            u32::MAX,
        ] {
            assert_eq!(table.v4(address), naive(&v4, address), "{address:#x}");
        }
        for top in [
            0x2000_0000_0000_0000,
            0x2000_0000_0000_0001,
            0x2000_ffff_ffff_ffff,
            0x2001_0000_0000_0000,
            0x3fff_ffff_ffff_fffe,
            0x3fff_ffff_ffff_ffff,
        ] {
            assert_eq!(table.v6(top), naive(&v6, top), "{top:#x}");
        }
        for outside in [0, 0x1fff_ffff_ffff_ffff, 0x4000_0000_0000_0000, u64::MAX] {
            assert_eq!(table.v6(outside), Country::UNKNOWN);
        }
    }

    #[test]
    fn the_fullest_buckets_are_searched_to_the_end() {
        let alternate = |n: usize| {
            if n.is_multiple_of(2) {
                country("GB")
            } else {
                country("IE")
            }
        };
        let v4: Vec<_> = (0..0x1_0000u32)
            .map(|n| (0x0a0b_0000 | n, alternate(n as usize)))
            .collect();
        let v6: Vec<_> = (0..V6_ROOM)
            .map(|n| (0x2a01_0000_0000_0000 | (n as u64) << 24, alternate(n)))
            .collect();
        let table = table(&v4, &v6);
        for (start, country) in v4 {
            assert_eq!(table.v4(start), country);
        }
        for (start, country) in v6 {
            assert_eq!(table.v6(start), country);
            assert_eq!(table.v6(start + 0xff_ffff), country);
        }
    }

    #[test]
    fn too_much_data_is_refused_with_the_need() {
        let mut table = CountryTable::new_box_zeroed().unwrap();
        let alternate = |n: usize| {
            if n.is_multiple_of(2) {
                country("GB")
            } else {
                country("IE")
            }
        };
        let v6 = (0..=V6_ROOM).map(|n| (0x2a01_0000_0000_0000 | (n as u64) << 24, alternate(n)));
        assert_eq!(
            table.load([], v6),
            Err(LoadError::V6Full {
                needed: V6_ROOM + 1,
                room: V6_ROOM
            })
        );
        let v4 = (0..V4_ROOM + 2).map(|n| ((n as u32) << 4, alternate(n)));
        assert!(
            matches!(table.load(v4, []), Err(LoadError::V4Full { needed, .. }) if needed > V4_ROOM)
        );
        let gb = country("GB");
        assert_eq!(table.load([(5, gb), (5, gb)], []), Err(LoadError::Order));
        assert_eq!(table.load([], [(5, gb), (4, gb)]), Err(LoadError::Order));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_table_agrees_with_a_list(
            v4 in prop::collection::btree_map(prop_oneof![any::<u32>(), 0x0a00_0000u32..0x0a03_0000], 0u8..251, 0..400),
            v6 in prop::collection::btree_map(
                prop_oneof![any::<u64>(), 0x2a01_0000_0000_0000u64..0x2a01_0000_ffff_ffff, 0x2000_0000_0000_0000u64..0x4000_0000_0000_0000],
                0u8..251,
                0..400,
            ),
            random in prop::collection::vec(any::<u64>(), 100),
        ) {
            let v4: Vec<_> = v4.into_iter().map(|(a, c)| (a, Country::from_number(c))).collect();
            let v6: Vec<_> = v6.into_iter().map(|(a, c)| (a, Country::from_number(c))).collect();
            let table = table(&v4, &v6);
            let near = v4.iter().flat_map(|(a, _)| vec![a.wrapping_sub(1), *a, a.wrapping_add(1)]);
            for address in near.chain(random.iter().map(|a| *a as u32)) {
                prop_assert_eq!(table.v4(address), naive(&v4, address), "{:#x}", address);
            }
            let near = v6.iter().flat_map(|(a, _)| vec![a.wrapping_sub(1), *a, a.wrapping_add(1)]);
            for top in near.chain(random.iter().map(|a| a >> 3 | 1 << 61)) {
                let expected =
                    if top >> 61 == V6_GLOBAL { naive(&v6, top) } else { Country::UNKNOWN };
                prop_assert_eq!(table.v6(top), expected, "{:#x}", top);
            }
        }
    }
}
