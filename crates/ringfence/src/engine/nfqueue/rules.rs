//! The table `inet ringfence`: which packets are queued, and what holds while nobody judges them.
//!
//! A packet that was judged carries a mark from the chain that queues it to the one behind, which takes it off again: what
//! comes there without one was not judged, since nobody holds the queue or it is full. Only there do the sets of bans
//! speak: while the judge is there, it knows better.

use ipnet::IpNet;
use ringfence_core::address::Address;
use ringfence_core::bench::list_flags;
use ringfence_core::policy::{Policy, ServiceKind, policy_flags};
use serde_json::{Value, json};

use super::sets::Subjects;
use crate::engine::Lists;
use crate::tables::ip;

/// The table's name, of the family `inet`.
pub const TABLE: &str = "ringfence";
/// The bit of a packet's mark between the two chains.
pub const JUDGED: u32 = 0x8000_0000;
/// Where packets are queued: behind conntrack (-200), which puts fragments together, and before any translation of
/// addresses (-100).
const QUEUED_AT: i32 = -150;
const BEHIND: i32 = QUEUED_AT + 1;
/// What one source may send to the services in a second, and at once, before the kernel itself drops it: far above what
/// the judge lets through.
const FLOOD: u32 = 1000;
const BURST: u32 = 2000;
/// Sources that are counted for it at a time.
const COUNTED: u32 = 65_536;

/// The chain that queues packets, or lets them pass where nobody holds the queue.
pub const QUEUE: &str = "queue_or_pass";
/// The chain that queues packets, or drops them where nobody holds the queue.
pub const HOLD: &str = "queue_or_drop";

/// The counters of the table.
pub const COUNTERS: [&str; 4] = ["flood", "denied", "banned", "unjudged"];

/// What the table follows from.
pub struct Rules<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What addresses are listed as.
    pub lists: &'a Lists,
    /// The guarded interfaces.
    pub interfaces: &'a [String],
    /// The first queue and the last.
    pub queues: (u16, u16),
    /// Whether packets to services of telephony are dropped while nobody judges them.
    pub closed: bool,
    /// Whether the kernel has the expression `queue`; else the chains of queues are filled otherwise.
    pub native: bool,
}

impl Rules<'_> {
    /// Batches of nft that make the table, or change the one that stands: who is banned and known stays. The second
    /// replaces one of another shape.
    pub fn batches(&self) -> [Vec<Value>; 2] {
        let head = json!({ "family": "inet", "name": TABLE });
        let mut batch = vec![json!({ "add": { "table": head } })];
        batch.extend(COUNTERS.map(|name| object("counter", name, json!({}))));
        for name in [QUEUE, HOLD] {
            batch.push(object("chain", name, json!({})));
        }
        for (name, hook, priority) in [
            ("arrive", "prerouting", QUEUED_AT),
            ("leave", "postrouting", QUEUED_AT),
            ("unjudged", "prerouting", BEHIND),
        ] {
            let chain =
                json!({ "type": "filter", "hook": hook, "prio": priority, "policy": "accept" });
            batch.push(object("chain", name, chain));
            // Its rules first: a set that one of them names cannot be replaced.
            let place = json!({ "family": "inet", "table": TABLE, "name": name });
            batch.push(json!({ "flush": { "chain": place } }));
        }
        batch.extend(self.sets());
        let mut rules = vec![
            ("arrive", self.arrive()),
            ("leave", self.leave()),
            ("unjudged", self.unjudged()),
        ];
        if self.native {
            for name in [QUEUE, HOLD] {
                let place = json!({ "family": "inet", "table": TABLE, "name": name });
                batch.push(json!({ "flush": { "chain": place } }));
            }
            rules.push((QUEUE, vec![self.queue(true)]));
            rules.push((HOLD, vec![self.queue(false)]));
        }
        for (chain, rules) in rules {
            batch.extend(rules.into_iter().map(|expression| {
                json!({ "add": { "rule": {
                    "family": "inet", "table": TABLE, "chain": chain, "expr": expression,
                } } })
            }));
        }
        let mut anew = vec![
            json!({ "add": { "table": head } }),
            json!({ "delete": { "table": head } }),
        ];
        anew.extend(batch.iter().cloned());
        [batch, anew]
    }

    fn sets(&self) -> Vec<Value> {
        let mut sets = Vec::new();
        // Flushed, nft would still hold the new elements against the old ones.
        let mut fill = |name: &str, mut set: Value, elements: Vec<Value>| {
            let place = json!({ "family": "inet", "table": TABLE, "name": name });
            sets.push(object("set", name, set.clone()));
            sets.push(json!({ "delete": { "set": place } }));
            // It refuses an empty list.
            if !elements.is_empty() {
                set["elem"] = elements.into();
            }
            sets.push(object("set", name, set));
        };
        let names = self.interfaces.iter().map(|name| json!(name)).collect();
        fill("guarded", json!({ "type": "ifname" }), names);
        let calls = |kind: ServiceKind| kind.carries_calls();
        let all = |_: ServiceKind| true;
        let plain = |kind: ServiceKind| !kind.carries_calls();
        for (name, ports) in [
            ("udp", self.ports(&self.policy.udp, all)),
            ("tcp", self.ports(&self.policy.tcp, all)),
            ("udp_calls", self.ports(&self.policy.udp, calls)),
            ("tcp_calls", self.ports(&self.policy.tcp, calls)),
            ("tcp_plain", self.ports(&self.policy.tcp, plain)),
        ] {
            let set = json!({ "type": "inet_service", "flags": ["interval"] });
            fill(name, set, ports);
        }
        let listed = [
            ("denied", list_flags::DENIED, 0),
            ("unlimited", UNLIMITED, list_flags::DENIED),
            ("protected", list_flags::PROTECTED, 0),
        ];
        for (name, with, without) in listed {
            let mut nets = Vec::new();
            for ((address, length), listed) in self.lists {
                let near = with == UNLIMITED && listed.neighbours != 0;
                if (listed.flags & with != 0 || near) && listed.flags & without == 0 {
                    nets.extend(net(*address, *length));
                }
            }
            // Sets of intervals take none that lies in another.
            let (v4, v6): (Vec<_>, Vec<_>) = IpNet::aggregate(&nets)
                .into_iter()
                .partition(|net| net.addr().is_ipv4());
            for (version, kind, nets) in [(4, "ipv4_addr", v4), (6, "ipv6_addr", v6)] {
                let elements = nets.iter().map(|net| {
                    json!({ "prefix": { "addr": net.network().to_string(), "len": net.prefix_len() } })
                });
                let set = json!({ "type": kind, "flags": ["interval"] });
                fill(&format!("{name}{version}"), set, elements.collect());
            }
        }
        for subjects in Subjects::ALL {
            let set =
                json!({ "type": subjects.kind(), "flags": ["timeout"], "size": subjects.room() });
            sets.push(object("set", subjects.name(), set));
        }
        sets
    }

    /// The ports of services of some kinds, as ranges.
    fn ports(&self, services: &[u8; 65536], of: impl Fn(ServiceKind) -> bool) -> Vec<Value> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for (port, number) in (0..=u16::MAX).zip(services) {
            if *number == 0 || !of(self.policy.service(*number).kind()) {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if port.checked_sub(1) == Some(*last) => *last = port,
                _ => ranges.push((port, port)),
            }
        }
        let value = |(first, last): (u16, u16)| match first == last {
            true => json!(first),
            false => json!({ "range": [first, last] }),
        };
        ranges.into_iter().map(value).collect()
    }

    /// Whether drops are real, and not on trial: whoever goes while one runs leaves the fence open.
    fn enforced(&self) -> bool {
        self.policy.mode == 1 && self.policy.enforce_until == 0
    }

    fn arrive(&self) -> Vec<Value> {
        let mut rules = vec![json!([is_not(meta("iifname"), "@guarded"), back()])];
        if self.policy.flags & policy_flags::PROTECT != 0 {
            rules.push(json!([is_not(of_ip("ip", "daddr"), "@protected4"), back()]));
            rules.push(json!([
                is_not(of_ip("ip6", "daddr"), "@protected6"),
                back()
            ]));
        }
        rules.push(json!([
            is(port("tcp", "dport"), "@tcp_plain"),
            { "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": ["established", "related"] } },
            back(),
        ]));
        if self.enforced() {
            for (protocol, version) in [("ip", 4), ("ip6", 6)] {
                for transport in ["udp", "tcp"] {
                    let source = of_ip(protocol, "saddr");
                    let meter = json!({ "meter": {
                        "name": format!("flood_{transport}{version}"), "size": COUNTED,
                        "key": { "elem": { "val": source, "timeout": 10 } },
                        "stmt": { "limit": { "rate": FLOOD, "per": "second", "burst": BURST, "inv": true } },
                    } });
                    rules.push(json!([
                        is(port(transport, "dport"), &format!("@{transport}_calls")),
                        is_not(source.clone(), &format!("@unlimited{version}")),
                        is_not(source, &format!("@known{version}")),
                        meter,
                        { "counter": "flood" },
                        { "drop": null },
                    ]));
                }
            }
        }
        if self.closed {
            for (protocol, version) in [("ip", 4), ("ip6", 6)] {
                let permitted = is(of_ip(protocol, "saddr"), &format!("@unlimited{version}"));
                for transport in ["udp", "tcp"] {
                    let ports = is(port(transport, "dport"), &format!("@{transport}"));
                    rules.push(json!([permitted, ports, to(QUEUE)]));
                }
            }
            for transport in ["udp", "tcp"] {
                let calls = is(port(transport, "dport"), &format!("@{transport}_calls"));
                rules.push(json!([calls, to(HOLD)]));
            }
        }
        for transport in ["udp", "tcp"] {
            let ports = is(port(transport, "dport"), &format!("@{transport}"));
            rules.push(json!([ports, to(QUEUE)]));
        }
        rules
    }

    fn leave(&self) -> Vec<Value> {
        let mut rules = vec![json!([is_not(meta("oifname"), "@guarded"), back()])];
        for transport in ["udp", "tcp"] {
            for field in ["sport", "dport"] {
                let calls = is(port(transport, field), &format!("@{transport}_calls"));
                rules.push(json!([calls, to(QUEUE)]));
            }
        }
        rules
    }

    fn unjudged(&self) -> Vec<Value> {
        let judged = json!({ "&": [meta("mark"), JUDGED] });
        let unmarked = json!({ "&": [meta("mark"), !JUDGED] });
        let mut rules = vec![
            json!([is_not(meta("iifname"), "@guarded"), back()]),
            json!([
                { "match": { "op": "!=", "left": judged, "right": 0 } },
                { "mangle": { "key": meta("mark"), "value": unmarked } },
                back(),
            ]),
        ];
        if self.enforced() {
            for (protocol, version) in [("ip", 4), ("ip6", 6)] {
                let source = of_ip(protocol, "saddr");
                let set = |name: &str| format!("@{name}{version}");
                rules.push(json!([is(source.clone(), &set("denied")), { "counter": "denied" }, { "drop": null }]));
                rules.push(json!([is(source, &set("unlimited")), back()]));
            }
            for subjects in Subjects::ALL.into_iter().filter(|it| it.are_banned()) {
                for transport in ["udp", "tcp"] {
                    rules.push(json!([
                        is(port(transport, "dport"), &format!("@{transport}_calls")),
                        is(subjects.source(), &format!("@{}", subjects.name())),
                        { "counter": "banned" },
                        { "drop": null },
                    ]));
                }
            }
        }
        for transport in ["udp", "tcp"] {
            let calls = is(port(transport, "dport"), &format!("@{transport}_calls"));
            rules.push(json!([calls, { "counter": "unjudged" }]));
        }
        rules
    }

    /// A rule that queues.
    fn queue(&self, bypass: bool) -> Value {
        let (first, last) = self.queues;
        let numbers = match first == last {
            true => json!(first),
            false => json!({ "range": [first, last] }),
        };
        match bypass {
            true => json!([{ "queue": { "num": numbers, "flags": ["bypass"] } }]),
            false => json!([{ "queue": { "num": numbers } }]),
        }
    }
}

/// Who is never limited.
const UNLIMITED: u32 = list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY;

/// Leaves the chain.
fn back() -> Value {
    json!({ "return": null })
}

/// Adds an object of the table.
pub fn object(kind: &str, name: &str, mut what: Value) -> Value {
    what["family"] = "inet".into();
    what["table"] = TABLE.into();
    what["name"] = name.into();
    json!({ "add": { kind: what } })
}

/// A listed prefix.
fn net(address: Address, length: u8) -> Option<IpNet> {
    let length = match address.is_v4() && length >= 96 {
        true => length - 96,
        false => length,
    };
    IpNet::new(ip(address), length).ok()
}

fn is(left: Value, right: &str) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

fn is_not(left: Value, right: &str) -> Value {
    json!({ "match": { "op": "!=", "left": left, "right": right } })
}

fn to(chain: &str) -> Value {
    json!({ "goto": { "target": chain } })
}

fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

/// A field of the IP header, `ip` or `ip6`.
pub fn of_ip(protocol: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": field } })
}

fn port(transport: &str, field: &str) -> Value {
    json!({ "payload": { "protocol": transport, "field": field } })
}
