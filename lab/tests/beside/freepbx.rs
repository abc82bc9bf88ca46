//! FreePBX's networks, as its rules in the kernel have them where its own command is not there.

use std::io::Write;
use std::process::Stdio;

use ringfence_lab::{Lab, Ringfence, needs_root, without_signatures};

use crate::COUNTRIES;

/// The sets of the table that FreePBX 18 makes.
const RULES: &str = "table inet fpbx {
    set nets-trusted { type ipv4_addr; flags interval; elements = { 198.51.100.0/24, 203.0.113.7 } }
    set nets-trusted6 { type ipv6_addr; flags interval; elements = { 2001:db8:51::/48 } }
    set nets-internal { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }
    set blacklist { type ipv4_addr; flags interval; elements = { 203.0.113.9 } }
}
";

#[test]
fn trusted_networks_and_the_blacklist_of_nftables() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let policy = format!("interfaces = [\"eth0\"]\n{}", without_signatures());
    fence.guard(&policy, COUNTRIES).unwrap();
    let absent = fence.cli(&["import", "freepbx"]).unwrap();
    assert_eq!(absent.code, 1, "{}", absent.output());
    assert!(
        absent.stderr.contains("FreePBX's Firewall was not found"),
        "{}",
        absent.stderr
    );

    let mut nft = lab.pbx.command("nft");
    let mut nft = nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin
        .take()
        .unwrap()
        .write_all(RULES.as_bytes())
        .unwrap();
    assert!(nft.wait().unwrap().success());
    for again in [false, true] {
        let done = fence.cli(&["import", "freepbx"]).unwrap();
        assert_eq!(done.code, 0, "{again}: {}", done.output());
        assert!(
            done.stdout.contains("4 entries, 0 failures"),
            "{}",
            done.stdout
        );
    }
    let listed = |list: &str| fence.cli(&[list, "list"]).unwrap().stdout;
    let permitted = listed("permit");
    for range in ["198.51.100.0/24", "203.0.113.7", "2001:db8:51::/48"] {
        assert!(
            permitted.contains(&format!("{range} FreePBX trusted zone\n")),
            "{permitted}"
        );
    }
    assert_eq!(permitted.lines().count(), 3, "{permitted}");
    assert_eq!(listed("deny"), "203.0.113.9 FreePBX blacklist\n");
}
