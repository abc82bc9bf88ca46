//! Country data that is fetched: while the whole table is exchanged at full speed, each packet is judged by the old data or
//! by the new.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_core::reason::{REASONS, Reason};
use ringfence_lab::provider::{Page, Provider};
use ringfence_lab::{Lab, Ringfence, Wire, needs_root, without_signatures};

use crate::{frames, numbers};

const UPDATES: usize = 12;
/// Not a measure: more means that something hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// Nets of many countries: of 11.0.0.0/8 all in Britain or Ireland, which are admitted, and of 12.0.0.0/8 all in France or
/// Germany, which are not; which of the two is the other way round in the other data.
fn data(which: usize) -> String {
    let mut text = String::new();
    for (first, codes) in [(11u32, ["GB", "IE"]), (12, ["FR", "DE"])] {
        for net in 0..4096u32 {
            let begin = first << 24 | net << 12;
            let end = begin | 0xfff;
            let code = codes[(net as usize + which) % 2];
            let (begin, end) = (Ipv4Addr::from(begin), Ipv4Addr::from(end));
            writeln!(text, "{begin},{end},{code}").unwrap();
        }
    }
    text.push_str("2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,GB\n");
    text
}

#[test]
fn no_verdict_is_wrong_while_the_country_data_is_exchanged() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let provider = lab.pbx.inside(|| Provider::start().unwrap()).unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let text = format!(
        "mode = \"enforce\"\ninterfaces = [\"eth1\"]\npermit_private = false\ncountries = [\"GB\", \"IE\"]\n{}\
         [country]\nurl = \"{}\"\nupdate = \"never\"\n\
         [[service]]\nname = \"one\"\nkind = \"plain\"\nports = [\"udp/7000\"]\nfrom = \"countries\"\n",
        without_signatures(),
        provider.url("/country.csv")
    );
    let path = fence.write("ringfence.toml", &text).unwrap();
    fence.start(&["--config", &path.to_string_lossy()]).unwrap();
    let update = |which: usize| {
        provider.put("/country.csv", Page::new(data(which)));
        let (config, state) = (path.to_string_lossy(), fence.state());
        let state = state.to_string_lossy();
        let of_this = ["--config", &config, "--state", &state];
        let update = ["country", "update", "--force", "-v"];
        fence.cli(&[&of_this[..], &update[..]].concat()).unwrap()
    };
    let first = update(0);
    assert_eq!(first.code, 0, "{}", first.output());

    // Half of them are admitted by either data, and half by neither.
    let packets: Vec<Vec<u8>> = (0..512u32)
        .map(|n| {
            let from = Ipv4Addr::from((11 + n % 2) << 24 | n.wrapping_mul(0x9e37_79b1) >> 8);
            let to = SocketAddr::new([192, 0, 2, 10].into(), 7000);
            frames::udp(SocketAddr::new(from.into(), 4000), to, b"x")
        })
        .collect();
    let counted = |reason: Reason| -> u64 {
        let all = numbers(&fence, "COUNTERS").into_iter();
        let of = all.filter(|(index, _)| index % REASONS == reason as usize);
        of.flat_map(|(_, each)| each).sum()
    };
    let before = (
        counted(Reason::Clean),
        counted(Reason::Country),
        wire.received().unwrap(),
    );
    let (ended, begun) = (AtomicBool::new(false), Instant::now());
    let (sent, took) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let begun = Instant::now();
            let mut sent = 0u64;
            while !ended.load(Ordering::Relaxed) {
                for packet in &packets {
                    wire.send(packet).unwrap();
                    sent += 1;
                }
            }
            (sent, begun.elapsed())
        });
        let mut failed = None;
        for which in 1..=UPDATES {
            let answer = update(which % 2);
            let other = !answer.output().contains("no newer");
            if answer.code != 0 || !other || begun.elapsed() > LIMIT {
                failed = Some(answer);
                break;
            }
        }
        ended.store(true, Ordering::Relaxed);
        assert!(failed.is_none(), "{failed:?}\n{}", fence.log().unwrap());
        sender.join().unwrap()
    });
    while wire.received().unwrap() - before.2 < sent && begun.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(20));
    }
    println!(
        "{sent} packets, {:.0} a second, {UPDATES} updates",
        sent as f64 / took.as_secs_f64()
    );
    assert_eq!(counted(Reason::Clean) - before.0, sent / 2);
    assert_eq!(counted(Reason::Country) - before.1, sent / 2);
}
