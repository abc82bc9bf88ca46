//! The rules as nft text, for people.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::model::{
    Action, AddressSet, Addresses, Chain, End, Family, Hook, LiveSet, Match, Range, Rule, Ruleset,
    SNAPLEN, TABLE, UP,
};
use crate::config::Protocol;

/// Elements of a set on one line.
const ON_A_LINE: usize = 4;

impl Ruleset {
    /// The rules as `nft -f` reads them: they take the place of those that our table has. With `brief` the elements of
    /// the sets of countries are left out, and counted.
    pub fn text(&self, brief: bool) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = self.write(&mut out, brief);
        out
    }

    fn write(&self, out: &mut String, brief: bool) -> fmt::Result {
        writeln!(out, "table inet {TABLE}\ndelete table inet {TABLE}\n")?;
        writeln!(out, "table inet {TABLE} {{")?;
        for name in &self.counters {
            writeln!(out, "\tcounter {name} {{ }}")?;
        }
        for family in Family::ALL {
            out.push('\n');
            write_up(out, self, family)?;
        }
        for set in &self.sets {
            out.push('\n');
            write_set(out, set, brief)?;
        }
        for set in &self.live {
            out.push('\n');
            write_live(out, set)?;
        }
        for chain in &self.chains {
            out.push('\n');
            write_chain(out, chain)?;
        }
        writeln!(out, "}}")
    }
}

fn write_set(out: &mut String, set: &AddressSet, brief: bool) -> fmt::Result {
    let kind = match set.family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    writeln!(out, "\t# {}", set.comment)?;
    writeln!(
        out,
        "\tset {} {{\n\t\ttype {kind}\n\t\tflags interval",
        set.name
    )?;
    if brief && set.countries {
        writeln!(out, "\t\t# {} ranges, left out here", set.ranges.len())?;
    } else if !set.ranges.is_empty() {
        writeln!(out, "\t\telements = {{")?;
        for some in set.ranges.chunks(ON_A_LINE) {
            let some: Vec<_> = some.iter().map(element).collect();
            writeln!(out, "\t\t\t{},", some.join(", "))?;
        }
        writeln!(out, "\t\t}}")?;
    }
    writeln!(out, "\t}}")
}

fn write_live(out: &mut String, set: &LiveSet) -> fmt::Result {
    let kind = match set.family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    let port = if set.ports { " . inet_service" } else { "" };
    writeln!(out, "\t# {}", set.comment)?;
    writeln!(
        out,
        "\tset {}{} {{\n\t\ttype {kind}{port}\n\t\tsize {}\n\t\tflags timeout\n\t}}",
        set.name,
        set.family.number(),
        set.room
    )
}

fn write_up(out: &mut String, rules: &Ruleset, family: Family) -> fmt::Result {
    let kind = match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    writeln!(
        out,
        "\t# TCP sessions that are up: source and port, destination and port"
    )?;
    writeln!(out, "\tset {UP}{} {{", family.number())?;
    writeln!(
        out,
        "\t\ttype {kind} . inet_service . {kind} . inet_service"
    )?;
    let mut of = rules
        .sessions
        .iter()
        .filter(|(from, _)| Family::of(from.ip()) == family)
        .peekable();
    if of.peek().is_some() {
        writeln!(out, "\t\telements = {{")?;
        for (from, to) in of {
            let ((source, sport), (destination, dport)) =
                ((from.ip(), from.port()), (to.ip(), to.port()));
            writeln!(out, "\t\t\t{source} . {sport} . {destination} . {dport},")?;
        }
        writeln!(out, "\t\t}}")?;
    }
    writeln!(out, "\t}}")
}

fn write_chain(out: &mut String, chain: &Chain) -> fmt::Result {
    writeln!(out, "\tchain {} {{", chain.name)?;
    if let Some(base) = chain.base {
        let hook = match base.hook {
            Hook::Input => "input",
            Hook::Forward => "forward",
        };
        let policy = if base.drop { "drop" } else { "accept" };
        writeln!(
            out,
            "\t\ttype filter hook {hook} priority 0; policy {policy};"
        )?;
    }
    for rule in &chain.rules {
        writeln!(out, "\t\t{}", line(rule))?;
    }
    writeln!(out, "\t}}")
}

fn line(rule: &Rule) -> String {
    let mut words: Vec<String> = rule.matches.iter().map(matching).collect();
    words.extend(
        rule.counter
            .iter()
            .map(|name| format!("counter name \"{name}\"")),
    );
    words.push(match &rule.action {
        Action::Accept => "accept".into(),
        Action::Drop => "drop".into(),
        Action::Reject => "reject with icmpx admin-prohibited".into(),
        Action::Jump(chain) => format!("jump {chain}"),
        Action::Goto(chain) => format!("goto {chain}"),
        Action::Copy(group) => format!("log group {group} snaplen {SNAPLEN} queue-threshold 1"),
    });
    format!("{} comment \"{}\"", words.join(" "), rule.comment)
}

fn matching(one: &Match) -> String {
    match one {
        Match::Family(Family::V4) => "meta nfproto ipv4".into(),
        Match::Family(Family::V6) => "meta nfproto ipv6".into(),
        Match::Up(family) => {
            let ip = match family {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            let set = format!("@{UP}{}", family.number());
            format!("{ip} saddr . tcp sport . {ip} daddr . tcp dport {set}")
        }
        Match::Stream(name, family) => {
            let ip = match family {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            format!("{ip} saddr . udp sport @{name}{}", family.number())
        }
        Match::Longer(bytes) => format!("meta length {}-65535", u32::from(*bytes) + 1),
        Match::Interface(name) => format!("iifname \"{name}\""),
        Match::State(states) => {
            let states: Vec<_> = states.iter().map(|state| state.name()).collect();
            format!("ct state {}", states.join(","))
        }
        Match::Address(end, addresses) => {
            let field = match end {
                End::Source => "saddr",
                End::Destination => "daddr",
            };
            let protocol = match addresses.family() {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            match addresses {
                Addresses::Set(name, _) => format!("{protocol} {field} @{name}"),
                Addresses::These(_, ranges) => {
                    format!("{protocol} {field} {}", set(ranges.iter().map(element)))
                }
            }
        }
        Match::Port(end, protocol, ports) => {
            let field = match end {
                End::Source => "sport",
                End::Destination => "dport",
            };
            let protocol = match protocol {
                Protocol::Udp => "udp",
                Protocol::Tcp => "tcp",
            };
            let ports = ports.iter().map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
            format!("{protocol} {field} {}", set(ports))
        }
        Match::Icmp(family, types) => {
            let protocol = match family {
                Family::V4 => "icmp",
                Family::V6 => "icmpv6",
            };
            format!("{protocol} type {}", set(types.iter().map(u8::to_string)))
        }
        Match::HopLimit(limit) => format!("ip6 hoplimit {limit}"),
        Match::ToMany => "meta pkttype { broadcast, multicast }".into(),
        Match::Rate(rate, burst) => format!("limit rate {rate}/second burst {burst} packets"),
    }
}

fn set(elements: impl Iterator<Item = String>) -> String {
    let elements: Vec<_> = elements.collect();
    match elements.as_slice() {
        [one] => one.clone(),
        all => format!("{{ {} }}", all.join(", ")),
    }
}

fn element((first, last): &Range) -> String {
    match prefix(*first, *last) {
        _ if first == last => first.to_string(),
        Some(length) => format!("{first}/{length}"),
        None => format!("{first}-{last}"),
    }
}

/// The length of the prefix that a range is, if it is one.
pub(super) fn prefix(first: IpAddr, last: IpAddr) -> Option<u32> {
    let (first, last, width) = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return None,
    };
    let differing = first ^ last;
    let bits = 128 - differing.leading_zeros();
    let whole = differing.checked_add(1).is_none_or(u128::is_power_of_two);
    (whole && first & differing == 0 && bits < width).then_some(width - bits)
}
