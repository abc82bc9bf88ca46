//! What is found on this host.

use std::net::IpAddr;
use std::path::Path;

use super::{Configured, Heard, configured, heard};
use crate::net;

/// Where the secret for Asterisk's manager interface is kept, as `ringfence asterisk manager` says.
pub const SECRET: &str = "/etc/ringfence/ami.secret";

/// Sessions of administrators that are taken for such; with more than that the host is no telephone system.
const SESSIONS: usize = 4;

/// What was found on this host.
#[derive(Debug, Default)]
pub struct Facts {
    /// What listens.
    pub heard: Heard,
    /// What Asterisk's files say.
    pub configured: Configured,
    /// Whether FreePBX is installed.
    pub freepbx: bool,
    /// The ports that SSH servers listen on.
    pub ssh_ports: Vec<u16>,
    /// The addresses that this host is administered from just now over SSH: that of this session where it is known, else
    /// of all. None of loopback.
    pub ssh_clients: Vec<IpAddr>,
    /// Whether the secret for Asterisk's manager interface is there.
    pub secret: bool,
    /// What could not be found out.
    pub remarks: Vec<String>,
}

impl Facts {
    /// Looks around. `root` is `/` but in tests: the files are below it; sockets are those of this host in any case.
    pub fn gather(root: &Path) -> Self {
        let mut facts = Self {
            configured: configured(&root.join("etc/asterisk")),
            freepbx: ["etc/freepbx.conf", "etc/amportal.conf"]
                .iter()
                .any(|file| root.join(file).is_file()),
            secret: root.join(SECRET.trim_start_matches('/')).is_file(),
            ..Self::default()
        };
        let listeners = net::listeners().unwrap_or_else(|error| {
            facts
                .remarks
                .push(format!("{error}; what listens is not known"));
            Vec::new()
        });
        if !nix::unistd::geteuid().is_root() {
            let remark = "which program holds which port cannot be seen: run this as root";
            facts.remarks.push(remark.to_owned());
        }
        for file in &facts.configured.not_read {
            facts.remarks.push(format!("not read: {file}"));
        }
        facts.heard = heard(&listeners, &facts.configured);
        let listened = |port: &u16| listeners.iter().any(|of| of.address.port() == *port);
        facts.ssh_ports = net::sshd_ports().unwrap_or_default();
        facts.ssh_ports.retain(listened);
        facts.ssh_clients = clients(&facts.ssh_ports);
        if let Some(session) = net::ssh_connection() {
            let port = session.local.port();
            if !facts.ssh_ports.contains(&port) {
                facts.ssh_ports.push(port);
            }
        }
        facts
    }
}

/// Who administers this host.
fn clients(ports: &[u16]) -> Vec<IpAddr> {
    let own = net::ssh_connection().map(|session| session.remote.ip());
    let mut clients: Vec<IpAddr> = match own {
        Some(own) => vec![own],
        // sudo takes the variable away.
        None => {
            let sessions = net::ssh_sessions(ports).unwrap_or_default();
            sessions.iter().map(|session| session.remote.ip()).collect()
        }
    };
    clients.retain(|client| !client.is_loopback());
    clients.sort_unstable();
    clients.dedup();
    clients.truncate(SESSIONS);
    clients
}
