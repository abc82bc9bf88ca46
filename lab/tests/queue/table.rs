//! The table, and what becomes of it.

use ringfence_lab::{Kamailio, Lab, needs_root};

use crate::{abroad, guard, is_answered, listed, nft, phone, policy, said, until};

#[test]
fn what_somebody_else_changes_is_told_and_made_again() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let stranger = abroad(&lab);
    nft(&lab, "add table inet mine");
    let fence = guard(&lab, &policy(""));
    let changes = [
        "flush ruleset",
        "flush chain inet ringfence arrive",
        "insert rule inet ringfence arrive accept",
    ];
    for (number, change) in (1..).zip(changes) {
        nft(&lab, change);
        let told = format!("{number} times the table was changed");
        until(&fence, change, || said(&fence, &["status"]).contains(&told));
        assert!(
            !is_answered(&lab, 1001, stranger, 5081 + number),
            "{change}"
        );
    }
    let log = fence.log().unwrap();
    assert!(log.contains("was removed by somebody else"), "{log}");
    assert!(
        phone(1002, 5090)
            .register(&lab, 1, 1)
            .unwrap()
            .is_flawless()
    );
}

#[test]
fn a_reload_changes_what_holds_and_stop_removes_all() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    nft(&lab, "add table inet mine");
    let stranger = abroad(&lab);
    let fence = guard(&lab, &policy(""));
    assert!(!is_answered(&lab, 1001, stranger, 5081));
    fence
        .write(
            "ringfence.toml",
            &policy("").replace("\"GB\"", "\"GB\", \"RU\""),
        )
        .unwrap();
    said(&fence, &["reload"]);
    assert!(is_answered(&lab, 1001, stranger, 5082));
    for _ in 0..3 {
        said(&fence, &["reload"]);
    }
    assert!(
        phone(1002, 5090)
            .register(&lab, 1, 1)
            .unwrap()
            .is_flawless()
    );
    said(&fence, &["stop"]);
    assert_eq!(listed(&lab), None);
    let output = lab
        .pbx
        .command("nft")
        .args(["list", "tables"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "table inet mine\n"
    );
}

#[test]
fn stop_without_a_daemon_removes_the_table() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = guard(&lab, &policy(""));
    fence.terminate().unwrap();
    assert!(listed(&lab).is_some(), "the fence stands");
    said(&fence, &["stop"]);
    assert_eq!(listed(&lab), None);
}
