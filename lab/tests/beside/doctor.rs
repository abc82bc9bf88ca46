//! What the doctor says of a foreign XDP program, of bridges and tunnels, and of other firewalls' rules.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use ringfence_lab::{Lab, Netns, Ringfence, needs_root};
use serde_json::Value;

use crate::{COUNTRIES, lines, run};

fn command(place: &Netns, program: &str, arguments: &str) {
    let mut command: Command = place.command(program);
    let status = command.args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "{program} {arguments}");
}

/// What the doctor says of one thing.
fn told(fence: &Ringfence<'_>, interfaces: &str, what: &str) -> Value {
    let policy = fence
        .write("doctor.toml", &format!("interfaces = [{interfaces}]\n"))
        .unwrap();
    let bpffs = fence.bpffs();
    let output = run(
        fence,
        &[
            "doctor",
            "--format",
            "json",
            "--config",
            policy.to_str().unwrap(),
            "--bpffs",
            bpffs.to_str().unwrap(),
        ],
    );
    let findings = lines(&output.stdout);
    let found = findings.iter().find(|finding| finding["check"] == what);
    found
        .unwrap_or_else(|| panic!("{what}: {findings:?}"))
        .clone()
}

fn has(told: &Value, key: &str, text: &str) -> bool {
    told[key].as_str().is_some_and(|said| said.contains(text))
}

/// The parts of `bpf_attr` (linux/bpf.h) that a program is loaded with.
#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u32; 2],
    log_buffer: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The parts of `bpf_attr` that something is pinned with.
#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Loads an XDP program that passes everything, under a name, and pins it.
fn pin(name: &str, path: &Path) {
    const PROG_LOAD: libc::c_long = 5;
    const OBJ_PIN: libc::c_long = 6;
    const PROG_TYPE_XDP: u32 = 6;
    // r0 = XDP_PASS; exit
    let code: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let license = c"GPL";
    let mut load = Load {
        kind: PROG_TYPE_XDP,
        instructions: 2,
        code: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log: [0; 2],
        log_buffer: 0,
        version: 0,
        flags: 0,
        name: [0; 16],
    };
    load.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: what the attribute points to lives until the call returns, and its size is the one given.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const load, size_of::<Load>()) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let pin = Pin {
        path: path.as_ptr() as u64,
        fd: u32::try_from(fd).unwrap(),
        flags: 0,
    };
    // SAFETY: as above; the descriptor is ours to close.
    let answer = unsafe {
        let answer = libc::syscall(libc::SYS_bpf, OBJ_PIN, &raw const pin, size_of::<Pin>());
        libc::close(i32::try_from(fd).unwrap());
        answer
    };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
}

#[test]
fn a_foreign_program_is_named_with_the_way_out() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    for (name, remedy) in [
        ("other_filter", "ip link set dev eth0 xdp off"),
        ("xdp_dispatcher", "xdp-loader unload eth0 --all"),
    ] {
        let path = fence.bpffs().join(name);
        pin(name, &path);
        let path = path.display();
        command(
            &lab.pbx,
            "ip",
            &format!("link set dev eth0 xdpgeneric pinned {path}"),
        );
        let found = told(&fence, "\"eth0\"", "interface eth0");
        assert_eq!(found["state"], "problem", "{found}");
        assert!(has(&found, "found", &format!("`{name}` (tag ")), "{found}");
        assert!(has(&found, "remedy", remedy), "{found}");
        // The daemon does not push it aside.
        let error = fence
            .guard("interfaces = [\"eth0\"]\n", COUNTRIES)
            .unwrap_err();
        assert!(error.to_string().contains("another XDP program"), "{error}");
        command(&lab.pbx, "ip", "link set dev eth0 xdpgeneric off");
        let found = told(&fence, "\"eth0\"", "interface eth0");
        assert!(has(&found, "found", "no XDP program"), "{found}");
    }
}

#[test]
fn bridges_and_tunnels_say_what_is_judged_there() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    for line in [
        "link add br0 type bridge",
        "link add port0 type veth peer name port1",
        "link set port0 master br0",
        "link set br0 up",
        "link set port0 up",
        "tuntap add dev tun0 mode tun",
        "link set tun0 up",
    ] {
        command(&lab.pbx, "ip", line);
    }
    let all = "\"br0\", \"port0\", \"tun0\", \"lo\"";
    for (name, found) in [
        ("br0", "a bridge of port0"),
        ("port0", "a member of the bridge br0"),
        ("tun0", "raw IP"),
        ("lo", "nothing to guard"),
    ] {
        let told = told(&fence, all, &format!("place {name}"));
        assert!(has(&told, "found", found), "{told}");
        assert_eq!(told["state"], "note", "{told}");
    }
}

#[test]
fn rules_of_others_are_named_with_what_stands_them_down() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    command(&lab.pbx, "nft", "add table inet fpbx");
    command(&lab.pbx, "nft", "add table inet f2b-table");
    let order = told(&fence, "\"eth0\"", "order");
    assert!(
        has(&order, "found", "FreePBX Firewall, fail2ban"),
        "{order}"
    );
    let freepbx = told(&fence, "\"eth0\"", "FreePBX Firewall");
    assert!(
        has(&freepbx, "remedy", "fwconsole firewall disable"),
        "{freepbx}"
    );
    let fail2ban = told(&fence, "\"eth0\"", "fail2ban");
    assert!(
        has(&fail2ban, "remedy", "ringfence import fail2ban"),
        "{fail2ban}"
    );
}
