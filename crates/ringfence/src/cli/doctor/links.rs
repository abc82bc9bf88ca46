//! The interfaces, and what is attached to them.

use super::finding::{Finding, State, finding};
use crate::cli::surroundings::guarded;
use crate::net::{Interface, LinkType, Route, XdpMode};

/// The interfaces to guard: those named, else those of the default routes.
pub(super) fn links(
    named: &[String],
    interfaces: &[Interface],
    routes: &[Route],
    ours: bool,
) -> Vec<Finding> {
    let chosen = guarded(named, interfaces, routes).into_iter();
    let mut findings: Vec<_> = chosen.map(|interface| link(interface, ours)).collect();
    for name in named {
        if !interfaces.iter().any(|interface| interface.name == *name) {
            let remedy = "correct `interfaces`, or create it: the fence takes it up when it comes";
            let what = format!("interface {name}");
            findings.push(finding(
                &what,
                State::Problem,
                "there is none".to_owned(),
                remedy,
            ));
        }
    }
    if findings.is_empty() {
        let remedy = "name the interfaces to guard: `interfaces = [...]` or --interface";
        let found = "there is no default route".to_owned();
        findings.push(finding("interface", State::Problem, found, remedy));
    }
    findings
}

fn link(interface: &Interface, ours: bool) -> Finding {
    let what = format!("interface {}", interface.name);
    let driver = interface.driver.as_deref().unwrap_or("unknown");
    let mut found = format!("driver {driver}, MTU {}", interface.mtu);
    if !interface.up {
        return finding(
            &what,
            State::Problem,
            found + ", down",
            &format!("ip link set {} up", interface.name),
        );
    }
    if let LinkType::Other(hardware) = interface.link_type {
        found += &format!(", hardware type {hardware}");
        return finding(
            &what,
            State::Problem,
            found,
            "guard an Ethernet or IP interface instead",
        );
    }
    let Some(attached) = interface.xdp else {
        return finding(&what, State::Fine, found + ", no XDP program", "");
    };
    let mode = match attached.mode {
        XdpMode::Driver => "driver",
        XdpMode::Generic => "generic",
        XdpMode::Offloaded => "offloaded",
        XdpMode::Several => "several",
    };
    found += &format!(", XDP program {} in {mode} mode", attached.prog_id);
    if !ours {
        let remedy = format!(
            "it takes the fence's place: `bpftool net`, then `ip link set {} xdp off`",
            interface.name
        );
        return finding(&what, State::Problem, found, &remedy);
    }
    let generic = attached.mode == XdpMode::Generic;
    let state = if generic { State::Note } else { State::Fine };
    finding(
        &what,
        state,
        found,
        "generic mode costs more; `ringfence status` says why the driver refused",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::XdpAttachment;

    #[test]
    fn a_foreign_program_is_in_the_way() {
        let mut interface = Interface {
            index: 2,
            name: "eth0".to_owned(),
            mtu: 1500,
            link_type: LinkType::Ethernet,
            up: true,
            driver: None,
            controller: None,
            parent: None,
            addresses: Vec::new(),
            xdp: None,
        };
        assert_eq!(link(&interface, false).state, State::Fine);
        let named =
            |name: &str| links(&[name.to_owned()], &[interface.clone()], &[], false)[0].state;
        assert_eq!(
            (named("eth0"), named("eth1")),
            (State::Fine, State::Problem)
        );
        assert_eq!(
            links(&[], &[interface.clone()], &[], false)[0].state,
            State::Problem
        );
        interface.xdp = Some(XdpAttachment {
            mode: XdpMode::Driver,
            prog_id: 7,
        });
        assert_eq!(link(&interface, false).state, State::Problem);
        assert_eq!(link(&interface, true).state, State::Fine);
    }
}
