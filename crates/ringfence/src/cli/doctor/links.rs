//! The interfaces, and what is attached to them.

use super::finding::{Finding, State, finding};
use super::kinds;
use crate::cli::surroundings::guarded;
use crate::coexist::{DISPATCHER, Program};
use crate::net::{Interface, LinkType, Route, XdpMode};

/// The interfaces to guard: those named, else those of the default routes. `ours` says whether there is a fence, `program`
/// what the kernel tells of a program by its number.
pub(super) fn links(
    named: &[String],
    interfaces: &[Interface],
    routes: &[Route],
    ours: bool,
    program: fn(u32) -> Option<Program>,
) -> Vec<Finding> {
    let chosen = guarded(named, interfaces, routes).into_iter();
    let mut findings = Vec::new();
    for interface in chosen {
        let attached = interface.xdp.and_then(|xdp| program(xdp.prog_id));
        findings.push(link(interface, ours, attached.as_ref()));
        findings.extend(kinds::kind(interface, interfaces));
    }
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

fn link(interface: &Interface, ours: bool, program: Option<&Program>) -> Finding {
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
    found += &format!(", XDP program {}", attached.prog_id);
    if let Some(Program { name, tag }) = program {
        found += &format!(" `{name}` (tag {tag:016x})");
    }
    found += &format!(" in {mode} mode");
    if !ours || program.is_some_and(|program| !program.is_ours()) {
        let remedy = foreign(&interface.name, program);
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

/// The way out where another program has the interface.
fn foreign(interface: &str, program: Option<&Program>) -> String {
    let out = match program.map(|program| program.name.as_str()) {
        Some(DISPATCHER) => format!(
            "it is the dispatcher of libxdp, whose chain Ringfence does not join: `xdp-loader status {interface}` names the \
             programs in it, `xdp-loader unload {interface} --all` removes them"
        ),
        _ => format!(
            "it takes the fence's place: remove it by its owner's own command, or with `ip link set dev {interface} xdp off`; \
             one that is held by a link (`bpftool link`, `bpftool net`) goes with its owner"
        ),
    };
    format!("{out}. To leave it there, judge behind it: engine = \"nfqueue\"")
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
        assert_eq!(link(&interface, false, None).state, State::Fine);
        let named = |names: &[String]| {
            let found = links(names, std::slice::from_ref(&interface), &[], false, |_| {
                None
            });
            found[0].state
        };
        assert_eq!(named(&["eth0".to_owned()]), State::Fine);
        assert_eq!(named(&["eth1".to_owned()]), State::Problem);
        assert_eq!(named(&[]), State::Problem);
        interface.xdp = Some(XdpAttachment {
            mode: XdpMode::Driver,
            prog_id: 7,
        });
        let told = |ours, name: Option<&str>| {
            let program = name.map(|name| Program {
                name: name.to_owned(),
                tag: 0x22b0_adac,
            });
            link(&interface, ours, program.as_ref())
        };
        assert_eq!(told(false, None).state, State::Problem);
        assert_eq!(told(true, None).state, State::Fine);
        assert_eq!(told(true, Some("ingress")).state, State::Fine);
        let other = told(true, Some("xdp_filter"));
        assert_eq!(other.state, State::Problem);
        let shown = "XDP program 7 `xdp_filter` (tag 0000000022b0adac)";
        assert!(other.found.contains(shown), "{other:?}");
        assert!(
            other.remedy.contains("ip link set dev eth0 xdp off"),
            "{other:?}"
        );
        let dispatcher = told(false, Some(DISPATCHER));
        assert!(
            dispatcher.remedy.contains("xdp-loader unload eth0 --all"),
            "{dispatcher:?}"
        );
        assert!(dispatcher.remedy.contains("nfqueue"), "{dispatcher:?}");
    }
}
