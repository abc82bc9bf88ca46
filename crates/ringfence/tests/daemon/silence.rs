//! A connection that is dropped ends here, and its peer is told nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

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
        let status = daemon.done(&["status", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_ne!(status["events"]["silenced"], 0, "{status}");
        assert_ne!(
            status["packets"]["reasons"]["malformed"]["drop"], 0,
            "{status}"
        );
    });
}
