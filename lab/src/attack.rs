//! Attackers: the tools that real scanners use, in the laboratory's `attacker` place.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::netns::Netns;
use crate::process::{Finished, run};
use crate::sipp::{Plan, Run, SippReport};
use crate::target_directory;
use crate::topology::Lab;

/// No tool runs longer.
const LIMIT: Duration = Duration::from_secs(30);

/// What a tool of sipvicious reported.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The rows of its result: device and User-Agent (`svmap`), extension and whether it wants
    /// authentication (`svwar`), extension and password (`svcrack`).
    pub found: Vec<(String, String)>,
    /// Whether anything answered, as far as the tool says.
    pub answered: bool,
    /// How the program ended.
    pub finished: Finished,
}

/// What sipsak reported.
#[derive(Debug, Clone)]
pub struct Ping {
    /// Whether a final response came.
    pub answered: bool,
    /// How the program ended.
    pub finished: Finished,
}

/// What a flood met.
#[derive(Debug, Clone)]
pub struct Flood {
    /// Requests sent.
    pub sent: u64,
    /// Requests that were challenged.
    pub answered: u64,
    /// All that SIPp reported.
    pub report: SippReport,
}

/// Looks for a SIP device with `svmap`. `from` is an address of the attacker.
pub fn svmap(lab: &Lab, from: IpAddr, target: IpAddr) -> Result<Scan> {
    let finished = sipvicious(lab, "svmap", from, target, &[])?;
    let found = table(&finished.stdout);
    Ok(Scan {
        answered: !found.is_empty(),
        found,
        finished,
    })
}

/// Looks for extensions with `svwar`, which tries them by REGISTER, as in `1000-1020`. Whatever
/// `from` is, it sends from the first address of the attacker; so does [`svcrack`].
pub fn svwar(lab: &Lab, from: IpAddr, target: IpAddr, extensions: &str) -> Result<Scan> {
    let finished = sipvicious(lab, "svwar", from, target, &["--force", "-e", extensions])?;
    let found = table(&finished.stdout);
    let answered = !found.is_empty() || finished.stderr.contains("SIP/2.0 ");
    Ok(Scan {
        found,
        answered,
        finished,
    })
}

/// Tries passwords for one user with `svcrack`.
pub fn svcrack(
    lab: &Lab,
    from: IpAddr,
    target: IpAddr,
    user: u16,
    passwords: &[&str],
) -> Result<Scan> {
    let list = lab.directory("svcrack-")?.join("passwords");
    fs::write(&list, passwords.join("\n") + "\n").during("write the list of passwords")?;
    let list = list.to_string_lossy();
    let options = ["-u", &user.to_string(), "-d", &list];
    let finished = sipvicious(lab, "svcrack", from, target, &options)?;
    let answered = !finished.stderr.contains("no server response");
    Ok(Scan {
        found: table(&finished.stdout),
        answered,
        finished,
    })
}

/// A guesser that nothing tells from phones but what it asks for: the tools of sipvicious without
/// their habits, each request from the next of its addresses.
#[derive(Debug, Clone)]
pub struct Guesser<'a> {
    /// Where it is.
    pub place: &'a Netns,
    /// Its addresses, which the place must have.
    pub from: Vec<IpAddr>,
}

impl Guesser<'_> {
    /// Looks for extensions by REGISTER, as in `1000-1020`.
    pub fn svwar(&self, lab: &Lab, target: IpAddr, extensions: &str) -> Result<Scan> {
        let finished = self.run(lab, "svwar", target, &["--force", "-e", extensions])?;
        let found = table(&finished.stdout);
        let answered = !finished.stderr.contains("No server response");
        Ok(Scan {
            found,
            answered,
            finished,
        })
    }

    /// Tries passwords for one user.
    pub fn svcrack(
        &self,
        lab: &Lab,
        target: IpAddr,
        user: u16,
        passwords: &[String],
    ) -> Result<Scan> {
        let list = lab.directory("svcrack-")?.join("passwords");
        fs::write(&list, passwords.join("\n") + "\n").during("write the list of passwords")?;
        let (user, list) = (user.to_string(), list.to_string_lossy());
        let options = ["-u", &user, "-d", &list, "--maximumtime=1", "-t", "0.002"];
        let finished = self.run(lab, "svcrack", target, &options)?;
        let answered = !finished.stderr.contains("no server response");
        Ok(Scan {
            found: table(&finished.stdout),
            answered,
            finished,
        })
    }

    fn run(&self, lab: &Lab, tool: &str, target: IpAddr, options: &[&str]) -> Result<Finished> {
        let python = target_directory().join("lab-venv/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/disguised.py");
        let addresses: Vec<_> = self.from.iter().map(IpAddr::to_string).collect();
        let mut command = self.place.command(&python);
        command.env("HOME", lab.directory("home-")?);
        command.arg(script).args([tool, &addresses.join(",")]);
        if target.is_ipv6() {
            command.arg("-6");
        }
        command.args(options).arg(target.to_string());
        let finished = run(&mut command, LIMIT)?;
        sound(&command, finished)
    }
}

/// Sends one OPTIONS with `sipsak`, which knows IPv4 only and repeats it for `limit`.
pub fn sipsak(lab: &Lab, target: Ipv4Addr, limit: Duration) -> Result<Ping> {
    let mut command = lab.attacker.command("sipsak");
    command.args(["-vv", "-s", &format!("sip:1001@{target}")]);
    let finished = run(&mut command, limit)?;
    Ok(Ping {
        answered: finished.stdout.contains("SIP/2.0 "),
        finished,
    })
}

/// Sends `count` REGISTERs over UDP, each for another user, at `rate` a second.
pub fn register_flood(
    lab: &Lab,
    from: SocketAddr,
    target: IpAddr,
    count: u32,
    rate: u32,
    user_agent: &str,
) -> Result<Flood> {
    let flooding = begin_register_flood(lab, from, target, count, rate, user_agent)?;
    let report = flooding.0.report()?;
    Ok(Flood {
        sent: report.total("REGISTER", "Sent"),
        answered: report.total("401", "Recv"),
        report,
    })
}

/// A flood that goes on until this value is dropped, or its count is sent.
#[derive(Debug)]
pub struct Flooding(Run);

impl Flooding {
    /// Whether it has nothing left to send, or broke.
    pub fn has_ended(&self) -> Result<bool> {
        self.0.has_ended()
    }
}

/// Begins a flood as [`register_flood`] does, and does not wait for its end.
pub fn begin_register_flood(
    lab: &Lab,
    from: SocketAddr,
    target: IpAddr,
    count: u32,
    rate: u32,
    user_agent: &str,
) -> Result<Flooding> {
    let plan = Plan {
        scenario: "flood",
        place: &lab.attacker,
        transport: "u1",
        local: from,
        remote: Some(target),
        calls: count,
        rate,
        keys: &[("user_agent", user_agent)],
        pause: Duration::ZERO,
        fields: None,
    };
    plan.start(lab).map(Flooding)
}

fn sipvicious(
    lab: &Lab,
    tool: &str,
    from: IpAddr,
    target: IpAddr,
    options: &[&str],
) -> Result<Finished> {
    // `lab/setup.sh` makes this Python environment.
    let program = target_directory().join(format!("lab-venv/bin/sipvicious_{tool}"));
    let mut command = lab.attacker.command(&program);
    command.env("HOME", lab.directory("home-")?);
    command.args(["-b", &from.to_string()]).args(options);
    if target.is_ipv6() {
        // The tools write the address into Via as it is given: without brackets no server reads it.
        command.args(["-6", "-x", &format!("[{from}]")]);
    }
    let finished = run(command.arg(target.to_string()), LIMIT)?;
    sound(&command, finished)
}

/// A tool that broke has found nothing either, which says nothing about the target.
fn sound(command: &Command, finished: Finished) -> Result<Finished> {
    if finished
        .stderr
        .contains("Traceback (most recent call last)")
    {
        return Err(Error::Failed {
            command: format!("{command:?}"),
            output: finished.output(),
        });
    }
    Ok(finished)
}

/// The two columns of a table that sipvicious draws; the first row is its head.
fn table(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
    rows.filter_map(|row| {
        let mut cells = row.split('|').skip(1).map(|cell| cell.trim().to_owned());
        Some((cells.next()?, cells.next()?))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn reads_tables() {
        let text = "+---+---+\n| SIP Device | User Agent |\n+===+===+\n\
                    | 2001:db8:1::10:5060 | Kamailio |\n+---+---+\n";
        assert_eq!(
            table(text),
            [("2001:db8:1::10:5060".to_owned(), "Kamailio".to_owned())]
        );
        assert!(table("WARNING:root:found nothing\n").is_empty());
    }
}
