//! From facts and wishes to a file that `ringfence check` takes.

use super::*;
use crate::config::{Admission, Config, Mode, Protocol};
use crate::setup::{Bind, Facts, Wishes, countries, domains, trunk};

fn bind(kind: Kind, protocol: Protocol, port: u16) -> Bind {
    Bind {
        kind,
        protocol,
        port,
        address: None,
        why: "asterisk listens there; [x\u{1b}\n[] in pjsip.conf".into(),
    }
}

fn facts() -> Facts {
    let mut facts = Facts {
        ssh_ports: vec![22, 2222],
        ssh_clients: vec!["198.51.100.7".parse().unwrap()],
        freepbx: true,
        ..Facts::default()
    };
    let (udp, tcp) = (Protocol::Udp, Protocol::Tcp);
    facts.heard.calls = vec![
        bind(Kind::Sip, udp, 5060),
        bind(Kind::Sip, udp, 5060),
        bind(Kind::Sip, udp, 5160),
        bind(Kind::Sips, tcp, 5061),
        bind(Kind::Wss, tcp, 8089),
        bind(Kind::Iax2, udp, 4569),
    ];
    facts.heard.provisioning = vec![bind(Kind::Plain, udp, 69), bind(Kind::Plain, tcp, 84)];
    facts.heard.web = vec![bind(Kind::Plain, tcp, 443)];
    facts.configured.rtp = Some((10000, 20000, "rtp.conf".into()));
    facts.configured.ami = Some("0.0.0.0:5038".parse().unwrap());
    facts
}

fn config(facts: &Facts, wishes: Wishes) -> (Config, String) {
    let text = file(&Plan::new(facts, wishes));
    let config = Config::parse(&text, "r.toml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(config.mode, Mode::Shadow);
    (config, text)
}

fn wishes() -> Wishes {
    Wishes {
        countries: countries("GB,IE").unwrap(),
        domains: domains("sip.example.com").unwrap(),
        trunks: [
            "sip.provider.example",
            "uk=203.0.113.0/28",
            "192.0.2.1",
            "sip.provider.example",
        ]
        .map(|text| trunk(text).unwrap())
        .into(),
        mail: vec!["admin@example.com".into()],
        ..Wishes::default()
    }
}

#[test]
fn a_freepbx_with_everything() {
    let (config, text) = config(&facts(), wishes());
    let services: Vec<_> = config
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.kind, s.ports.len(), s.domains.len()))
        .collect();
    assert_eq!(
        services,
        [
            ("sip", Kind::Sip, 2, 1),
            ("sips", Kind::Sips, 1, 1),
            ("wss", Kind::Wss, 1, 1),
            ("iax2", Kind::Iax2, 1, 0),
            ("provisioning", Kind::Plain, 2, 0),
            ("ssh", Kind::Plain, 2, 0),
            ("web", Kind::Plain, 1, 0),
        ]
    );
    assert!(
        config
            .services
            .iter()
            .all(|service| service.from.by_country())
    );
    let names: Vec<_> = config
        .trunks
        .iter()
        .map(|trunk| trunk.name.as_str())
        .collect();
    assert_eq!(names, ["sip.provider.example", "uk", "trunk3", "trunk4"]);
    assert_eq!(config.permit.len(), 1);
    assert_eq!(config.asterisk, None);
    assert!(text.contains("#ami = \"127.0.0.1:5038\""), "{text}");
    assert!(text.contains("udp/10000-20000"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    // Each service says why it is there.
    for block in text
        .split("[[service]]")
        .skip(1)
        .zip(text.split("[[service]]"))
    {
        assert!(
            block.1.trim_end().lines().last().unwrap().starts_with("# "),
            "{text}"
        );
    }
}

#[test]
fn with_the_secret_there_asterisk_is_asked() {
    let facts = Facts {
        secret: true,
        ..facts()
    };
    let (config, _) = config(&facts, wishes());
    assert_eq!(config.asterisk.unwrap().ami, "127.0.0.1:5038");
}

#[test]
fn without_countries_ssh_is_for_the_permitted() {
    let (with_session, _) = config(&facts(), Wishes::default());
    let ssh = |config: &Config| {
        let ssh = config.services.iter().find(|service| service.name == "ssh");
        ssh.map(|service| service.from)
    };
    assert_eq!(
        ssh(&with_session),
        Some(crate::config::Admissions::all(Admission::Permitted))
    );
    let alone = Facts {
        ssh_clients: Vec::new(),
        ..facts()
    };
    let (config, _) = config(&alone, Wishes::default());
    assert_eq!(ssh(&config), None, "nobody could administer this host");
    assert!(
        Plan::new(&alone, Wishes::default())
            .remarks
            .iter()
            .any(|r| r.starts_with("SSH is left out"))
    );
    let asked = Wishes {
        ssh: Some(Admission::Permitted),
        ..wishes()
    };
    assert_eq!(
        ssh(&self::config(&facts(), asked).0),
        Some(crate::config::Admissions::all(Admission::Permitted))
    );
}

#[test]
fn a_host_without_a_server_is_told_so() {
    let plan = Plan::new(&Facts::default(), Wishes::default());
    assert!(
        plan.remarks
            .iter()
            .any(|remark| remark.starts_with("no SIP server was found")),
        "{plan:?}"
    );
    let (config, text) = config(&Facts::default(), Wishes::default());
    assert_eq!(config.services.len(), 1);
    assert!(text.contains("# no SIP server was found"), "{text}");
}

#[test]
fn no_port_is_in_two_services() {
    let mut facts = facts();
    facts.heard.calls.push(bind(Kind::Wss, Protocol::Tcp, 443));
    facts.ssh_ports.push(84);
    let (config, _) = config(&facts, wishes());
    let web = config.services.iter().any(|service| service.name == "web");
    assert!(!web, "443 is a port of wss");
}
