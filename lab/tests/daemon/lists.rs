//! A reload that changes lists and policy at once gives no packet the one with the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ringfence_core::reason::{REASONS, Reason};
use ringfence_lab::{Lab, Ringfence, Wire, needs_root};

use crate::{COUNTRIES, frames, numbers};

const RELOADS: usize = 40;

/// Both drop the source: in one as a trunk with a scanner's mark, in the other by its country. As
/// a trunk without that mark it would pass.
const POLICIES: [&str; 2] = [
    r#"
[[trunk]]
name  = "provider"
hosts = ["203.0.113.9"]

[[signature]]
id     = "odd"
where  = "user-agent"
match  = "prefix"
value  = "odd-agent"
action = "drop"
"#,
    "",
];

fn write(fence: &Ringfence<'_>, which: usize) {
    let text = format!(
        "mode = \"enforce\"\ninterfaces = [\"eth1\"]\ncountries = [\"GB\"]\nban.enable = false\n{}{}\
         [[service]]\nname = \"sip\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n",
        ringfence_lab::without_signatures(),
        POLICIES[which]
    );
    fence.write("ringfence.toml", &text).unwrap();
}

#[test]
fn no_packet_meets_the_lists_of_one_policy_and_the_rules_of_another() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    fence
        .guard("mode = \"shadow\"\ninterfaces = [\"eth1\"]\n", COUNTRIES)
        .unwrap();
    write(&fence, 0);
    assert_eq!(fence.cli(&["reload"]).unwrap().code, 0);

    let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let text = frames::request("INVITE", "192.0.2.10", "1001", "odd-agent", 1);
    let packet = frames::udp(at("203.0.113.9:5060"), at("192.0.2.10:5060"), &text);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                wire.send(&packet).unwrap();
            }
        });
        for reload in 1..=RELOADS {
            write(&fence, reload % 2);
            let answer = fence.cli(&["reload"]);
            if !answer.is_ok_and(|answer| answer.code == 0) {
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    let counted = numbers(&fence, "COUNTERS");
    let of = |reason: Reason| {
        counted
            .get(&(REASONS + reason as usize))
            .into_iter()
            .flatten()
            .sum::<u64>()
    };
    println!("{counted:?}");
    assert!(of(Reason::Signature) > 0 && of(Reason::Country) > 0);
    assert_eq!(of(Reason::Trunk), 0, "neither policy lets it pass");
}
