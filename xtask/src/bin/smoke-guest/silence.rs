//! A connection that the fence drops: it ends at the server, and its peer is told nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::daemon::ask;
use crate::report::Report;
use crate::scenario::GUARDED;
use crate::system::{Elsewhere, tool};

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 10], 5060);
/// How long a handshake or the end of a session takes at most, and for how long a reset is listened for.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
const STAYS_AWAY: Duration = Duration::from_secs(2);

/// The filters of what the guarded interface sends, a line each.
pub fn filters() -> Result<Vec<String>> {
    let shown = tool("tc", &format!("filter show dev {GUARDED} egress"))?;
    let filters = shown.lines().filter(|line| line.contains(" handle "));
    Ok(filters.map(str::to_owned).collect())
}

/// A stranger connects and speaks what is no SIP.
pub fn check(what: &str, stranger: &Elsewhere, report: &mut Report) -> Result<()> {
    let silenced = || -> Result<u64> {
        let status = ask(&["status"])?;
        let count = status["events"]["silenced"].as_u64();
        count.context("`status` tells no `silenced`")
    };
    let before = silenced()?;
    let server = SocketAddr::from(SERVER);
    let listener = TcpListener::bind(server).context("cannot listen")?;
    let mut client = stranger
        .with(|| Ok(TcpStream::connect_timeout(&server, ENDS_WITHIN)?))
        .context("the stranger cannot connect")?;
    let (mut session, _) = listener.accept()?;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let end = outcome(&mut session, ENDS_WITHIN)?;
    report.check(
        format_args!("{what}, a connection that speaks no SIP is destroyed"),
        end == Err(ErrorKind::ConnectionAborted),
        format_args!("the server reads {end:?}"),
    );
    let heard = outcome(&mut client, STAYS_AWAY)?;
    report.check(
        format_args!("{what}, its peer hears no reset"),
        matches!(heard, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        format_args!("it reads {heard:?}"),
    );
    let after = silenced()?;
    report.check(
        format_args!("{what}, silence is counted"),
        after > before,
        format_args!("{before}, then {after}"),
    );
    Ok(())
}

/// What a read comes to within a time.
fn outcome(stream: &mut TcpStream, limit: Duration) -> Result<Result<usize, ErrorKind>> {
    stream.set_read_timeout(Some(limit))?;
    Ok(stream.read(&mut [0; 64]).map_err(|error| error.kind()))
}
