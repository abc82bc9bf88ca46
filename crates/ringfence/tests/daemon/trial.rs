//! Policies on trial.

use crate::place::{Daemon, privileged, wait};

fn lapsed(daemon: &Daemon<'_>) {
    wait("the trial is over", || {
        let status = daemon.done(&["status"]);
        status.starts_with("mode shadow, since the trial was not confirmed; `ringfence reload")
    });
}

#[test]
fn a_trial_that_nobody_confirms_stays_shadow() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "mode = \"enforce\"", &["--confirm", "1s"]);
        lapsed(&daemon);
        let late = daemon.refused(&["confirm"]);
        assert!(late.contains("the trial is over"), "{late}");
        // The configuration says enforce, and a reload alone does not.
        let reloaded = daemon.done(&["reload"]);
        assert!(reloaded.starts_with("reloaded: shadow"), "{reloaded}");
        assert!(reloaded.contains("was not confirmed"), "{reloaded}");
        lapsed(&daemon);
        let json = daemon.done(&["status", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["mode"], &json["trial"]),
            (&"shadow".into(), &"lapsed".into())
        );

        // Another trial, confirmed, lasts across a reload.
        let again = daemon.done(&["reload", "--confirm", "60s"]);
        assert!(again.contains("on trial for another"), "{again}");
        daemon.done(&["confirm"]);
        assert!(daemon.done(&["reload"]).starts_with("reloaded: enforce"));
        assert!(daemon.done(&["status"]).starts_with("mode enforce\n"));
        let log = daemon.kill();
        assert!(log.contains("`ringfence reload --confirm 60s`"), "{log}");
    });
}

#[test]
fn a_trial_outlasts_a_reload_and_ends_with_its_mode() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "mode = \"enforce\"", &[]);
        daemon.done(&["reload", "--confirm", "60s"]);
        let reloaded = daemon.done(&["reload"]);
        assert!(reloaded.contains("on trial for another"), "{reloaded}");
        // A mistake leaves both the policy and its trial as they are.
        place.configure("d", "mode = \"sahdow\"");
        let refused = daemon.refused(&["reload", "--shadow"]);
        assert!(refused.contains("the old policy stays"), "{refused}");
        let status = daemon.done(&["status"]);
        assert!(status.starts_with("mode enforce, on trial for"), "{status}");
        place.configure("d", "");
        assert!(
            daemon
                .done(&["reload", "--shadow"])
                .starts_with("reloaded: shadow")
        );
        assert_eq!(daemon.done(&["confirm"]), "no policy is on trial\n");
    });
}
