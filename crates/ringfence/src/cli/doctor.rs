//! `ringfence doctor`: what stands in the way of the fence, each with a remedy.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use serde_json::json;

use super::leak::{self, Looked};
use super::{FAILED, Format, Global, offline};
use crate::net::{self, Interface, LinkType, Route, XdpMode};
use crate::privilege;

/// The oldest kernel that loads the programs.
const FLOOR: (u32, u32) = (6, 1);
/// Programs that filter too, by the name of their process.
const FILTERS: [&str; 5] = [
    "fail2ban-server",
    "firewalld",
    "crowdsec",
    "suricata",
    "snort",
];

/// Tell what stands in the way of the fence, and what to do about it
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence doctor\n  ringfence doctor --format json\n\n\
    Exit codes: 0 the fence can stand, 1 something is in its way."
)]
pub struct Args {}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fine,
    Note,
    Problem,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    what: String,
    state: State,
    found: String,
    remedy: String,
}

fn finding(what: &str, state: State, found: String, remedy: &str) -> Finding {
    let remedy = if state == State::Fine { "" } else { remedy };
    Finding {
        what: what.to_owned(),
        state,
        found,
        remedy: remedy.to_owned(),
    }
}

/// Does it.
///
/// # Errors
/// When the network cannot be asked or the answer not be written.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let bpffs = global.bpffs.as_ref().unwrap_or(&config.bpffs);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (interfaces, routes) =
        runtime.block_on(async { anyhow::Ok((net::interfaces().await?, net::routes().await?)) })?;
    let release = nix::sys::utsname::uname()?;
    let mut findings = vec![
        kernel(&release.release().to_string_lossy()),
        capabilities(privilege::missing(privilege::FENCE)),
        mount(bpffs),
        compiler(fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok()),
    ];
    let ours = bpffs.join("ringfence").is_dir();
    findings.extend(links(&config.interfaces, &interfaces, &routes, ours));
    findings.push(filters(&processes()));
    findings.push(clock(synchronised()));
    let own = net::own_addresses(&interfaces);
    let leaks = runtime.block_on(leak::look(&config, &own));
    findings.extend(leaks.into_iter().map(told));
    show(global.format, &findings)?;
    let problem = findings.iter().any(|f| f.state == State::Problem);
    Ok(ExitCode::from(if problem { FAILED } else { 0 }))
}

/// Where strangers may have the domain from.
fn told(looked: Looked) -> Finding {
    let state = if looked.fine {
        State::Fine
    } else {
        State::Note
    };
    finding(looked.what, state, looked.found, looked.remedy)
}

fn show(format: Format, findings: &[Finding]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for Finding {
        what,
        state,
        found,
        remedy,
    } in findings
    {
        let state = state.name();
        if format == Format::Json {
            let remedy = (!remedy.is_empty()).then_some(remedy);
            writeln!(
                out,
                "{}",
                json!({ "check": what, "state": state, "found": found, "remedy": remedy })
            )?;
            continue;
        }
        writeln!(out, "{state:8}{what}: {found}")?;
        if !remedy.is_empty() {
            writeln!(out, "        -> {remedy}")?;
        }
    }
    Ok(())
}

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let version = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    };
    let state = if version >= FLOOR {
        State::Fine
    } else {
        State::Problem
    };
    finding(
        "kernel",
        state,
        format!("Linux {release}"),
        "install Linux 6.1 or newer",
    )
}

fn capabilities(missing: io::Result<Vec<&str>>) -> Finding {
    let (state, found) = match missing {
        Ok(missing) if missing.is_empty() => (State::Fine, "all there".to_owned()),
        Ok(missing) => (State::Problem, format!("{} missing", missing.join(", "))),
        Err(error) => (State::Note, format!("the kernel does not say: {error}")),
    };
    let remedy = "run as root, or give them with AmbientCapabilities= in the systemd unit";
    finding("capabilities", state, found, remedy)
}

fn mount(bpffs: &Path) -> Finding {
    let mounted = statfs(bpffs).is_ok_and(|s| s.filesystem_type() == BPF_FS_MAGIC);
    let (state, found) = if mounted {
        (State::Fine, format!("mounted at {}", bpffs.display()))
    } else {
        (
            State::Problem,
            format!("no BPF file system at {}", bpffs.display()),
        )
    };
    let remedy = format!("mount -t bpf bpf {}", bpffs.display());
    finding("bpffs", state, found, &remedy)
}

fn compiler(enabled: Option<String>) -> Finding {
    let (state, found) = match enabled.as_deref().map(str::trim) {
        Some("0") => (State::Note, "off: each packet costs many times more"),
        Some(_) => (State::Fine, "on"),
        None => (State::Note, "not visible here"),
    };
    finding(
        "BPF compiler",
        state,
        found.to_owned(),
        "sysctl -w net.core.bpf_jit_enable=1",
    )
}

/// The interfaces to guard: those named, else those of the default routes.
fn links(named: &[String], interfaces: &[Interface], routes: &[Route], ours: bool) -> Vec<Finding> {
    let default = net::default_route_interfaces(routes);
    let guarded = |interface: &&Interface| {
        if named.is_empty() {
            default.contains(&interface.index)
        } else {
            named.contains(&interface.name)
        }
    };
    let chosen = interfaces.iter().filter(guarded);
    let mut findings: Vec<_> = chosen.map(|interface| link(interface, ours)).collect();
    for name in named {
        if !interfaces.iter().any(|interface| interface.name == *name) {
            let remedy = "correct `interfaces`, or create it: the fence takes it up when it comes";
            let what = format!("interface {name}");
            findings.push(finding(
                &what,
                State::Problem,
                "there is none".to_owned(),
                remedy,
            ));
        }
    }
    if findings.is_empty() {
        let remedy = "name the interfaces to guard: `interfaces = [...]` or --interface";
        let found = "there is no default route".to_owned();
        findings.push(finding("interface", State::Problem, found, remedy));
    }
    findings
}

fn link(interface: &Interface, ours: bool) -> Finding {
    let what = format!("interface {}", interface.name);
    let driver = interface.driver.as_deref().unwrap_or("unknown");
    let mut found = format!("driver {driver}, MTU {}", interface.mtu);
    if !interface.up {
        return finding(
            &what,
            State::Problem,
            found + ", down",
            &format!("ip link set {} up", interface.name),
        );
    }
    if let LinkType::Other(hardware) = interface.link_type {
        found += &format!(", hardware type {hardware}");
        return finding(
            &what,
            State::Problem,
            found,
            "guard an Ethernet or IP interface instead",
        );
    }
    let Some(attached) = interface.xdp else {
        return finding(&what, State::Fine, found + ", no XDP program", "");
    };
    let mode = match attached.mode {
        XdpMode::Driver => "driver",
        XdpMode::Generic => "generic",
        XdpMode::Offloaded => "offloaded",
        XdpMode::Several => "several",
    };
    found += &format!(", XDP program {} in {mode} mode", attached.prog_id);
    if !ours {
        let remedy = format!(
            "it takes the fence's place: `bpftool net`, then `ip link set {} xdp off`",
            interface.name
        );
        return finding(&what, State::Problem, found, &remedy);
    }
    let generic = attached.mode == XdpMode::Generic;
    let state = if generic { State::Note } else { State::Fine };
    finding(
        &what,
        state,
        found,
        "generic mode costs more; `ringfence status` says why the driver refused",
    )
}

/// The names of all processes.
fn processes() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

fn filters(running: &BTreeSet<String>) -> Finding {
    let found: Vec<_> = FILTERS
        .into_iter()
        .filter(|name| running.contains(*name))
        .collect();
    if found.is_empty() {
        return finding(
            "other filters",
            State::Fine,
            "none known is running".to_owned(),
            "",
        );
    }
    let remedy = "nothing to do: they see what passes the fence, and may drop more";
    finding("other filters", State::Note, found.join(", "), remedy)
}

/// Whether the kernel holds the clock to be right; `None` where it does not say.
fn synchronised() -> Option<bool> {
    // SAFETY: all zeroes is a value of this structure of integers.
    let mut answer: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: with `modes` 0 the call only writes to the structure it is given.
    let state = unsafe { libc::adjtimex(&raw mut answer) };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}

fn clock(synchronised: Option<bool>) -> Finding {
    let (state, found) = match synchronised {
        Some(true) => (State::Fine, "synchronised"),
        Some(false) => (
            State::Note,
            "not synchronised: times of events may be wrong",
        ),
        None => (State::Note, "the kernel does not say"),
    };
    finding(
        "clock",
        state,
        found.to_owned(),
        "run a time service: apt-get install chrony",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels() {
        for (release, state) in [
            ("6.1.0-56-cloud-amd64", State::Fine),
            ("6.18.3", State::Fine),
            ("7.0-rc1", State::Fine),
            ("5.15.0-91-generic", State::Problem),
            ("strange", State::Problem),
        ] {
            assert_eq!(kernel(release).state, state, "{release}");
        }
    }

    #[test]
    fn every_trouble_has_a_remedy() {
        let findings = [
            kernel("5.10.0"),
            capabilities(Ok(vec!["CAP_BPF"])),
            mount(Path::new("/proc")),
            compiler(Some("0\n".to_owned())),
            filters(&BTreeSet::from(["firewalld".to_owned()])),
            clock(Some(false)),
        ];
        for finding in findings {
            assert!(
                finding.state != State::Fine && !finding.remedy.is_empty(),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn a_foreign_program_is_in_the_way() {
        let mut interface = Interface {
            index: 2,
            name: "eth0".to_owned(),
            mtu: 1500,
            link_type: LinkType::Ethernet,
            up: true,
            driver: None,
            addresses: Vec::new(),
            xdp: None,
        };
        assert_eq!(link(&interface, false).state, State::Fine);
        let named =
            |name: &str| links(&[name.to_owned()], &[interface.clone()], &[], false)[0].state;
        assert_eq!(
            (named("eth0"), named("eth1")),
            (State::Fine, State::Problem)
        );
        assert_eq!(
            links(&[], &[interface.clone()], &[], false)[0].state,
            State::Problem
        );
        interface.xdp = Some(net::XdpAttachment {
            mode: XdpMode::Driver,
            prog_id: 7,
        });
        assert_eq!(link(&interface, false).state, State::Problem);
        assert_eq!(link(&interface, true).state, State::Fine);
    }
}
