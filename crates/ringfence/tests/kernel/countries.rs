//! The country table in the kernel says of each address what the data says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::test_runner::{RngAlgorithm, TestRng};
use ringfence::config::Config;
use ringfence::country::{Country, CountryData};
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};

use proptest::prelude::Rng;

use super::{KEY, START, frames, privileged};

const ADDRESSES: usize = 100_000;

/// What a reader of the ranges finds, without the table.
fn read(data: &CountryData, address: IpAddr) -> Country {
    match address {
        IpAddr::V4(v4) => find(&data.ranges_v4, u32::from(v4)),
        IpAddr::V6(v6) => find(&data.ranges_v6, (u128::from(v6) >> 64) as u64),
    }
}

fn find<A: Copy + Ord>(ranges: &[(A, A, Country)], address: A) -> Country {
    let after = ranges.partition_point(|(first, ..)| *first <= address);
    match after.checked_sub(1).and_then(|at| ranges.get(at)) {
        Some((_, last, country)) if address <= *last => *country,
        _ => Country::UNKNOWN,
    }
}

#[test]
fn the_kernel_finds_the_country_of_a_hundred_thousand_addresses() {
    if !privileged() {
        return;
    }
    let policy = "mode = \"enforce\"\ncountries = [\"VA\"]\npermit_private = false\n\
        [[service]]\nname = \"plain\"\nkind = \"plain\"\nports = [\"udp/7000\"]\nfrom = \"countries\"\n";
    let config = Config::parse(policy, "test.toml").expect("the policy is valid");
    let generation = tables::compile(&config, &Inputs::default()).expect("it compiles");
    let data = CountryData::builtin().expect("country data");
    let table = data.compile().expect("it fits");
    let mut kernel = Trial::load(&generation, &table, KEY, true).expect("the program loads");
    kernel.set_clock(START).expect("the clock is set");

    // One in three of IPv6, in the space that is handed out.
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut by_country = BTreeMap::<Country, Vec<IpAddr>>::new();
    for n in 0..ADDRESSES {
        let address: IpAddr = if n % 3 == 0 {
            let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            Ipv6Addr::from(bits >> 3 | 1 << 125).into()
        } else {
            Ipv4Addr::from(random.next_u32()).into()
        };
        // What no wire carries is not asked for its country.
        if !address.is_loopback() {
            by_country
                .entry(read(&data, address))
                .or_default()
                .push(address);
        }
    }
    assert!(by_country.len() > 100, "{} countries", by_country.len());

    let mut before = kernel.country_counts().expect("counts are read");
    for (country, addresses) in by_country {
        for address in &addresses {
            let server: IpAddr = match address {
                IpAddr::V4(_) => [192, 0, 2, 10].into(),
                IpAddr::V6(_) => "2001:db8:1::10".parse().expect("an address"),
            };
            let from = SocketAddr::new(*address, 4000);
            let frame = frames::udp(from, SocketAddr::new(server, 7000), b"x");
            kernel.run(&frame, 1).expect("it runs");
        }
        let after = kernel.country_counts().expect("counts are read");
        let found: Vec<_> = Country::all()
            .zip(before.iter().zip(&after))
            .filter(|(_, (before, after))| before != after)
            .map(|(country, (before, after))| (country, after - before))
            .collect();
        assert_eq!(found, [(country, addresses.len() as u64)]);
        before = after;
    }
}
