use super::*;
use ringfence_core::bench::list_flags as flag;
use ringfence_core::class::Class;
use ringfence_core::policy::{Admission, service_flags};

const EXAMPLE: &str = r#"
mode = "enforce"
countries = ["GB", "IE"]
permit = ["198.51.100.0/24"]
deny = ["198.51.100.7", "192.0.2.0/24"]

[[trunk]]
name = "provider"
hosts = ["sip.provider.example", "203.0.113.0/28"]

[[service]]
name = "sip"
kind = "sip"
ports = ["udp/5060", "tcp/5060-5061"]
from = { REGISTER = "countries", INVITE = "anyone" }
domains = ["sip.example.com"]
budget = "1000/s"

[[service]]
name = "ssh"
kind = "plain"
ports = ["tcp/22"]
from = "permitted"
"#;

fn example(inputs: &Inputs) -> Generation {
    compile(&Config::parse(EXAMPLE, "example").unwrap(), inputs).unwrap()
}

fn country(code: &str) -> Country {
    Country::from_code(code).unwrap()
}

#[test]
fn the_example_becomes_a_policy() {
    let inputs = Inputs {
        countries: vec![(country("FR"), true), (country("IE"), false)],
        enforce_until: Some(7),
        generation: 3,
        ..Inputs::default()
    };
    let generation = example(&inputs);
    let policy = &generation.policy;
    assert_eq!((policy.mode, policy.enforce_until, policy.generation), (1, 7, 3));
    assert_eq!(generation.names.services, ["", "sip", "ssh"]);
    assert_eq!((policy.udp[5060], policy.tcp[5061], policy.tcp[22]), (1, 1, 2));
    assert_eq!((policy.udp[5061], policy.tcp[5062]), (0, 0));
    let sip = policy.service(1);
    assert!(sip.has(service_flags::DOMAINS | service_flags::BY_CLASS));
    assert_eq!(sip.admission(Class::Register as u8), Admission::Countries);
    for class in [Class::Invite, Class::NewTcp, Class::Response, Class::KeepAlive] {
        assert_eq!(sip.admission(class as u8), Admission::Anyone);
    }
    let admitted: Vec<_> = sip.countries.iter().map(Country::code).collect();
    assert_eq!(admitted, ["FR", "GB"]);
    // Half of a thousand a second each, and 2% for one source.
    assert_eq!(sip.budget.interval, 2_000_000);
    assert_eq!(sip.reserved_budget, sip.budget);
    assert_eq!(sip.source_budget.interval, 50_000_000);
    let ssh = policy.service(2);
    assert!(!ssh.has(service_flags::BY_CLASS));
    assert_eq!(ssh.admission(Class::NewTcp as u8), Admission::Permitted);
    assert!(ssh.budget.is_none() && ssh.source_budget.is_none());
}

#[test]
fn the_longest_prefix_says_what_wider_ones_say_too() {
    let inputs = Inputs {
        operator: vec![(ListKind::Deny, "198.51.100.32/27".parse().unwrap())],
        resolved: [("sip.provider.example".into(), vec!["198.51.100.40".parse().unwrap()])].into(),
        neighbours: vec![(2, "10.0.0.0/8".parse().unwrap())],
        own: vec!["10.1.2.3".parse().unwrap()],
        ..Inputs::default()
    };
    let lists = example(&inputs).lists;
    let find = |text: &str| {
        longest(&lists, address(text.parse().unwrap())).map_or(Listed::default(), |found| *found.1)
    };
    for (text, flags) in [
        ("198.51.100.1", flag::PERMITTED),
        ("198.51.100.7", flag::PERMITTED | flag::DENIED),
        ("198.51.100.33", flag::PERMITTED | flag::DENIED),
        ("198.51.100.40", flag::PERMITTED | flag::DENIED | flag::TRUNK),
        ("192.0.2.200", flag::DENIED),
        ("203.0.113.15", flag::TRUNK),
        ("203.0.113.16", 0),
        ("127.1.2.3", flag::OWN),
        ("::1", flag::OWN),
        ("2001:db8::1", 0),
    ] {
        assert_eq!(find(text).flags, flags, "{text}");
    }
    assert_eq!(find("10.9.9.9").neighbours, 4);
    assert_eq!((find("10.1.2.3").flags, find("10.1.2.3").neighbours), (flag::OWN, 4));
}

#[test]
fn a_wide_ipv6_prefix_holds_for_no_ipv4_address() {
    let text = r#"deny = ["::/8"]
        permit = ["192.0.2.0/24"]"#;
    let config = Config::parse(text, "wide").unwrap();
    let lists = compile(&config, &Inputs::default()).unwrap().lists;
    let flags = |text: &str| {
        longest(&lists, address(text.parse().unwrap())).map_or(0, |found| found.1.flags)
    };
    assert_eq!(flags("198.51.100.1"), 0);
    assert_eq!(flags("192.0.2.1"), flag::PERMITTED);
    assert_eq!(flags("64::1"), flag::DENIED);
    assert_eq!(flags("::1"), flag::DENIED | flag::OWN);
}

#[test]
fn wrong_signatures_are_told_with_their_place() {
    let text = "[signatures]\nenable = [\"no-such\"]\n";
    let config = Config::parse(text, "wrong").unwrap();
    let Err(mistakes) = compile(&config, &Inputs::default()) else {
        panic!("accepted")
    };
    assert!(mistakes.to_string().contains("no-such"), "{mistakes}");
}
