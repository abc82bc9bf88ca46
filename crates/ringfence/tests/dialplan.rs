//! `ringfence asterisk dialplan`, through the binary.

use std::fs;
use std::process::{Command, Output};

fn dialplan(config: &str, args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("r.toml"), config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .current_dir(directory.path())
        .args(["asterisk", "dialplan", "--config", "r.toml"])
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn it_asks_where_the_configuration_says_and_knows_its_emergency_numbers() {
    let config = "emergency = [\"110\", \"sos\"]\n[agi]\nlisten = \"127.0.0.1:4600\"\n";
    let output = dialplan(config, &[]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("AGI(agi://127.0.0.1:4600/lookup)"), "{text}");
    assert!(text.contains("= \"110\"]?goon)") && text.contains("= \"sos\"]?goon)"));
    assert!(!text.contains("\"112\""), "{text}");
    let elsewhere = dialplan(config, &["--listen", "192.0.2.20", "--freepbx"]);
    let text = String::from_utf8(elsewhere.stdout).unwrap();
    assert!(text.contains("AGI(agi://192.0.2.20/lookup)"), "{text}");
    assert!(text.contains("[app-blacklist-check]"));
}

#[test]
fn what_cannot_be_done_is_told() {
    for args in [["--announce", "a,b"], ["--listen", "nowhere"]] {
        let output = dialplan("", &args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty());
    }
    let output = dialplan("[agi]\nlisten = 5", &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
