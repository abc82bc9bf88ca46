//! While packets flow at full speed, reloads from one policy to its contrary give each packet the
//! verdict of one of the two, and never a mixture of both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_core::reason::{REASONS, Reason};
use ringfence_lab::{Lab, Ringfence, Wire, needs_root, without_signatures};

use crate::{frames, numbers};

const RELOADS: usize = 60;
/// Not a measure: more means that something hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// In one policy's country data the first net is British and the second Russian; in the other's
/// it is the other way round.
const DATA: [&str; 2] = [
    "198.51.100.0,198.51.100.255,GB\n203.0.113.0,203.0.113.255,RU\n",
    "198.51.100.0,198.51.100.255,RU\n203.0.113.0,203.0.113.255,GB\n",
];

/// Ports 7000 and 7001 are the services 1 and 3 in one policy, 2 and 4 in the other; port 7002 is
/// the service 5 in both, and whom it would admit is on a list in both.
const POLICIES: [&str; 2] = [
    r#"
countries = ["GB"]
deny      = ["203.0.113.9", "203.0.113.128/25"]
service   = [
    { name = "first",  kind = "plain", ports = ["udp/7000"], from = "countries" },
    { name = "unused", kind = "plain", ports = ["udp/7009"], from = "countries" },
    { name = "second", kind = "plain", ports = ["udp/7001"], from = "countries", countries = ["RU"] },
    { name = "hidden", kind = "plain", ports = ["udp/7008"], from = "permitted" },
    { name = "lists",  kind = "plain", ports = ["udp/7002"], from = "anyone" },
]
"#,
    r#"
countries = ["RU"]
permit    = ["203.0.113.9", "203.0.113.192/26"]
service   = [
    { name = "unused", kind = "plain", ports = ["udp/7009"], from = "countries" },
    { name = "first",  kind = "plain", ports = ["udp/7000"], from = "countries" },
    { name = "hidden", kind = "plain", ports = ["udp/7008"], from = "permitted" },
    { name = "second", kind = "plain", ports = ["udp/7001"], from = "countries" },
    { name = "lists",  kind = "plain", ports = ["udp/7002"], from = "anyone" },
]
"#,
];

/// The services and reasons that the packets meet in one policy or the other. An old service
/// table with new countries, or new country data with old countries, would give others, as would
/// a moment in which a source is on neither list.
const EXPECTED: [(usize, Reason); 6] = [
    (1, Reason::Clean),
    (2, Reason::Clean),
    (3, Reason::Clean),
    (4, Reason::Country),
    (0, Reason::Denied),
    (0, Reason::Permitted),
];

fn packets() -> Vec<Vec<u8>> {
    let packet = |from: &str, port: u16| {
        let from: SocketAddr = from.parse().unwrap();
        frames::udp(from, SocketAddr::new([192, 0, 2, 10].into(), port), b"x")
    };
    vec![
        packet("198.51.100.20:4000", 7000),
        packet("203.0.113.77:4000", 7001),
        packet("203.0.113.9:4000", 7002),
        packet("203.0.113.200:4000", 7002),
    ]
}

/// Puts a policy where the daemon finds it.
fn write(fence: &Ringfence<'_>, which: usize) -> String {
    let data = fence
        .write(&format!("countries-{which}.csv"), DATA[which])
        .unwrap();
    let text = format!(
        "mode = \"enforce\"\ninterfaces = [\"eth1\"]\npermit_private = false\n\
         {}{}[country]\nfile = {data:?}\n",
        without_signatures(),
        POLICIES[which]
    );
    let path = fence.write("ringfence.toml", &text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Packets by service and reason.
fn counted(fence: &Ringfence<'_>) -> BTreeMap<(usize, Reason), u64> {
    let cells = numbers(fence, "COUNTERS").into_iter();
    cells
        .map(|(index, each)| {
            let reason = Reason::from_number(u8::try_from(index % REASONS).unwrap());
            ((index / REASONS, reason.unwrap()), each.iter().sum())
        })
        .collect()
}

#[test]
fn no_packet_meets_a_mixture_of_two_policies() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let path = write(&fence, 0);
    fence.start(&["--config", &path]).unwrap();
    let begun = Instant::now();
    let before = wire.received().unwrap();

    let (packets, ended) = (packets(), AtomicBool::new(false));
    let sent: u64 = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !ended.load(Ordering::Relaxed) {
                for packet in &packets {
                    wire.send(packet).unwrap();
                    sent += 1;
                }
            }
            sent
        });
        let mut failed = None;
        for reload in 1..=RELOADS {
            write(&fence, reload % 2);
            let answer = fence.cli(&["reload"]).unwrap();
            if answer.code != 0 || begun.elapsed() > LIMIT {
                failed = Some((reload, answer));
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
        assert!(failed.is_none(), "{failed:?}\n{}", fence.log().unwrap());
        sender.join().unwrap()
    });
    while wire.received().unwrap() - before < sent && begun.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(20));
    }

    let counted = counted(&fence);
    println!("{sent} packets, {RELOADS} reloads: {counted:?}");
    for cell in EXPECTED {
        assert!(counted.contains_key(&cell), "{cell:?} of {counted:?}");
    }
    for (cell, count) in &counted {
        assert!(EXPECTED.contains(cell), "{count} packets met {cell:?}");
    }
    assert_eq!(counted.values().sum::<u64>(), sent);
}
