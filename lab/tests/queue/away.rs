//! What holds while nobody judges.

use std::net::IpAddr;

use ringfence_lab::{Kamailio, Lab, needs_root};

use crate::{PHONE_V4, abroad, guard, is_answered, listed, phone, policy, said, start};

#[test]
fn bans_and_denied_sources_stay_out_and_the_rest_comes_in() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let stranger = abroad(&lab);
    let banned: IpAddr = "198.51.100.77".parse().unwrap();
    let denied: IpAddr = "198.51.100.78".parse().unwrap();
    for address in [banned, denied] {
        lab.add_address(&lab.phone, address).unwrap();
    }
    let mut fence = guard(&lab, &policy(""));
    assert!(
        phone(1001, 5081)
            .register(&lab, 1, 1)
            .unwrap()
            .is_flawless()
    );
    assert!(!is_answered(&lab, 1002, stranger, 5082));
    said(&fence, &["ban", "198.51.100.77"]);
    said(&fence, &["deny", "add", "198.51.100.78"]);
    crate::until(&fence, "the ban is in the table", || {
        listed(&lab).unwrap().contains("198.51.100.77")
    });
    fence.kill9().unwrap();
    // Nobody knows countries now.
    assert!(is_answered(&lab, 1003, stranger, 5083));
    for address in [banned, denied] {
        assert!(!is_answered(&lab, 1004, address, 5084), "{address}");
    }
    // Back again, and with what it knew.
    start(&mut fence, &policy(""), "nfqueue");
    assert!(!is_answered(&lab, 1005, stranger, 5085));
    let trust = said(&fence, &["trust"]);
    assert!(trust.contains(&PHONE_V4.to_string()), "{trust}");
    let status = said(&fence, &["status"]);
    assert!(
        status.contains("of banned sources dropped by nftables while nobody judged"),
        "{status}"
    );
    assert!(said(&fence, &["bans"]).contains("198.51.100.77"));
}

#[test]
fn a_closed_fence_lets_only_the_permitted_in() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let permitted: IpAddr = "198.51.100.79".parse().unwrap();
    lab.add_address(&lab.phone, permitted).unwrap();
    let more = "permit = [\"198.51.100.79\"]\n[nfqueue]\nfail = \"closed\"\n";
    let mut fence = guard(&lab, &policy(more));
    assert!(
        phone(1001, 5081)
            .register(&lab, 1, 1)
            .unwrap()
            .is_flawless()
    );
    fence.kill9().unwrap();
    assert!(!is_answered(&lab, 1002, PHONE_V4.into(), 5082));
    assert!(is_answered(&lab, 1003, permitted, 5083));
    // Whoever keeps the host is never locked out of it.
    let listener = lab
        .pbx
        .inside(|| std::net::TcpListener::bind("192.0.2.10:22").unwrap());
    let listener = listener.unwrap();
    let connected = lab.phone.inside(|| {
        let to = listener.local_addr().unwrap();
        std::net::TcpStream::connect_timeout(&to, std::time::Duration::from_secs(5)).is_ok()
    });
    assert!(connected.unwrap());
}

#[test]
fn in_shadow_mode_nothing_is_dropped_without_the_daemon() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let banned: IpAddr = "198.51.100.77".parse().unwrap();
    lab.add_address(&lab.phone, banned).unwrap();
    let shadow = policy("").replace("\"enforce\"", "\"shadow\"");
    let mut fence = guard(&lab, &shadow);
    said(&fence, &["ban", "198.51.100.77"]);
    assert!(is_answered(&lab, 1001, banned, 5081));
    crate::until(&fence, "the ban is in the table", || {
        listed(&lab).unwrap().contains("198.51.100.77")
    });
    fence.kill9().unwrap();
    assert!(is_answered(&lab, 1002, banned, 5082));
}
