//! The ways through the judge that are measured.

use ringfence_core::reason::Reason;
use xtask::frames;

use super::programs::Sender;

/// One way.
pub struct Scenario {
    pub name: &'static str,
    pub policy: String,
    pub frame: Vec<u8>,
    pub sender: Sender,
    /// How many of the sender's addresses are banned, from the first on.
    pub banned: u32,
    /// The sender's addresses are those of phones that registered.
    pub registered: bool,
    /// What nearly all packets must meet.
    pub reason: Reason,
    /// Packets before the first round.
    pub warm_up: u32,
    /// ns less a bare drop.
    pub aim: Option<f64>,
}

pub const HOST: &str = "sip.example.com";
/// Phones that register: so many that none of them is over its rate.
pub const PHONES: Sender = Sender::Of {
    base: 0x5000_0001,
    step: 257,
    count: 4096,
};
/// What a scanner knows of its target.
const ADDRESS: &str = "192.0.2.10";

/// The policy's head, with lists of a usual size.
fn policy(bans: bool, service: &str) -> String {
    let denied: String = (0..20)
        .map(|n| format!("\"203.0.{}.0/24\", ", 2 * n))
        .collect();
    format!(
        "mode = \"enforce\"\ncountries = [\"VA\"]\npermit_private = false\n\
         permit = [\"46.0.0.0/16\", \"198.51.100.7\", \"2a01:db8:7::/48\"]\n\
         deny = [{denied}\"45.0.0.0/8\"]\n\
         [ban]\nenable = {bans}\n\
         [[service]]\nname = \"sip\"\nkind = \"sip\"\nports = [\"udp/5060\"]\n{service}\n"
    )
}

/// What strangers and phones may send is never spent.
pub fn open_policy() -> String {
    let open = "from = \"anyone\"\nbudget = \"1000000/s burst 1000000\"";
    let service = format!("{open}\n[trust]\nrequests = \"1000000/s\"\nfailures = \"1000/1s\"");
    policy(true, &service)
}

/// All of them, in the order of judgement.
pub fn all() -> Vec<Scenario> {
    let fenced = policy(true, "from = \"countries\"");
    // Random senders would end at the strangers' budget; this one is never spent.
    let open = "from = \"anyone\"\nbudget = \"1000000/s burst 1000000\"";
    let gate = policy(true, &format!("{open}\ndomains = [\"{HOST}\"]"));
    let register = frames::udp(false, 5060, &frames::register(HOST, 600));
    let base = Scenario {
        name: "",
        policy: fenced,
        frame: register.clone(),
        sender: Sender::AnyV4,
        banned: 0,
        registered: false,
        reason: Reason::Clean,
        warm_up: 100_000,
        aim: None,
    };
    let of = |base, step, count| Sender::Of { base, step, count };
    let with = |name, reason, aim: u32| Scenario {
        name,
        reason,
        aim: (aim != 0).then(|| f64::from(aim)),
        policy: base.policy.clone(),
        frame: base.frame.clone(),
        ..base
    };
    let gated = |name, reason, aim, text: Vec<u8>| Scenario {
        policy: gate.clone(),
        frame: frames::udp(false, 5060, &text),
        ..with(name, reason, aim)
    };
    let phone = |name, text: &[u8]| Scenario {
        policy: open_policy(),
        frame: frames::udp(false, 5060, text),
        sender: PHONES,
        registered: true,
        ..with(name, Reason::Registered, 0)
    };
    vec![
        phone("phone, in a dialogue, 600 bytes", &frames::info(HOST, 600)),
        phone("phone, REGISTER, 600 bytes", &frames::register(HOST, 600)),
        Scenario {
            sender: of(0x2d00_0000, 1, 1 << 24),
            ..with("denied prefix", Reason::Denied, 60)
        },
        Scenario {
            sender: of(0x2e00_0000, 1, 1 << 16),
            ..with("permitted source", Reason::Permitted, 40)
        },
        Scenario {
            frame: frames::udp(false, 53, &[7; 600]),
            ..with("unprotected port", Reason::Unprotected, 25)
        },
        Scenario {
            sender: of(0x5000_0000, 1021, 10_000),
            banned: 10_000,
            ..with("banned, 10,000 sources", Reason::Banned, 40)
        },
        Scenario {
            sender: of(0x5000_0000, 1021, 1 << 18),
            banned: 1 << 18,
            ..with("banned, 262,144 sources", Reason::Banned, 130)
        },
        with("country, random IPv4", Reason::Country, 40),
        Scenario {
            frame: frames::udp(true, 5060, &frames::register(HOST, 600)),
            sender: Sender::AnyV6,
            ..with("country, random IPv6", Reason::Country, 70)
        },
        Scenario {
            sender: of(0x5000_0000, 1021, 10_000),
            policy: policy(false, open),
            warm_up: 1_500_000,
            ..with("rate, REGISTER, 10,000 sources", Reason::Rate, 90)
        },
        Scenario {
            policy: policy(false, open),
            frame: frames::udp(false, 5060, &frames::scan(384)),
            ..with("signature, 384 bytes", Reason::Signature, 350)
        },
        gated(
            "domain drop, REGISTER, 600 bytes",
            Reason::Domain,
            500,
            frames::register(ADDRESS, 600),
        ),
        gated(
            "domain pass, REGISTER, 600 bytes",
            Reason::Clean,
            500,
            frames::register(HOST, 600),
        ),
        gated(
            "domain drop, INVITE, 1,100 bytes",
            Reason::Domain,
            750,
            frames::invite(ADDRESS, 1100),
        ),
        gated(
            "domain pass, INVITE, 1,100 bytes",
            Reason::Clean,
            750,
            frames::invite(HOST, 1100),
        ),
    ]
}
