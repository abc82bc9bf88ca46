//! What a start meets: another program, a driver without XDP, another daemon, pins of another shape.

use aya::maps::{Array, MapData};
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;
use nix::net::if_::if_nametoindex;
use ringfence::engine::trial::OBJECT;
use ringfence::engine::xdp::Pins;
use ringfence_lab::{Lab, Netns, Ringfence, Wire, needs_root};

use crate::{COUNTRIES, guarded, passes, policy, until, xdp};

/// Attaches a program that is not the daemon's, for as long as the value lives.
fn occupy(place: &Netns, interface: &str, mode: XdpMode) -> aya::Ebpf {
    let attach = || {
        let mut object = aya::Ebpf::load(OBJECT).unwrap();
        let program: &mut Xdp = object.program_mut("ingress").unwrap().try_into().unwrap();
        program.load().unwrap();
        let index = if_nametoindex(interface).unwrap();
        program.attach_to_if_index(index, mode).unwrap();
        object
    };
    place.inside(attach).unwrap()
}

#[test]
fn another_program_is_left_where_it_is() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    for name in ["eth1", "eth2"] {
        Wire::lay(&lab.attacker, &lab.pbx, name).unwrap();
    }
    for mode in [XdpMode::Driver, XdpMode::Skb] {
        let other = occupy(&lab.pbx, "eth2", mode);
        let before = xdp(&lab, "eth2");
        assert!(before.contains("prog/xdp"), "{before}");
        let mut fence = Ringfence::prepare(&lab).unwrap();
        let error = fence.guard(&policy("\"eth1\", \"eth2\"", "\"GB\""), COUNTRIES);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("another XDP program is attached to eth2")
                && error.contains("ip link set dev eth2 xdp off"),
            "{error}"
        );
        assert_eq!(xdp(&lab, "eth2"), before);
        assert_eq!(xdp(&lab, "eth1"), "", "what was put up is taken down");
        assert!(!fence.bpffs().join("ringfence").exists());
        drop(other);
        assert_eq!(xdp(&lab, "eth2"), "");
    }
}

#[test]
fn a_fence_that_stood_before_a_failed_start_stands_on() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    Wire::lay(&lab.attacker, &lab.pbx, "eth2").unwrap();
    let _other = occupy(&lab.pbx, "eth2", XdpMode::Driver);
    fence.terminate().unwrap();
    let error = fence.guard(&policy("\"eth1\", \"eth2\"", "\"GB\""), COUNTRIES);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("another XDP program")
    );
    assert!(xdp(&lab, "eth1").contains("prog/xdp"));
    assert!(!passes(&lab, &wire, "eth1"));
}

#[test]
fn one_interface_that_cannot_be_guarded_holds_up_no_other() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (_wire, fence) = guarded(&lab);
    let wires = ["eth2", "eth3"].map(|name| Wire::lay(&lab.attacker, &lab.pbx, name).unwrap());
    let other = occupy(&lab.pbx, "eth2", XdpMode::Driver);
    let wider = policy("\"eth1\", \"eth2\", \"eth3\"", "\"GB\"");
    fence.write("ringfence.toml", &wider).unwrap();

    let reloaded = fence.cli(&["reload"]).unwrap();
    let why = "another XDP program is attached to eth2";
    assert!(
        reloaded.code == 1 && reloaded.stderr.contains(why),
        "{reloaded:?}"
    );
    assert!(!passes(&lab, &wires[1], "eth3"));
    let status = fence.cli(&["status"]).unwrap().stdout;
    assert!(
        status.contains(&format!("eth2 NOT guarded: {why}")),
        "{status}"
    );

    drop(other);
    let reloaded = fence.cli(&["reload"]).unwrap();
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    assert!(!passes(&lab, &wires[0], "eth2"));
}

#[test]
fn an_interface_that_comes_back_is_guarded_again() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, fence) = guarded(&lab);
    let gone = lab
        .pbx
        .command("ip")
        .args(["link", "delete", "eth1"])
        .status();
    assert!(gone.unwrap().success());
    drop(wire);
    until("the daemon misses it", || {
        let status = fence.cli(&["status"]).unwrap().stdout;
        status.contains("eth1 NOT guarded: not there")
    });
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    until("it is guarded", || xdp(&lab, "eth1").contains("prog/xdp"));
    assert!(!passes(&lab, &wire, "eth1"));
}

#[test]
fn without_a_driver_that_takes_it_the_stack_runs_it() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    // A bridge has no XDP of its own.
    for arguments in [
        &["link", "add", "br0", "type", "bridge"][..],
        &["link", "set", "eth1", "master", "br0"],
        &["link", "set", "br0", "up"],
    ] {
        let done = lab.pbx.command("ip").args(arguments).status().unwrap();
        assert!(done.success(), "{arguments:?}");
    }
    let mut fence = Ringfence::prepare(&lab).unwrap();
    fence
        .guard(&policy("\"br0\"", "\"GB\""), COUNTRIES)
        .unwrap();
    let status = fence.cli(&["status"]).unwrap().stdout;
    let line = status
        .lines()
        .find(|line| line.starts_with("br0 "))
        .unwrap();
    assert!(
        line.contains("guarded: generic, since the driver's mode was refused: ")
            && line.contains("not supported"),
        "{line}"
    );
    assert!(xdp(&lab, "br0").contains("prog/xdp"));
    assert!(!passes(&lab, &wire, "br0"));
    let allowed = fence.cli(&["country", "allow", "RU"]).unwrap();
    assert_eq!(allowed.code, 0, "{allowed:?}");
    assert!(passes(&lab, &wire, "br0"));
}

#[test]
fn a_second_daemon_is_refused_before_it_changes_anything() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, fence) = guarded(&lab);
    let program = xdp(&lab, "eth1");
    let config = fence
        .write("other.toml", &policy("\"eth1\"", "\"RU\""))
        .unwrap();
    // At the same socket, and with one of its own.
    for (options, why) in [
        (&[][..], "a daemon runs already"),
        (
            &["--shadow", "--socket", "other.sock"],
            "another daemon holds the fence",
        ),
    ] {
        let mut second = fence.command();
        second.args(["run", "--config", config.to_str().unwrap()]);
        second.arg("--bpffs").arg(fence.bpffs());
        second.arg("--state").arg(fence.state());
        if options.is_empty() {
            second.arg("--socket").arg(fence.socket());
        }
        let refused = second.args(options).output().unwrap();
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{message}");
        assert!(message.contains(why), "{message}");
        assert_eq!(xdp(&lab, "eth1"), program);
        assert!(!passes(&lab, &wire, "eth1"));
    }
    assert_eq!(fence.cli(&["status"]).unwrap().code, 0);
}

#[test]
fn a_socket_that_cannot_be_made_leaves_no_fence() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    fence.cli(&["stop"]).unwrap();
    fence.wait().unwrap();
    let config = fence
        .write("ringfence.toml", &policy("\"eth1\"", "\"GB\""))
        .unwrap();
    let mut command = fence.command();
    command.args(["run", "--config", config.to_str().unwrap()]);
    command
        .arg("--bpffs")
        .arg(fence.bpffs())
        .arg("--state")
        .arg(fence.state());
    let refused = command
        .args(["--socket", "/dev/null/socket"])
        .output()
        .unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(
        message.contains("cannot listen at /dev/null/socket"),
        "{message}"
    );
    assert_eq!(xdp(&lab, "eth1"), "");
    assert!(passes(&lab, &wire, "eth1"));
}

#[test]
fn a_pinned_map_of_another_size_is_named_with_the_remedy() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let pins = Pins::below(&fence.bpffs());
    pins.create().unwrap();
    let map = Array::<MapData, u64>::create(1, 0).unwrap();
    map.pin(pins.map("POLICY")).unwrap();

    let policy = policy("\"eth1\"", "\"GB\"");
    let error = fence.guard(&policy, COUNTRIES).unwrap_err().to_string();
    assert!(
        error.contains("the pinned map POLICY") && error.contains("ringfence stop"),
        "{error}"
    );
    assert_eq!(xdp(&lab, "eth1"), "");
    assert!(pins.map("POLICY").exists(), "it is not ours to remove");

    // What the message says helps.
    let bpffs = fence.bpffs();
    let stop = ["stop", "--bpffs", bpffs.to_str().unwrap()];
    assert_eq!(fence.cli(&stop).unwrap().code, 0);
    fence.guard(&policy, COUNTRIES).unwrap();
    assert!(!passes(&lab, &wire, "eth1"));
}
