//! What is judged on an interface that is no plain network card, and what is not.

use super::finding::{Finding, State, finding};
use crate::net::{Interface, LinkType};

/// What there is to know of a guarded interface's kind; none for a card or the like.
pub(super) fn kind(interface: &Interface, all: &[Interface]) -> Option<Finding> {
    let name = &interface.name;
    let what = format!("place {name}");
    let note = |found: String, remedy: &str| Some(finding(&what, State::Note, found, remedy));
    if interface.link_type == LinkType::Loopback {
        return note(
            "loopback has nothing to guard: only this host itself speaks there".to_owned(),
            "take it out of `interfaces`",
        );
    }
    let named = |index: u32| all.iter().find(|other| other.index == index);
    if let Some(above) = interface.controller.and_then(named) {
        return member(name, above, &what);
    }
    let members: Vec<&str> = all
        .iter()
        .filter(|other| other.controller == Some(interface.index))
        .map(|other| other.name.as_str())
        .collect();
    let members = match members.as_slice() {
        [] => "no member".to_owned(),
        members => members.join(", "),
    };
    match interface.driver.as_deref() {
        Some("bridge") => note(
            format!(
                "a bridge of {members}: judged is what is for this host, in generic mode; what the bridge passes on between \
                 its members, such as to virtual machines and containers, is not"
            ),
            "where that is to be judged too, guard the member that leads outside in place of the bridge",
        ),
        Some("bond" | "bonding" | "team") => Some(finding(
            &what,
            State::Fine,
            format!("a bond of {members}: all that comes in over its members is judged"),
            "",
        )),
        Some("vlan") => {
            let parent = interface.parent.and_then(named);
            let parent = parent.map_or("the interface below", |parent| parent.name.as_str());
            note(
                format!("a VLAN on {parent}: its own packets are judged, in generic mode; those of other VLANs are not"),
                &format!("guard {parent} in its place to judge all VLANs, up to two tags deep, and in the driver"),
            )
        }
        Some("wireguard") => note(
            "WireGuard: judged is what is inside the tunnel, in generic mode; the tunnel's own packets come in elsewhere"
                .to_owned(),
            "guard the outer interface too; whom the tunnel lets in by key may be as well in `permit`",
        ),
        _ if interface.link_type == LinkType::RawIp => note(
            "raw IP: judged is what is inside the tunnel, in generic mode".to_owned(),
            "guard the outer interface too",
        ),
        _ => None,
    }
}

fn member(name: &str, above: &Interface, what: &str) -> Option<Finding> {
    let upper = &above.name;
    let (found, remedy) = match above.driver.as_deref() {
        Some("bridge") => (
            format!(
                "a member of the bridge {upper}: all that comes in on it is judged, also what is for others behind the bridge"
            ),
            format!("guard {upper} in its place where only this host is to be guarded"),
        ),
        Some("bond" | "bonding" | "team") => (
            format!(
                "a member of the bond {upper}: what comes in over the other members is not judged here"
            ),
            format!("guard {upper} in its place: write interfaces = [\"{upper}\"] for \"{name}\""),
        ),
        _ => return None,
    };
    Some(finding(what, State::Note, found, &remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, driver: &str) -> Interface {
        Interface {
            index,
            name: name.to_owned(),
            mtu: 1500,
            link_type: LinkType::Ethernet,
            up: true,
            driver: Some(driver.to_owned()),
            controller: None,
            parent: None,
            addresses: Vec::new(),
            xdp: None,
        }
    }

    #[test]
    fn each_kind_says_what_is_judged_there() {
        let mut all = vec![
            interface(1, "lo", ""),
            interface(2, "eth0", "igb"),
            interface(3, "br0", "bridge"),
            interface(4, "eth0.5", "vlan"),
            interface(5, "wg0", "wireguard"),
            interface(6, "bond0", "bond"),
            interface(7, "eth1", "igb"),
            interface(8, "tun0", "tun"),
            interface(9, "eth2", "igb"),
        ];
        all[0].link_type = LinkType::Loopback;
        all[3].parent = Some(2);
        all[4].link_type = LinkType::RawIp;
        all[6].controller = Some(6);
        all[7].link_type = LinkType::RawIp;
        all[8].controller = Some(3);
        for (name, found, state) in [
            ("lo", Some("nothing to guard"), State::Note),
            ("eth0", None, State::Fine),
            ("br0", Some("a bridge of eth2"), State::Note),
            ("eth0.5", Some("a VLAN on eth0"), State::Note),
            ("wg0", Some("WireGuard"), State::Note),
            ("bond0", Some("a bond of eth1"), State::Fine),
            ("eth1", Some("a member of the bond bond0"), State::Note),
            ("tun0", Some("raw IP"), State::Note),
            ("eth2", Some("a member of the bridge br0"), State::Note),
        ] {
            let interface = all.iter().find(|other| other.name == name).unwrap();
            let told = kind(interface, &all);
            assert_eq!(told.is_some(), found.is_some(), "{name}: {told:?}");
            if let (Some(told), Some(found)) = (told, found) {
                assert!(told.found.contains(found), "{told:?}");
                assert_eq!(told.state, state, "{told:?}");
                assert_eq!(told.remedy.is_empty(), state == State::Fine, "{told:?}");
            }
        }
    }
}
