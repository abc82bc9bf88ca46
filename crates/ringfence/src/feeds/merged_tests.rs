use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn nets(all: &[&str]) -> Nets {
    all.iter()
        .map(|text| text.parse::<IpNet>().unwrap())
        .collect()
}

fn merged(lists: &[(FeedAction, &Nets)]) -> Merged {
    let parts: Vec<_> = (1..)
        .zip(lists)
        .map(|(feed, (action, nets))| Part {
            feed,
            action: *action,
            nets,
        })
        .collect();
    let (merged, reports) = merge(&parts, &Belongings::new([]));
    assert!(reports.iter().all(Result::is_ok));
    merged
}

fn shown(entry: FeedEntry) -> String {
    format!("{} {} {}", entry.range, entry.action, entry.feed)
}

#[test]
fn the_strongest_action_wins_and_nothing_is_said_twice() {
    let one = nets(&["198.51.100.0/24", "203.0.113.7/32", "2001:db8::/32"]);
    let two = nets(&[
        "198.51.100.9/32",
        "198.51.0.0/16",
        "203.0.113.7/32",
        "203.0.113.8/31",
        "2001:db8::1/128",
    ]);
    let three = nets(&["198.51.100.9/32", "203.0.113.7/32", "2001:db8:1::/48"]);
    let all = merged(&[
        (FeedAction::Score, &one),
        (FeedAction::Ban, &two),
        (FeedAction::Deny, &three),
    ]);
    let entries: Vec<_> = all.iter().map(shown).collect();
    assert_eq!(
        entries,
        [
            "198.51.0.0/16 ban 2",
            "198.51.100.9/32 deny 3",
            "203.0.113.7/32 deny 3",
            "203.0.113.8/32 ban 2",
            "203.0.113.9/32 ban 2",
            "2001:db8::/32 score 1",
            "2001:db8::1/128 ban 2",
            "2001:db8:1::/48 deny 3",
        ]
    );
    let find = |text: &str| all.find(text.parse().unwrap()).map(shown);
    assert_eq!(
        find("198.51.100.9").as_deref(),
        Some("198.51.100.9/32 deny 3")
    );
    assert_eq!(find("198.51.100.8").as_deref(), Some("198.51.0.0/16 ban 2"));
    assert_eq!(
        find("2001:db8:1::5").as_deref(),
        Some("2001:db8:1::/48 deny 3")
    );
    assert_eq!(find("2001:db9::"), None);
    assert_eq!(find("203.0.113.10"), None);
    let first = merged(&[(FeedAction::Ban, &one), (FeedAction::Ban, &one)]);
    assert!(first.iter().all(|entry| entry.feed == 1));
}

#[test]
fn a_whole_24_is_one_entry_and_each_takes_eight_bytes() {
    let all: Nets = (0..256_u32)
        .map(|last| super::super::nets::host_net(0xc633_6400 | last))
        .collect();
    let around = nets(&["198.51.100.0/24", "203.0.113.1/32"]);
    let all = merged(&[(FeedAction::Deny, &all), (FeedAction::Score, &around)]);
    let entries: Vec<_> = all.iter().map(shown).collect();
    assert_eq!(
        entries,
        ["198.51.100.0/24 deny 1", "203.0.113.1/32 score 2"]
    );
    assert_eq!(all.memory(), 16);
}

#[test]
fn the_difference_is_what_is_to_be_written_and_taken_away() {
    let old = nets(&["198.51.100.1/32", "198.51.100.2/32", "2001:db8::/64"]);
    let new = nets(&["198.51.100.2/32", "198.51.100.3/32", "2001:db8::/64"]);
    let old = merged(&[(FeedAction::Ban, &old)]);
    let new = merged(&[
        (FeedAction::Deny, &nets(&["2001:db8::/64"])),
        (FeedAction::Ban, &new),
    ]);
    let added: Vec<_> = new.added(&old).map(shown).collect();
    assert_eq!(
        added,
        [
            "198.51.100.2/32 ban 2",
            "198.51.100.3/32 ban 2",
            "2001:db8::/64 deny 1"
        ]
    );
    let removed: Vec<_> = new.removed(&old).map(shown).collect();
    assert_eq!(removed, ["198.51.100.1/32 ban 1"]);
    assert_eq!(new.added(&new).count() + new.removed(&new).count(), 0);
}

#[test]
fn what_became_ours_is_noticed() {
    let all = merged(&[(
        FeedAction::Deny,
        &nets(&["198.51.100.0/24", "2001:db8::/48"]),
    )]);
    let ours = |text: &str| {
        let range = text.parse().unwrap();
        all.holds_ours(&Belongings::new([(range, super::super::Whose::Registered)]))
    };
    for text in [
        "198.51.100.7",
        "198.51.0.0/16",
        "2001:db8::5",
        "2001:db8::/32",
    ] {
        assert!(ours(text), "{text}");
    }
    for text in ["198.51.101.0", "198.51.99.255", "2001:db8:1::5"] {
        assert!(!ours(text), "{text}");
    }
}

type List = Vec<(u32, u8)>;

fn list() -> impl Strategy<Value = List> {
    // Few bits, so that entries meet.
    let address =
        (0..4_u32, 0..4_u32, 0..8_u32).prop_map(|(a, b, c)| 0x2d00_0000 | a << 20 | b << 8 | c);
    proptest::collection::vec((address, 8..=32_u8), 0..30)
}

fn of(list: &List) -> Nets {
    let net = |(bits, length): &(u32, u8)| {
        IpNet::new(IpAddr::V4(Ipv4Addr::from_bits(*bits)), *length).unwrap()
    };
    list.iter().map(net).collect()
}

proptest! {
    /// The longest match of the set is the strongest action of all lists.
    #[test]
    fn every_address_meets_the_strongest(lists in [list(), list(), list()], probes in list()) {
        let [deny, ban, score] = [of(&lists[0]), of(&lists[1]), of(&lists[2])];
        let all = merged(&[(FeedAction::Score, &score), (FeedAction::Deny, &deny), (FeedAction::Ban, &ban)]);
        for (bits, _) in probes.iter().chain(lists.iter().flatten()) {
            let address = IpAddr::V4(Ipv4Addr::from_bits(*bits));
            let expected = [(FeedAction::Deny, &deny), (FeedAction::Ban, &ban), (FeedAction::Score, &score)]
                .into_iter().find(|(_, nets)| nets.find(address).is_some()).map(|(action, _)| action);
            prop_assert_eq!(all.find(address).map(|entry| entry.action), expected, "{}", address);
        }
        for entry in all.iter() {
            let length = entry.range.prefix_len();
            prop_assert!(length <= 24 || length == 32, "{}", entry.range);
        }
    }

    /// A table that is kept by differences holds what it would hold if it were written anew.
    #[test]
    fn differences_lead_from_one_to_the_other(lists in [list(), list(), list(), list()]) {
        let old = merged(&[(FeedAction::Score, &of(&lists[0])), (FeedAction::Ban, &of(&lists[1]))]);
        let new = merged(&[(FeedAction::Ban, &of(&lists[2])), (FeedAction::Deny, &of(&lists[3]))]);
        let key = |entry: &FeedEntry| (entry.range, (entry.feed, entry.action));
        let mut table: BTreeMap<_, _> = old.iter().map(|entry| key(&entry)).collect();
        for gone in new.removed(&old) {
            prop_assert!(table.remove(&gone.range).is_some());
        }
        table.extend(new.added(&old).map(|entry| key(&entry)));
        prop_assert_eq!(table, new.iter().map(|entry| key(&entry)).collect::<BTreeMap<_, _>>());
    }
}
