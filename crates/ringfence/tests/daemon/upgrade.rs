//! A start that finds the pins of another layout.

use std::fs;

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuValues};
use aya::programs::{SchedClassifier, TcAttachType};
use ringfence::engine::xdp::{Fate, Fence};
use ringfence::engine::{Engine as _, Lists, boot_time};
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Cause};
use ringfence_core::control::LAYOUT;
use ringfence_core::country::CountryTable;
use ringfence_core::policy::Policy;
use zerocopy::FromZeros;

use crate::place::{Daemon, Place, privileged};

const BANNED: Address = Address::v4([192, 0, 2, 7]);
/// A counter of the first service, and what it holds.
const COUNTED: (u32, u64) = (5, 1234);

fn ban(seconds: u64) -> Ban {
    Ban {
        until: boot_time().unwrap() + seconds * 1_000_000_000,
        cause: Cause::Rate as u8,
        proved: 0,
        signature: 0,
        renews: 0,
    }
}

fn fill(fence: &mut Fence) {
    let policy = Policy::new_box_zeroed().unwrap();
    let countries = CountryTable::new_box_zeroed().unwrap();
    fence.put(&policy, Some(&countries), Lists::new()).unwrap();
}

fn attach(fence: &mut Fence) {
    let index = nix::net::if_::if_nametoindex("sip.0").unwrap();
    fence.attach("sip.0", index).unwrap();
    fence.attach_egress("sip.0", index).unwrap();
}

/// The numbers of the programs that judge what comes in and see what is sent: one each. Linux before 6.6 tells none of
/// the second.
fn programs(place: &Place) -> (u32, Option<u32>) {
    let sent = SchedClassifier::query_tcx("sip.0", TcAttachType::Egress).ok();
    let sent = sent.map(|(_, sent)| {
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].id()
    });
    (place.program().unwrap(), sent)
}

fn assert_others(place: &Place, before: (u32, Option<u32>)) {
    let now = programs(place);
    let sent = now.1.is_none_or(|sent| Some(sent) != before.1);
    assert!(now.0 != before.0 && sent, "{before:?}, then {now:?}");
}

/// A fence that stands, with a ban and a counter, and no daemon.
fn stand(place: &Place) {
    let mut fence = Fence::load(place.path(), 0, false).unwrap();
    fill(&mut fence);
    fence.ban(BANNED, &ban(600)).unwrap();
    attach(&mut fence);
    let counters = MapData::from_pin(place.layout(LAYOUT).join("COUNTERS")).unwrap();
    let mut counters = PerCpuArray::<_, u64>::try_from(Map::PerCpuArray(counters)).unwrap();
    let cpus = aya::util::nr_cpus().unwrap();
    let mut values = vec![0; cpus];
    values[0] = COUNTED.1;
    let values = PerCpuValues::try_from(values).unwrap();
    counters.set(COUNTED.0, values, 0).unwrap();
}

fn assert_moved(place: &Place, fence: &mut Fence, before: (u32, Option<u32>)) {
    assert_others(place, before);
    let bans = fence.scan_bans(boot_time().unwrap()).unwrap();
    assert_eq!(bans.len(), 1);
    assert_eq!(bans[0].0, BANNED);
    let counts = fence.counts().unwrap();
    assert_eq!(counts.as_flattened()[COUNTED.0 as usize], COUNTED.1);
    let pinned = |pin| place.layout(LAYOUT).join(pin).exists();
    assert!(pinned("link-sip%2e0"));
    assert_eq!(pinned("out-sip%2e0"), before.1.is_some());
    assert!(!place.layout(0).exists());
}

#[test]
fn a_crash_at_any_point_leaves_a_program_and_the_next_start_completes_it() {
    fn rename(place: &Place, pin: &str) {
        let link = |layout| place.layout(layout).join(pin);
        if link(0).exists() {
            fs::rename(link(0), link(LAYOUT)).unwrap();
        }
    }
    const STEPS: [fn(&Place, &mut Fence); 7] = [
        |_, _| {},
        |_, fence| assert!(!fence.inherit().unwrap().is_empty()),
        |_, fence| fill(fence),
        |place, _| rename(place, "link-sip%2e0"),
        |place, _| rename(place, "out-sip%2e0"),
        |_, fence| attach(fence),
        |place, _| fs::remove_file(place.layout(0).join("BANS")).unwrap(),
    ];
    for crash in 0..STEPS.len() {
        privileged(|place| {
            stand(place);
            place.age(0);
            let before = programs(place);
            let mut fence = Fence::load(place.path(), 0, false).unwrap();
            for step in &STEPS[..=crash] {
                step(place, &mut fence);
                programs(place);
            }
            drop(fence);
            programs(place);
            let mut fence = Fence::load(place.path(), 0, false).unwrap();
            fence.inherit().unwrap();
            fill(&mut fence);
            attach(&mut fence);
            fence.leave_others().unwrap();
            assert_moved(place, &mut fence, before);
        });
    }
}

#[test]
fn bans_of_the_last_moment_come_along() {
    privileged(|place| {
        stand(place);
        place.age(0);
        let before = programs(place);
        let mut fence = Fence::load(place.path(), 0, false).unwrap();
        fence.inherit().unwrap();
        fill(&mut fence);
        let bans = MapData::from_pin(place.layout(0).join("BANS")).unwrap();
        let mut bans = HashMap::<_, [u8; 16], [u8; 16]>::try_from(Map::HashMap(bans)).unwrap();
        let longer = ban(3600);
        let value: [u8; 16] = zerocopy::transmute!(longer);
        bans.insert(BANNED.octets(), value, 0).unwrap();
        attach(&mut fence);
        fence.leave_others().unwrap();
        assert_moved(place, &mut fence, before);
        let bans = fence.scan_bans(boot_time().unwrap()).unwrap();
        assert_eq!(bans[0].1, longer);
    });
}

#[test]
fn what_is_not_known_is_told_and_left() {
    privileged(|place| {
        stand(place);
        place.age(LAYOUT + 8);
        let old = place.layout(0);
        fs::create_dir(&old).unwrap();
        for name in ["BANS", "TRUST", "RATES"] {
            let map = Array::<MapData, u64>::create(1, 0).unwrap();
            map.pin(old.join(name)).unwrap();
        }
        fs::create_dir(place.path().join("ringfence/other")).unwrap();
        let mut fence = Fence::load(place.path(), 0, false).unwrap();
        let told = fence.inherit().unwrap();
        let fate = |layout: u32, map: &str| {
            let mut told = told.iter().filter(|t| t.layout == layout && t.map == map);
            told.next().map(|told| told.fate)
        };
        assert_eq!(fate(0, "BANS"), Some(Fate::OtherShape));
        assert_eq!(fate(0, "TRUST"), Some(Fate::Unknown));
        assert_eq!(fate(0, "RATES"), None);
        // A newer layout may mean something else by the same sizes.
        assert_eq!(fate(LAYOUT + 8, "BANS"), Some(Fate::OtherShape));
        let text = told[0].to_string();
        assert!(text.ends_with("the bans of the store hold"), "{text}");
        fill(&mut fence);
        attach(&mut fence);
        fence.leave_others().unwrap();
        assert!(place.program().is_some());
        assert!(!old.exists() && !place.layout(LAYOUT + 8).exists());
        assert!(place.path().join("ringfence/other").exists());
        assert_eq!(fence.scan_bans(0).unwrap(), []);
    });
}

#[test]
fn the_daemon_upgrades_a_standing_fence() {
    privileged(|place| {
        let daemon = Daemon::start(place, "old", "", &[]);
        daemon.done(&["ban", "192.0.2.7"]);
        drop(daemon);
        let before = programs(place);
        place.age(0);
        // With another state directory the ban can come from the old maps alone.
        let daemon = Daemon::start(place, "new", "", &[]);
        let bans = daemon.done(&["bans"]);
        assert!(bans.starts_with("192.0.2.7 manual until"), "{bans}");
        assert_others(place, before);
        assert!(!place.layout(0).exists());
        let log = daemon.kill();
        assert!(log.contains("BANS of layout v0: 1 copied"), "{log}");
    });
}
