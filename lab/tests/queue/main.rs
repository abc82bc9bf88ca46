//! Where nftables queues packets: what happens beside the judge. What the judge says is held to the other engines' in the
//! tests of those, which run for this engine too.

mod away;
mod table;
mod without_xdp;

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{Lab, Phone, Ringfence, Transport, without_signatures};

/// Not a measure: nothing that a test waits for takes so long.
const LIMIT: Duration = Duration::from_secs(40);

const PHONE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.127,GB
203.0.113.128,203.0.113.255,RU
";

/// A policy that admits Great Britain to SIP, and one address to SSH.
fn policy(more: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}\n{more}\n\
         [[service]]\nname = \"sip\"\nkind = \"sip\"\nports = [\"udp/5060\", \"tcp/5060\"]\nfrom = \"countries\"\n\
         [[service]]\nname = \"ssh\"\nkind = \"plain\"\nports = [\"tcp/22\"]\nfrom = \"anyone\"\n",
        without_signatures()
    )
}

/// A guarded laboratory.
fn guard<'lab>(lab: &'lab Lab, policy: &str) -> Ringfence<'lab> {
    let mut fence = Ringfence::prepare(lab).unwrap();
    start(&mut fence, policy, "nfqueue");
    fence
}

fn start(fence: &mut Ringfence<'_>, policy: &str, engine: &str) {
    let policy = fence.write("ringfence.toml", policy).unwrap();
    let countries = fence.write("countries.csv", COUNTRIES).unwrap();
    let started = fence.start(&[
        "--config",
        policy.to_str().unwrap(),
        "--country-db",
        countries.to_str().unwrap(),
        "--engine",
        engine,
    ]);
    if let Err(error) = started {
        panic!("{error}\n{}", fence.log().unwrap_or_default());
    }
}

fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.output());
    answer.stdout
}

/// What `nft` lists of our table; None where there is none.
fn listed(lab: &Lab) -> Option<String> {
    let mut command = lab.pbx.command("nft");
    let output = command
        .args(["list", "table", "inet", "ringfence"])
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

fn nft(lab: &Lab, words: &str) {
    let mut command = lab.pbx.command("nft");
    assert!(
        command.args(words.split(' ')).status().unwrap().success(),
        "{words}"
    );
}

/// A phone in the admitted country.
fn phone(user: u16, port: u16) -> Phone {
    Phone {
        user,
        address: IpAddr::V4(PHONE_V4),
        port,
        transport: Transport::Udp,
    }
}

/// An address in a country that is not admitted, of the phones' place.
fn abroad(lab: &Lab) -> IpAddr {
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200));
    lab.add_address(&lab.phone, address).unwrap();
    address
}

/// Whether a registration from this address is answered at all.
fn is_answered(lab: &Lab, user: u16, address: IpAddr, port: u16) -> bool {
    let phone = Phone {
        address,
        ..phone(user, port)
    };
    phone.register(lab, 1, 1).unwrap().successful == 1
}

fn until(fence: &Ringfence<'_>, what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        let told = || {
            let status = fence.cli(&["status"]).map(|answer| answer.output());
            format!(
                "{}\n{}",
                status.unwrap_or_default(),
                fence.log().unwrap_or_default()
            )
        };
        assert!(begun.elapsed() < LIMIT, "{what}: not so\n{}", told());
        thread::sleep(Duration::from_millis(100));
    }
}
