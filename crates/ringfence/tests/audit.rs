//! `ringfence audit` through the binary, against a manager interface that plays recordings of a real Asterisk. No test
//! needs root, and nothing leaves loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ringfence_lab::asterisk::{Ami, Recording, Script};
use serde_json::Value;

/// All of the recordings' good phones are British, and the providers German.
const COUNTRIES: &str = "198.51.100.0,198.51.100.199,GB\n198.51.100.200,198.51.100.255,DE\n\
                         2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB\n";

/// A server that plays these recordings.
fn play(folder: &str, names: &[&str]) -> Ami {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk");
    let mut script = Script::default();
    for (folder, name) in names
        .iter()
        .map(|name| (folder, *name))
        .chain([("ami", "core-settings")])
    {
        script = script.answering(&Recording::load(&root.join(folder), name).unwrap());
    }
    Ami::play([script]).unwrap()
}

fn new_pbx() -> Ami {
    let names = [
        "pjsip-show-endpoints",
        "pjsip-show-contacts",
        "pjsip-show-registrations-inbound",
        "pjsip-show-registrations-outbound",
        "pjsip-show-endpoint-1001",
        "iaxpeers",
        "iaxregistry",
    ];
    play("ami", &names)
}

struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    /// A host whose policy begins with these lines.
    fn new(ami: &Ami, policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory };
        let asterisk = format!(
            "[asterisk]\nami = \"{}\"\nuser = \"fw\"\nsecret_file = \"{}\"\n",
            ami.address(),
            host.path("secret").display()
        );
        fs::write(host.path("secret"), "fw-secret-1\n").unwrap();
        fs::write(host.path("countries.csv"), COUNTRIES).unwrap();
        fs::write(host.path("policy.toml"), format!("{policy}\n{asterisk}")).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn audit(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .current_dir(self.directory.path())
            .arg("audit")
            .args(["--config", "policy.toml", "--state", "none"])
            .args(["--country-db", "countries.csv"])
            .args(more)
            .output()
            .unwrap()
    }
}

fn text(output: &Output) -> String {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(all).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const BRITISH: &str = "countries = [\"GB\"]";

#[test]
fn whoever_would_be_dropped_is_told_and_fails_the_audit() {
    let (ami, expected) = (new_pbx(), "198.51.100.200    DE  ko  country");
    let host = Host::new(&ami, BRITISH);
    let output = host.audit(&[]);
    let table = text(&output);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains(expected), "{table}");
    assert!(
        table.contains("1001        PJSIP  198.51.100.41 ?"),
        "{table}"
    );
    assert!(table.contains("name = \"reg-trunk2\""), "{table}");
    assert!(
        !table.contains('\u{1b}'),
        "no colours where nobody sees them"
    );
    for secret in ["pw-1001", "trunk-secret", "fw-secret-1"] {
        assert!(!table.contains(secret));
    }
    // What was asked changed nothing.
    for asked in ami.asked() {
        let action = asked.lines().next().unwrap_or_default();
        let harmless = [
            "Show",
            "Challenge",
            "Login",
            "CoreSettings",
            "SIPpeers",
            "IAX",
            "Events",
            "Command",
            "Filter",
        ];
        assert!(
            harmless.iter().any(|word| action.contains(word)),
            "{action}"
        );
        assert!(
            !asked.contains("Command: ") || asked.contains(" show "),
            "{asked}"
        );
    }
}

#[test]
fn a_policy_is_audited_before_it_is_used() {
    let ami = new_pbx();
    let host = Host::new(&ami, BRITISH);
    let wide = "countries = [\"GB\", \"DE\"]\n";
    fs::write(host.path("wide.toml"), wide).unwrap();
    let output = host.audit(&["--policy", "wide.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let lines = lines(&output);
    let last = lines.last().unwrap();
    assert_eq!(
        last["summary"],
        serde_json::json!({ "ok": 11, "ko": 0, "unknown": 0, "absent": 15 })
    );
    fs::write(
        host.path("none.toml"),
        "[[service]]\nname = \"sip\"\nfrom = \"permitted\"\n",
    )
    .unwrap();
    let output = host.audit(&["--policy", "none.toml"]);
    let table = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        table.contains("ringfence permit add 198.51.100.41"),
        "{table}"
    );
}

#[test]
fn chan_sip_is_audited_too() {
    let ami = play(
        "ami-chan_sip-20",
        &["sippeers", "sipshowregistry", "iaxpeers"],
    );
    let output = Host::new(&ami, BRITISH).audit(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let lines = lines(&output);
    let named = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    assert_eq!(
        (&named("1002")["verdict"], &named("1002")["technology"]),
        (&"ok".into(), &"SIP".into())
    );
    assert_eq!(
        (&named("trunk1")["verdict"], &named("trunk1")["kind"]),
        (&"ko".into(), &"trunk".into())
    );
    assert!(lines.iter().any(|line| line["weakness"] == "acl"));
}

#[test]
fn what_is_missing_is_told() {
    let ami = new_pbx();
    let host = Host::new(&ami, BRITISH);
    fs::write(host.path("policy.toml"), BRITISH).unwrap();
    let output = host.audit(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("ringfence asterisk manager"));
    let host = Host::new(&ami, BRITISH);
    fs::write(host.path("secret"), "wrong\n").unwrap();
    let output = host.audit(&[]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told.contains("manager.conf") && !told.contains("wrong"),
        "{told}"
    );
    fs::write(host.path("bad.toml"), "mode = \"off\"\n").unwrap();
    let output = host.audit(&["--policy", "bad.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("bad.toml:1:"));
}
