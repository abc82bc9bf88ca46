//! A server behind a filter of its own: two network namespaces, a cable, and a socket on the port of SIP.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use ringfence_lab::Netns;

/// The interface that the filter stands on.
pub const GUARDED: &str = "eth0";
const OUTSIDE: &str = "wire0";
/// The addresses that frames are written with.
const SERVER: &str = "192.0.2.10";
const SERVER_MAC: &str = "02:00:00:00:00:01";
const ROUTER: &str = "192.0.2.1";
const ROUTER_MAC: &str = "02:00:00:00:00:02";

/// Both namespaces, and the socket.
pub struct Place {
    inside: Netns,
    outside: Netns,
    socket: UdpSocket,
}

impl Place {
    /// Lays it out; `number` tells places of one run apart.
    pub fn new(number: u32) -> Result<Self> {
        let outside = Netns::create(number, "outside")?;
        let inside = Netns::create(number, "inside")?;
        for place in [&outside, &inside] {
            place.set("net/ipv6/conf/all/disable_ipv6", "1")?;
            place.set("net/ipv4/conf/all/rp_filter", "0")?;
            place.set("net/ipv4/conf/default/rp_filter", "0")?;
        }
        let (at_outside, at_inside) = (outside.name(), inside.name());
        for line in [
            format!(
                "-n {at_outside} link add {OUTSIDE} address {ROUTER_MAC} type veth peer name {GUARDED} address \
                 {SERVER_MAC} netns {at_inside}"
            ),
            format!("-n {at_inside} address add {SERVER}/24 dev {GUARDED}"),
            format!("-n {at_outside} link set {OUTSIDE} up"),
            format!("-n {at_inside} link set {GUARDED} up"),
            format!(
                "-n {at_inside} neighbour add {ROUTER} lladdr {ROUTER_MAC} dev {GUARDED} nud permanent"
            ),
            format!("-n {at_inside} route add default via {ROUTER}"),
        ] {
            feed(Command::new("ip").args(line.split_whitespace()), "")?;
        }
        // With receive offload a cable hands frames over as a driver does, from a queue that is polled.
        feed(
            inside.command("ethtool").args(["-K", GUARDED, "gro", "on"]),
            "",
        )?;
        let socket = inside.inside(|| UdpSocket::bind((SERVER, 5060)))??;
        // Nobody reads it: a reader would cost more than the filter, on this processor or on another.
        setsockopt(&socket, RcvBuf, &1)?;
        Ok(Self {
            inside,
            outside,
            socket,
        })
    }

    /// A command in the server's namespace.
    pub fn command(&self, program: &str) -> Command {
        self.inside.command(program)
    }

    /// Runs `work` on a thread of the server's namespace, with the index of the guarded interface.
    pub fn at_server<T: Send>(&self, work: impl FnOnce(u32) -> Result<T> + Send) -> Result<T> {
        self.inside.inside(|| work(if_nametoindex(GUARDED)?))?
    }

    /// Runs `work` on a thread outside, with the index of the interface that leads to the server.
    pub fn at_sender<T: Send>(&self, work: impl FnOnce(u32) -> Result<T> + Send) -> Result<T> {
        self.outside.inside(|| work(if_nametoindex(OUTSIDE)?))?
    }

    /// Lets the server speak to each of these senders, so that a filter with connection tracking knows them.
    pub fn speak_to(&self, senders: &[[u8; 4]]) -> Result<()> {
        for sender in senders {
            self.socket
                .send_to(b"\r\n\r\n", (Ipv4Addr::from(*sender), 5060))?;
        }
        Ok(())
    }

    /// How many packets reached the socket, since the place stands.
    pub fn reached(&self) -> Result<u64> {
        let text = self.at_server(|_| Ok(fs::read_to_string("/proc/thread-self/net/snmp")?))?;
        let mut rows = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let (names, values) = rows.next().zip(rows.next()).context("no counters of UDP")?;
        let found = names
            .split(' ')
            .zip(values.split(' '))
            .find(|(name, _)| *name == "RcvbufErrors");
        Ok(found.context("no count of full sockets")?.1.parse()?)
    }
}

/// Runs a command that must succeed, with this text as its input.
pub fn feed(command: &mut Command, text: &str) -> Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut input = child.stdin.take().context("no input")?;
    // Whoever stops reading says why on its other end.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Writes a file of a filter's.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
