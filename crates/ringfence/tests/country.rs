//! `ringfence country` as people and cron run it, without a daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use ringfence_lab::provider::{Page, Provider};
use serde_json::Value;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs it with a configuration, a state directory and no daemon.
fn run(directory: &Path, words: &[&str]) -> Ran {
    let done = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(words)
        .arg("--config")
        .arg(directory.join("ringfence.toml"))
        .arg("--state")
        .arg(directory.join("state"))
        .arg("--socket")
        .arg(directory.join("socket"))
        .output()
        .unwrap();
    Ran {
        code: done.status.code().unwrap(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Data of both families in which 1.0.0.0/24 is of one country.
fn csv(code: &str) -> String {
    let mut text = format!("1.0.0.0,1.0.0.255,{code}\n");
    for n in 1..2000 {
        let (a, b) = (1 + n / 200, n % 200);
        let code = ["GB", "FR", "US", "JP"][n % 4];
        text.push_str(&format!("{a}.{b}.0.0,{a}.{b}.255.255,{code}\n"));
        text.push_str(&format!("2a00:{n:x}::,2a00:{n:x}:ffff::,{code}\n"));
    }
    text
}

#[test]
fn updates_are_quiet_in_cron_and_tell_who_is_affected() {
    let server = Provider::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let policy = format!(
        "countries = [\"GB\"]\npermit = [{{ address = \"1.0.0.7\", comment = \"head office\" }}]\n\
         [country]\nurl = \"{}\"\n[country.groups]\nhome = [\"GB\", \"IE\"]\n",
        server.url("/data.csv")
    );
    fs::write(directory.path().join("ringfence.toml"), policy).unwrap();
    let run = |words: &[&str]| run(directory.path(), words);

    // The first data is nothing like what ships: refused, and told on standard error.
    server.put("/data.csv", Page::new(csv("GB")).etag("\"1\""));
    let refused = run(&["country", "update"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let forced = run(&["country", "update", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    let same = run(&["country", "update"]);
    assert_eq!(
        (same.code, same.out.as_str(), same.err.as_str()),
        (0, "", "")
    );
    let told = run(&["country", "update", "-v"]);
    assert!(told.out.contains("no newer country data"), "{}", told.out);

    server.put("/data.csv", Page::new(csv("US")).etag("\"2\""));
    let dry = run(&["country", "update", "--dry-run", "--format", "json"]);
    let data: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(dry.code, 0);
    assert_eq!(
        (&data["changed"], &data["lose"]["ipv4"]),
        (&false.into(), &256.into())
    );
    let affected = &data["affected"][0];
    assert_eq!(
        (&affected["kind"], &affected["name"]),
        (&"permit".into(), &"head office".into())
    );
    let looked = run(&["lookup", "1.0.0.9"]);
    assert!(
        looked.out.contains("country  GB United Kingdom"),
        "{}",
        looked.out
    );

    // Somebody of ours is affected: that is said, whoever listens.
    let done = run(&["country", "update"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let line = "permit entry head office at 1.0.0.7: GB -> US; it passes whatever its country";
    assert!(done.out.contains(line), "{}", done.out);
    assert!(run(&["lookup", "1.0.0.9"]).out.contains("country  US"));
    let back = run(&["country", "rollback"]);
    assert!(back.out.contains("holds again"), "{}", back.out);
    assert!(run(&["lookup", "1.0.0.9"]).out.contains("country  GB"));
    let data = run(&["country", "data"]);
    assert!(data.out.contains("networks  2000 of IPv4"), "{}", data.out);

    let groups = run(&["country", "groups"]);
    assert!(
        groups
            .out
            .contains("home (of the configuration, 2)\n  GB IE\n"),
        "{}",
        groups.out
    );
    let nothing = run(&["country", "rollback"]);
    assert_eq!(nothing.code, 0, "back to what ships: {}", nothing.err);
    assert_eq!(run(&["country", "rollback"]).code, 1);
}
