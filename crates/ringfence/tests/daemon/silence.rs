//! A connection that is dropped ends here, and its peer is told nothing.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ringfence_core::control::LAYOUT;

use super::place::{Daemon, privileged};

const OPEN: &str = r#"
mode = "enforce"
permit_private = false
[[service]]
name = "sip"
kind = "sip"
ports = ["tcp/5060"]
from = "anyone"
"#;

fn status(daemon: &Daemon<'_>) -> serde_json::Value {
    let status = daemon.done(&["status", "--format", "json"]);
    serde_json::from_str(&status).unwrap()
}

#[test]
fn the_peer_of_a_dropped_connection_hears_no_reset() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", OPEN, &[]);
        let listener = TcpListener::bind("198.51.100.1:5060").unwrap();
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                stream
                    .set_read_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                stream.read(&mut [0; 64]).unwrap_err().kind()
            });
            place.peer(|| {
                let mut stream = TcpStream::connect("198.51.100.1:5060").unwrap();
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                let destroyed = server.join().unwrap();
                assert_eq!(destroyed, ErrorKind::ConnectionAborted);
                stream
                    .set_read_timeout(Some(Duration::from_secs(2)))
                    .unwrap();
                let heard = stream.read(&mut [0; 64]).unwrap_err().kind();
                assert!(
                    matches!(heard, ErrorKind::WouldBlock | ErrorKind::TimedOut),
                    "{heard}"
                );
            });
        });
        let status = status(&daemon);
        assert_eq!(status["interfaces"][0]["egress"], true, "{status}");
        assert_ne!(status["events"]["silenced"], 0, "{status}");
        assert_ne!(
            status["packets"]["reasons"]["malformed"]["drop"], 0,
            "{status}"
        );
    });
}

#[test]
fn an_interface_whose_sending_is_not_seen_is_told_until_it_is() {
    privileged(|place| {
        // Where the link would be pinned there is something else.
        let obstacle = place.layout(LAYOUT).join("out-sip%2e0");
        fs::create_dir_all(&obstacle).unwrap();
        let daemon = Daemon::start(place, "d", OPEN, &[]);
        let text = daemon.done(&["status"]);
        assert!(
            text.contains("sip.0 guarded: driver; what it sends is NOT seen"),
            "{text}"
        );
        assert_eq!(status(&daemon)["interfaces"][0]["egress"], false);

        fs::remove_dir(&obstacle).unwrap();
        daemon.done(&["reload"]);
        let text = daemon.done(&["status"]);
        assert!(text.contains("sip.0 guarded: driver\n"), "{text}");
        assert_eq!(status(&daemon)["interfaces"][0]["egress"], true);
        let log = daemon.kill();
        assert_eq!(log.matches("is not seen").count(), 1, "{log}");
    });
}
