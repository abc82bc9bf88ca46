//! Starts, stops and reloads.

use crate::place::{Daemon, privileged};

#[test]
fn a_second_daemon_touches_nothing() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "mode = \"enforce\"", &[]);
        let program = place.program();
        let second = daemon.refused(&["run", "--interface", "sip.0", "--shadow"]);
        assert!(second.contains("a daemon runs already"), "{second}");
        assert_eq!(place.program(), program);
        assert!(daemon.done(&["status"]).starts_with("mode enforce\n"));
    });
}

#[test]
fn a_stop_is_over_when_it_is_answered() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        assert!(place.program().is_some());
        assert_eq!(daemon.done(&["stop"]), "the fence is taken down\n");
        assert_eq!(place.program(), None);
        // At once, though the first daemon may not have ended yet.
        let again = Daemon::start(place, "d", "", &[]);
        assert!(place.program().is_some());
        drop(again);
    });
}

#[test]
fn a_reload_moves_no_files() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        place.write(
            "d",
            "ringfence.toml",
            "bpffs = \"/nowhere\"\nstate = \"/nowhere\"",
        );
        daemon.done(&["reload"]);
        daemon.done(&["stop"]);
        assert_eq!(place.program(), None);
        let log = daemon.kill();
        assert!(log.contains("`bpffs` stays /"), "{log}");
        assert!(log.contains("`state` stays /"), "{log}");
    });
}
