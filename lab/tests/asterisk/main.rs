//! A daemon with an Asterisk beside it: recordings of a real one are played to it, and what follows is what an
//! administrator sees.

mod caller;
mod connected;
mod logged;
mod strangers;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::asterisk::{Ami, Recording, Script};
use ringfence_lab::{Lab, Ringfence, without_signatures};
use serde_json::Value;

/// Not a measure: nothing that a test waits for takes so long.
const LIMIT: Duration = Duration::from_secs(30);
/// What has not happened by then does not happen: a log is waited for two seconds, unknown accounts five.
const NEVER: Duration = Duration::from_secs(7);

/// The recordings have phones in 198.51.100.0/24 and attackers in 203.0.113.0/24.
const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.127,GB
203.0.113.128,203.0.113.255,RU
";

/// A policy that admits Great Britain to SIP, bare and under TLS.
fn policy(tables: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}\n\
         [[service]]\nname = \"sip\"\nkind = \"sip\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n\
         [[service]]\nname = \"sips\"\nkind = \"sips\"\nports = [\"tcp/5060-5061\"]\nfrom = \"countries\"\n{tables}",
        without_signatures()
    )
}

fn folder(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../crates/ringfence/tests/fixtures/asterisk")
        .join(name)
}

/// The events of a recording of chan_pjsip, as they are under TLS where `tls` says so: that is what the recordings do not
/// have and packets do not show.
fn events(name: &str, tls: bool) -> Vec<u8> {
    let recording = Recording::received(&folder("events"), name).unwrap();
    let text = String::from_utf8(recording.events()).unwrap();
    let text = if tls {
        text.replace("IPV4/UDP/", "IPV4/TLS/")
            .replace("IPV4/TCP/", "IPV4/TLS/")
    } else {
        text
    };
    text.into_bytes()
}

/// An Asterisk in the place of the telephone system that says this, and has what the recorded one had.
fn asterisk(lab: &Lab, events: Vec<u8>) -> Ami {
    let folder = folder("ami");
    let mut script = Script::default();
    for name in [
        "pjsip-show-contacts",
        "pjsip-show-endpoints",
        "pjsip-show-registrations-outbound",
        "iaxpeers",
        "core-settings",
    ] {
        let recording = Recording::load(&folder, name).unwrap();
        script = script.answering(&recording);
    }
    script.events = events;
    play(lab, script)
}

fn play(lab: &Lab, script: Script) -> Ami {
    lab.pbx.inside(|| Ami::play([script])).unwrap().unwrap()
}

/// Stands for the file that has the secret of [`section`], until [`guard`] knows its path.
const SECRET_FILE: &str = "(secret)";

/// The section that reaches it.
fn section(ami: &Ami) -> String {
    format!(
        "[asterisk]\nami = \"{}\"\nuser = \"fw\"\nsecret_file = \"{SECRET_FILE}\"\n",
        ami.address()
    )
}

/// A guarded laboratory.
fn guard<'lab>(lab: &'lab Lab, policy: &str) -> Ringfence<'lab> {
    let mut fence = Ringfence::prepare(lab).unwrap();
    let secret = fence.write("secret", "fw-secret-1\n").unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let policy = &policy.replace(SECRET_FILE, secret.to_str().unwrap());
    if let Err(error) = fence.guard(policy, COUNTRIES) {
        panic!("{error}\n{}", fence.log().unwrap_or_default());
    }
    fence
}

fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.output());
    answer.stdout
}

fn listed(fence: &Ringfence<'_>, listing: &str) -> Vec<Value> {
    let text = said(fence, &[listing, "--format", "json"]);
    let listed: Value = serde_json::from_str(&text).unwrap();
    listed.as_array().unwrap().clone()
}

/// Why an address is banned, if it is.
fn banned(fence: &Ringfence<'_>, address: &str) -> Option<String> {
    let bans = listed(fence, "bans");
    let ban = bans.iter().find(|ban| ban["address"] == address)?;
    ban["reason"].as_str().map(str::to_owned)
}

/// Whether an account is registered from an address.
fn is_registered(fence: &Ringfence<'_>, address: &str, account: &str) -> bool {
    listed(fence, "trust").iter().any(|it| {
        let has = |list: &Value, word: &str| {
            let list = list.as_array();
            list.is_some_and(|list| list.iter().any(|it| it == word))
        };
        it["address"] == address && has(&it["why"], "registered") && has(&it["accounts"], account)
    })
}

fn until(fence: &Ringfence<'_>, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        let told = || {
            let status = fence.cli(&["status"]).map(|answer| answer.output());
            format!(
                "{}\n{}",
                status.unwrap_or_default(),
                fence.log().unwrap_or_default()
            )
        };
        assert!(begun.elapsed() < LIMIT, "{what}\n{}", told());
        thread::sleep(Duration::from_millis(100));
    }
}
