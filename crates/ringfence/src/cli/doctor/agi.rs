//! Whether the FastAGI server has its port.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::finding::{Finding, State, finding};
use crate::config::Agi;
use crate::net;

/// Looks at `[agi]`.
pub(super) fn look(agi: &Agi) -> Finding {
    let (what, address) = ("FastAGI", agi.listen);
    let error = match TcpListener::bind(address) {
        Ok(_) => {
            let found = format!("{address} is free; the daemon listens there while it runs");
            return finding(what, State::Fine, found, "");
        }
        Err(error) => error,
    };
    if error.kind() != ErrorKind::AddrInUse {
        let found = format!("{address} cannot be listened on: {error}");
        let remedy = "have `listen` of [agi] name an address of this host, and a port above 1023";
        return finding(what, State::Problem, found, remedy);
    }
    match net::listener(address).ok().flatten() {
        Some(name) if name == "ringfence" => {
            let found = format!("the daemon listens on {address}");
            finding(what, State::Fine, found, "")
        }
        Some(name) => {
            let found = format!("{name} listens on {address}");
            let remedy = "have `listen` of [agi] name another port; `ringfence asterisk dialplan` then prints it too";
            finding(what, State::Problem, found, remedy)
        }
        None => {
            let found = format!("somebody listens on {address}, who cannot be seen");
            let remedy = "run this as root, to see whether it is the daemon";
            finding(what, State::Note, found, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_port_is_named() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let agi = Agi {
            listen: other.local_addr().unwrap(),
            ..Agi::default()
        };
        let held = look(&agi);
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(held.state, State::Problem, "{held:?}");
        assert!(held.found.starts_with(name.trim_end()), "{held:?}");
        drop(other);
        assert_eq!(look(&agi).state, State::Fine);
        // Documentation has no host (RFC 5737).
        let listen = "192.0.2.1:4573".parse().unwrap();
        let nowhere = look(&Agi {
            listen,
            ..Agi::default()
        });
        assert_eq!(nowhere.state, State::Problem, "{nowhere:?}");
    }
}
