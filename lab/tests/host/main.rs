//! The host's firewall, with real connections from inside and outside of the countries that are admitted, and a real sshd.

mod daemon;
mod kept;
mod pinholes;
mod reached;
mod ssh;
mod trial;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{Netns, PBX_V4, PBX_V6, Ringfence};

/// How long a connection that is dropped is waited for.
const SHORT: Duration = Duration::from_millis(1500);
/// Not a measure: nothing here takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

/// The phone is in Britain, the attacker in Russia.
const COUNTRIES: &str = "198.51.100.0,198.51.100.255,GB\n203.0.113.0,203.0.113.255,RU\n\
    2001:db8:51::,2001:db8:51:0:ffff:ffff:ffff:ffff,GB\n2001:db8:bad::,2001:db8:bad:0:ffff:ffff:ffff:ffff,RU\n";

/// Two families of the telephone system.
const PBX: [IpAddr; 2] = [IpAddr::V4(PBX_V4), IpAddr::V6(PBX_V6)];

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Somebody answered.
    Open,
    /// An error came back that says that it is prohibited.
    Refused,
    /// Nobody listens there.
    Closed,
    /// Nothing came back.
    Silent,
}

/// Tries a TCP connection from a place.
fn tcp(place: &Netns, to: IpAddr, port: u16) -> Met {
    let tried = place
        .inside(|| TcpStream::connect_timeout(&SocketAddr::new(to, port), SHORT))
        .unwrap();
    met(tried.map(drop))
}

/// Sends a datagram from a place, and waits for its echo.
fn udp(place: &Netns, to: IpAddr, port: u16) -> Met {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let tried = place.inside(|| {
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(SHORT))?;
        socket.connect((to, port))?;
        socket.send(b"?")?;
        socket.recv(&mut [0; 8])
    });
    met(tried.unwrap().map(drop))
}

fn met(tried: std::io::Result<()>) -> Met {
    match tried.map_err(|error| error.raw_os_error()) {
        Ok(()) => Met::Open,
        // ICMP type 3 code 13, and ICMPv6 type 1 code 1.
        Err(Some(libc::EHOSTUNREACH | libc::EACCES)) => Met::Refused,
        Err(Some(libc::ECONNREFUSED)) => Met::Closed,
        Err(Some(libc::EAGAIN) | None) => Met::Silent,
        Err(other) => panic!("neither open, refused nor silent: {other:?}"),
    }
}

/// Ports of a place at which somebody answers what he hears, for as long as the test runs.
fn answer(place: &Netns, tcp: &[u16], udp: &[u16]) {
    for port in tcp {
        let listener = place.inside(|| TcpListener::bind(("::", *port))).unwrap();
        let listener = listener.unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                thread::spawn(move || {
                    let mut heard = [0; 64];
                    while let Ok(length @ 1..) = stream.read(&mut heard) {
                        let _ = stream.write_all(&heard[..length]);
                    }
                });
            }
        });
    }
    for port in udp {
        let socket = place
            .inside(|| UdpSocket::bind(("::", *port)))
            .unwrap()
            .unwrap();
        thread::spawn(move || {
            let mut heard = [0; 64];
            while let Ok((length, from)) = socket.recv_from(&mut heard) {
                let _ = socket.send_to(&heard[..length], from);
            }
        });
    }
}

/// Runs `ringfence host WORDS` with the files of this value.
fn host(fence: &Ringfence<'_>, words: &[&str]) -> Output {
    let mut command = fence.command();
    command
        .arg("host")
        .args(words)
        .arg("--state")
        .arg(fence.state());
    let file = |name: &str| fence.state().parent().unwrap().join(name);
    if file("ringfence.toml").exists() {
        command.arg("--config").arg(file("ringfence.toml"));
        command.arg("--country-db").arg(file("countries.csv"));
    }
    command.output().unwrap()
}

/// The same, which must be done.
fn done(fence: &Ringfence<'_>, words: &[&str]) -> String {
    let output = host(fence, words);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {output:?}");
    text
}

/// Writes the policy and the countries.
fn write(fence: &Ringfence<'_>, policy: &str) {
    fence.write("ringfence.toml", policy).unwrap();
    fence.write("countries.csv", COUNTRIES).unwrap();
}

/// Runs nft in a place.
fn nft(place: &Netns, words: &str) -> String {
    let mut command = place.command("nft");
    let output = command.args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < LIMIT, "{what}: not so");
        thread::sleep(Duration::from_millis(50));
    }
}
