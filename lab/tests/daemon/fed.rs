//! Threat lists from a server: whom they drop and whom they never cut off, and what becomes of it without the server.

use ringfence_core::reason::{REASONS, Reason};
use ringfence_lab::provider::{Page, Provider};
use ringfence_lab::{Lab, Ringfence, Wire, needs_root};

use crate::{COUNTRIES, numbers, passes, policy, until};

fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.output());
    answer.output()
}

/// Packets that were dropped for a threat list.
fn dropped(fence: &Ringfence<'_>) -> u64 {
    let counts = numbers(fence, "COUNTERS").into_iter();
    let feeds = counts.filter(|(index, _)| index % REASONS == Reason::Feed as usize);
    feeds.flat_map(|(_, each)| each).sum()
}

#[test]
fn whoever_is_listed_is_dropped_and_whoever_belongs_is_not() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let provider = lab.pbx.inside(|| Provider::start().unwrap()).unwrap();
    let many: String = (0..2_000)
        .map(|n| format!("198.51.{}.{}\n", 100 + n / 250, n % 250))
        .collect();
    let listed = |stranger: &str| Page::new(format!("# bad\n{many}{stranger}\n")).etag(stranger);
    provider.put("/list.txt", listed("203.0.113.9"));
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let without = policy("\"eth1\"", "\"RU\"");
    let with = format!(
        "{without}[[feed]]\nname = \"bad\"\nkind = \"plain\"\nurl = \"{}\"\ninterval = \"1h\"\n",
        provider.url("/list.txt")
    );
    fence.guard(&without, COUNTRIES).unwrap();
    assert!(passes(&lab, &wire, "eth1"), "its country is admitted");
    fence.guard(&with, COUNTRIES).unwrap();
    until("the list is in force", || !passes(&lab, &wire, "eth1"));
    assert!(dropped(&fence) > 0);
    let why = said(&fence, &["why", "203.0.113.9"]);
    assert!(
        why.contains("threat list: bad has 203.0.113.9/32 (deny)"),
        "{why}"
    );
    let shown = said(&fence, &["feed", "show", "203.0.113.9"]);
    assert!(shown.contains("it meets deny of bad"), "{shown}");

    // Who is permitted is not cut off, whatever a list says.
    said(&fence, &["permit", "add", "203.0.113.9"]);
    until("it passes", || passes(&lab, &wire, "eth1"));
    said(&fence, &["permit", "remove", "203.0.113.9"]);
    until("it is listed again", || !passes(&lab, &wire, "eth1"));

    // What was fetched holds without the server, also after a restart.
    provider.put("/list.txt", Page::error(500));
    fence.guard(&with, COUNTRIES).unwrap();
    assert!(!passes(&lab, &wire, "eth1"), "{}", fence.log().unwrap());
    let answer = fence.cli(&["feed", "update"]).unwrap();
    assert!(!passes(&lab, &wire, "eth1"), "{}", answer.output());

    // Once the list has it no longer, it is a stranger like others.
    provider.put("/list.txt", listed("203.0.113.10"));
    said(&fence, &["feed", "update"]);
    until("it is not listed any more", || passes(&lab, &wire, "eth1"));
}
