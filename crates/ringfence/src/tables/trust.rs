//! Trust as the judge has it.

use ringfence_core::limit::Limit;
use ringfence_core::policy::TrustPolicy;
use ringfence_core::trust::account_digest;
use zerocopy::FromZeros;

use super::policy::{limit, nanoseconds};
use crate::config::{Config, Threshold, Tripwire, User};

/// Tokens that make one failure.
pub const FAILURE: u32 = 2;

pub(super) fn compile(config: &Config) -> TrustPolicy {
    let mut policy = TrustPolicy::new_zeroed();
    policy.failures = threshold(config.trust.failures, FAILURE);
    policy.users = threshold(config.trust.users, 1);
    policy.requests = limit(&config.trust.requests, 1);
    policy.solicited = nanoseconds(config.trust.solicited);
    let names = config
        .tripwires
        .iter()
        .filter_map(|tripwire| match tripwire {
            Tripwire::Name(user) => Some(digest(user)),
            Tripwire::Range(_) => None,
        });
    policy.tripwire_count = fill(&mut policy.tripwires, names);
    let ranges = config
        .tripwires
        .iter()
        .filter_map(|tripwire| match tripwire {
            Tripwire::Range(range) => Some([*range.start(), *range.end()]),
            Tripwire::Name(_) => None,
        });
    policy.range_count = fill(&mut policy.ranges, ranges);
    let emergency = config.emergency.iter().map(digest);
    policy.emergency_count = fill(&mut policy.emergency, emergency);
    policy
}

/// A threshold as a rate whose tokens may all be spent at once, where each event takes `tokens`.
pub fn threshold(threshold: Threshold, tokens: u32) -> Limit {
    let count = threshold.count.saturating_mul(tokens);
    Limit::new(count, nanoseconds(threshold.within), count)
}

fn digest(user: &User) -> u64 {
    account_digest(user.as_str().as_bytes())
}

/// Puts the values into the first places, and says how many there are.
fn fill<T>(places: &mut [T], values: impl Iterator<Item = T>) -> u32 {
    let mut count = 0;
    for (place, value) in places.iter_mut().zip(values) {
        *place = value;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn compiled(text: &str) -> TrustPolicy {
        compile(&Config::parse(text, "trust").unwrap())
    }

    #[test]
    fn thresholds_and_rates_become_limits() {
        let policy = compiled(
            "[trust]\nfailures = \"3/1m\"\nusers = \"4/2m\"\nrequests = \"20/10s burst 40\"\n\
             solicited = \"90s\"\n",
        );
        // In half failures.
        assert_eq!(policy.failures, Limit::new(6, 60 * SECOND, 6));
        assert_eq!(policy.users, Limit::new(4, 120 * SECOND, 4));
        assert_eq!(policy.requests, Limit::new(20, 10 * SECOND, 40));
        assert_eq!(policy.solicited, 90 * SECOND);
    }

    #[test]
    fn users_become_digests_and_ranges() {
        let policy = compiled("tripwires = [\"9000-9099\", \"admin\", \"7\", \"0-99\", \"admin\"]");
        assert_eq!(policy.tripwire_count, 2);
        let digests = [account_digest(b"admin"), account_digest(b"7")];
        assert_eq!(policy.tripwires[..2], digests);
        assert_eq!(policy.range_count, 2);
        assert_eq!(policy.ranges[..2], [[9000, 9099], [0, 99]]);
        let digests = [&b"112"[..], b"911", b"999", b"000"].map(account_digest);
        assert_eq!(policy.emergency_count, 4);
        assert_eq!(policy.emergency[..4], digests);
        assert!(policy.tripwires[2..].iter().all(|digest| *digest == 0));
        assert!(policy.emergency[4..].iter().all(|digest| *digest == 0));
        assert_eq!(compiled("emergency = []").emergency_count, 0);
    }

    #[test]
    fn every_place_can_be_used() {
        let list = |texts: Vec<String>| format!("[\"{}\"]", texts.join("\", \""));
        let names = (0..64).map(|n| format!("user{n}"));
        let ranges = (0..32).map(|n| format!("{n}000-{n}099"));
        let wires = list(names.chain(ranges.skip(1)).chain(["7-8".into()]).collect());
        let emergency = list((0..16).map(|n| format!("00{n}")).collect());
        let policy = compiled(&format!("tripwires = {wires}\nemergency = {emergency}"));
        let counts = (policy.tripwire_count, policy.range_count);
        assert_eq!((counts, policy.emergency_count), ((64, 32), 16));
        assert_eq!(policy.ranges[31], [7, 8]);
        assert_eq!(policy.emergency[15], account_digest(b"0015"));
    }
}
