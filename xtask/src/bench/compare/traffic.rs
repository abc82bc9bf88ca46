//! What is sent, by whom.

use anyhow::{Context, Result};
use ringfence::country::{Country, CountryData};
use xtask::frames;

/// The countries that every filter admits.
pub const COUNTRIES: [&str; 22] = [
    "AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL",
    "PT", "SE", "US", "CA", "AU", "NZ",
];
/// The name that every filter with a domain gate asks for.
pub const DOMAIN: &str = "sip.example.com";
/// What those know of it who do not know the domain.
const SERVER: &str = "192.0.2.10";

/// A kind of traffic.
pub struct Traffic {
    pub name: &'static str,
    pub frame: Vec<u8>,
    pub senders: Vec<[u8; 4]>,
    /// How many packets each sender sends in a round, where more would be over its rate.
    pub each: Option<u32>,
    /// The server has spoken to the senders before.
    pub known: bool,
}

/// What all filters are made of.
pub struct World {
    /// Ranges of the admitted countries.
    pub ranges: Vec<(u32, u32)>,
    /// Addresses on the administrator's list.
    pub listed: Vec<[u8; 4]>,
    pub traffic: Vec<Traffic>,
}

impl World {
    /// Of the country data that ships.
    pub fn new() -> Result<Self> {
        let data = CountryData::builtin()?;
        let admitted: Vec<_> = COUNTRIES
            .iter()
            .filter_map(|code| Country::from_code(code))
            .collect();
        let ranges: Vec<_> = data
            .ranges_v4
            .iter()
            .filter(|(_, _, country)| admitted.contains(country))
            .map(|(first, last, _)| (*first, *last))
            .collect();
        let abroad: Vec<_> = data
            .ranges_v4
            .iter()
            .filter(|(_, _, country)| !admitted.contains(country))
            .map(|(first, last, _)| (*first, *last))
            .collect();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let listed = random.addresses(&ranges, 1 << 13)?;
        let mut traffic =
            |name, text: Vec<u8>, from: &[(u32, u32)], count, each| -> Result<Traffic> {
                Ok(Traffic {
                    name,
                    frame: frames::udp(false, 5060, &text),
                    senders: random.addresses(from, count)?,
                    each,
                    known: false,
                })
            };
        let traffic = vec![
            Traffic {
                senders: listed.clone(),
                ..traffic("listed", frames::register(DOMAIN, 600), &ranges, 1, None)?
            },
            traffic(
                "country",
                frames::invite(SERVER, 1100),
                &abroad,
                1 << 16,
                None,
            )?,
            traffic(
                "flood",
                frames::register(SERVER, 600),
                &ranges,
                1 << 11,
                None,
            )?,
            traffic("scan", frames::scan(384), &ranges, 1 << 16, Some(3))?,
            Traffic {
                known: true,
                ..traffic(
                    "phones",
                    frames::register(DOMAIN, 600),
                    &ranges,
                    1 << 14,
                    Some(4),
                )?
            },
        ];
        Ok(Self {
            ranges,
            listed,
            traffic,
        })
    }
}

/// Numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// Addresses of some ranges; a range gives the more, the larger it is.
    fn addresses(&mut self, ranges: &[(u32, u32)], count: usize) -> Result<Vec<[u8; 4]>> {
        ranges.first().context("the country data has no ranges")?;
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let address = self.next();
            let place = ranges.partition_point(|(first, _)| *first <= address);
            let within = place
                .checked_sub(1)
                .is_some_and(|it| address <= ranges[it].1);
            // The servers' own subnet, and what no server takes from a wire.
            let special =
                matches!(address >> 24, 0 | 10 | 127 | 224..) || address >> 8 == 0x00c0_0002;
            if within && !special {
                found.push(address.to_be_bytes());
            }
        }
        Ok(found)
    }
}
