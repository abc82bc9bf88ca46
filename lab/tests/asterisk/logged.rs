//! What a log says, where there is no manager interface.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

use ringfence_lab::{Lab, needs_root};

use crate::{NEVER, banned, folder, guard, policy, said, until};

fn append(path: &std::path::Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn guessers_in_the_log_are_banned_through_rotation() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("messages.log");
    append(&path, "");
    let tables = format!(
        "[[log]]\nfile = {:?}\nof = \"asterisk\"\n",
        path.to_str().unwrap()
    );
    let fence = guard(&lab, &policy(&tables));
    let status = said(&fence, &["status"]);
    assert!(status.contains("messages.log"), "{status}");
    // Notices name no transport: that no packet showed it is waited for.
    let notices =
        std::fs::read_to_string(folder("events").join("32-svcrack.messages.log")).unwrap();
    append(&path, &notices);
    until(&fence, "the guesser is banned", || {
        banned(&fence, "203.0.113.63").as_deref() == Some("failures")
    });
    std::fs::rename(&path, directory.path().join("messages.log.1")).unwrap();
    append(&path, &notices.replace("203.0.113.63", "203.0.113.64"));
    until(&fence, "the guesser in the new file is banned", || {
        banned(&fence, "203.0.113.64").is_some()
    });
    // The security log names it: packets show what came over UDP.
    let security =
        std::fs::read_to_string(folder("events").join("32-svcrack.security.log")).unwrap();
    append(&path, &security.replace("203.0.113.63", "203.0.113.65"));
    thread::sleep(NEVER);
    assert_eq!(banned(&fence, "203.0.113.65"), None);
}
