//! The Debian package on a fresh system: installed, upgraded under attack, purged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{
    Finished, Kamailio, Lab, PBX_V4, Phone, Service, System, Transport, attack, needs_root, program,
};

use crate::{COUNTRIES, at, passed};

/// Not a measure: nothing that is waited for takes so long.
const LIMIT: Duration = Duration::from_secs(30);
/// Requests a second of the attacker, and so many in all that the upgrade ends before them.
const FLOOD: (u32, u32) = (100, 12_000);
/// Registrations of the phone in a round, and in a second.
const ROUND: (u32, u32) = (10, 10);

const CONFIG: &str = "/etc/ringfence/ringfence.toml";
const UNIT: &str = "/usr/lib/systemd/system/ringfence.service";

/// The package of the program under test.
fn package(revision: &str, directory: &Path) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = directory.join(revision);
    let made = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--"])
        .args(["package", "--deb", "--quick", "--revision", revision])
        .arg("--program")
        .arg(fs::canonicalize(program()).unwrap())
        .arg("--output")
        .arg(&output)
        .current_dir(workspace)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let mut packages = fs::read_dir(output).unwrap();
    packages.next().unwrap().unwrap().path()
}

fn done(what: &str, finished: &Finished) -> String {
    assert_eq!(finished.code, 0, "{what}: {}", finished.output());
    finished.output()
}

/// Runs a program inside that must succeed; what it printed.
fn says(system: &System<'_>, words: &[&str]) -> String {
    done(&words.join(" "), &system.run(words).unwrap())
}

/// Copies a package inside, and installs it.
fn dpkg(system: &System<'_>, package: &Path) -> String {
    let inside = "/root/ringfence.deb";
    fs::copy(package, system.path(inside)).unwrap();
    let said = says(system, &["dpkg", "--install", inside]);
    fs::remove_file(system.path(inside)).unwrap();
    said
}

/// Starts what the unit starts, with the unit's capabilities, and waits until it answers.
fn start(system: &System<'_>) -> Service {
    let unit = fs::read_to_string(system.path(UNIT)).unwrap();
    let of = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().split(' ').map(str::to_owned)
    };
    let names: Vec<_> = of("CapabilityBoundingSet=")
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let set = format!("-all,{}", names.join(","));
    let bounds = ["setpriv", "--bounding-set", &set, "--inh-caps", &set];
    let bounds = bounds.into_iter().map(str::to_owned);
    let line: Vec<_> = bounds
        .chain(["--no-new-privs".to_owned()])
        .chain(of("ExecStart="))
        .collect();
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    let service = system.start(&words).unwrap();
    let begun = Instant::now();
    while system.run(&["ringfence", "status"]).unwrap().code != 0 {
        let ended = service.has_ended().unwrap() || begun.elapsed() > LIMIT;
        assert!(!ended, "{}", service.log().unwrap());
        thread::sleep(Duration::from_millis(50));
    }
    service
}

/// All files, pins and sockets inside that have the name in theirs.
fn named(system: &System<'_>) -> Vec<String> {
    let places = ["find", "/", "/run", "/sys/fs/bpf", "-xdev"];
    let found = says(system, &[&places[..], &["-iname", "*ringfence*"]].concat());
    found.lines().map(str::to_owned).collect()
}

/// What the fence says where something went wrong.
fn told(system: &System<'_>) -> String {
    let parts = [&["status"][..], &["trust"], &["events"]];
    let said = parts.map(|part| {
        system
            .run(&[&["ringfence"], part].concat())
            .unwrap()
            .output()
    });
    said.join("\n")
}

/// Ends what goes on all the while, also where something went wrong.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn guards(lab: &Lab) -> bool {
    let mut command = lab.pbx.command("ip");
    let shown = command
        .args(["-d", "link", "show", "eth0"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&shown.stdout).contains("prog/xdp")
}

/// Nothing of Ringfence is on the system or in the kernel.
fn nothing_left(lab: &Lab, system: &System<'_>) {
    assert_eq!(named(system), Vec::<String>::new());
    assert_eq!(system.processes().unwrap(), Vec::<String>::new());
    assert!(!guards(lab));
    let tables = says(system, &["nft", "list", "tables"]);
    assert_eq!(tables, "table inet theirs\n");
}

#[test]
fn the_package_from_its_installation_to_its_purge() {
    if needs_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["1", "2"].map(|revision| package(revision, directory.path()));
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let system = System::install(&lab, &["nftables"]).unwrap();

    installation(&system, &first);
    let running = upgrade(&lab, &system, &second);
    purge(&lab, &system, running);
    without_package(&lab, &system);
}

fn installation(system: &System<'_>, package: &Path) {
    let said = dpkg(system, package);
    assert!(said.contains("no SIP server is on this host"), "{said}");
    assert!(said.contains("systemd does not run here"), "{said}");
    // It would start at boot, in shadow mode; the configuration may hold secrets.
    let wants = "/etc/systemd/system/multi-user.target.wants/ringfence.service";
    assert!(fs::symlink_metadata(system.path(wants)).is_ok());
    let checked = says(system, &["ringfence", "check"]);
    assert!(checked.contains("shadow"), "{checked}");
    let mode = fs::metadata(system.path(CONFIG))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = says(
        system,
        &["dpkg-query", "-W", "-f=${Conffiles}", "ringfence"],
    );
    assert!(kept.contains(CONFIG), "{kept}");
    for file in [
        "/usr/share/bash-completion/completions/ringfence",
        "/usr/share/doc/ringfence/copyright",
        "/usr/lib/tmpfiles.d/ringfence.conf",
    ] {
        assert!(system.path(file).exists(), "{file}");
    }
    // What the package installed is the package's.
    for words in [
        &["install"][..],
        &["uninstall"],
        &["install", "--prefix", "/usr"],
    ] {
        let refused = system.run(&[&["ringfence"], words].concat()).unwrap();
        assert_ne!(refused.code, 0, "{words:?}");
        assert!(refused.stderr.contains("package"), "{}", refused.output());
    }
}

/// What it gives runs.
fn upgrade(lab: &Lab, system: &System<'_>, package: &Path) -> Service {
    let policy = format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n\
         {}\
         [country]\nfile = \"/etc/ringfence/countries.csv\"\n\
         [[service]]\nname = \"sip\"\nports = [\"udp/5060\", \"tcp/5060\"]\nfrom = \"countries\"\n\
         [trust]\nrequests = \"1000/10s\"\n",
        ringfence_lab::without_signatures()
    );
    fs::write(system.path(CONFIG), &policy).unwrap();
    fs::write(system.path("/etc/ringfence/countries.csv"), COUNTRIES).unwrap();
    let before = start(system);
    says(system, &["ringfence", "permit", "add", "203.0.113.77"]);

    let attacker = at("203.0.113.10:5060");
    let phone = Phone {
        user: 1001,
        address: at("198.51.100.10:5062").ip(),
        port: 5062,
        transport: Transport::Udp,
    };
    // Known before the attack, as phones are.
    assert!(phone.register(lab, 1, 1).unwrap().is_flawless());
    let intruded = passed(lab, attacker.ip());
    let (rate, count) = FLOOD;
    let flood =
        attack::begin_register_flood(lab, attacker, PBX_V4.into(), count, rate, "x").unwrap();
    // The phone registers all the while, and needs no second try.
    let upgraded = AtomicBool::new(false);
    let after = thread::scope(|scope| {
        let all_the_while = scope.spawn(|| {
            let mut rounds = 0;
            while !upgraded.load(Ordering::Relaxed) {
                let (count, rate) = ROUND;
                let report = phone.register(lab, count, rate).unwrap();
                let flawless = report.is_flawless() && report.successful == u64::from(count);
                assert!(flawless, "{report:?}\n{}", told(system));
                rounds += 1;
            }
            rounds
        });
        let _end = Ending(&upgraded);
        thread::sleep(Duration::from_secs(1));
        let said = dpkg(system, package);
        assert!(said.contains("(0.1.0-2) over (0.1.0-1)"), "{said}");
        assert!(guards(lab));
        assert!(
            !before.has_ended().unwrap(),
            "the daemon waits for its restart"
        );
        // As systemd restarts it.
        let ended = before.terminate().unwrap();
        let log = done("the daemon", &ended);
        assert!(log.contains("the fence stands"), "{log}");
        assert!(guards(lab), "also while no daemon runs");
        thread::sleep(Duration::from_secs(2));
        let after = start(system);
        thread::sleep(Duration::from_secs(2));
        upgraded.store(true, Ordering::Relaxed);
        assert!(all_the_while.join().unwrap() > 3);
        after
    });
    assert!(
        !flood.has_ended().unwrap(),
        "the attack ended before the upgrade"
    );
    assert_eq!(intruded.stop().unwrap(), 0);
    let log = after.log().unwrap();
    assert!(log.contains("took over the fence"), "{log}");
    // The flood was there, and was dropped.
    let status = says(system, &["ringfence", "status"]);
    assert!(
        status.contains("country") || status.contains("banned"),
        "{status}"
    );
    // Configuration and state are those of before.
    assert_eq!(fs::read_to_string(system.path(CONFIG)).unwrap(), policy);
    let permitted = says(system, &["ringfence", "permit", "list"]);
    assert!(permitted.contains("203.0.113.77"), "{permitted}");
    drop(flood);
    after
}

fn purge(lab: &Lab, system: &System<'_>, running: Service) {
    for table in ["ringfence", "ringfence_host", "theirs"] {
        says(system, &["nft", "add", "table", "inet", table]);
    }
    assert!(guards(lab));
    says(system, &["dpkg", "--purge", "ringfence"]);
    assert_eq!(running.wait().unwrap().code, 0);
    nothing_left(lab, system);
}

/// `ringfence install` and `ringfence uninstall`, for those without a package.
fn without_package(lab: &Lab, system: &System<'_>) {
    let alone = "/tmp/ringfence";
    fs::copy(program(), system.path(alone)).unwrap();
    let planned = says(system, &[alone, "install", "--dry-run"]);
    assert!(
        planned.contains("/usr/local/bin/ringfence: written"),
        "{planned}"
    );
    assert!(!system.path(CONFIG).exists());
    says(system, &[alone, "install"]);
    fs::remove_file(system.path(alone)).unwrap();
    fs::write(system.path(CONFIG), "interfaces = [\"eth0\"]\n").unwrap();
    let again = says(system, &["ringfence", "install"]);
    assert!(again.contains("ringfence.toml: kept"), "{again}");
    assert!(!again.contains("written"), "{again}");
    let running = system.start(&["ringfence", "run"]).unwrap();
    let begun = Instant::now();
    while system.run(&["ringfence", "status"]).unwrap().code != 0 {
        assert!(begun.elapsed() < LIMIT, "{}", running.log().unwrap());
        thread::sleep(Duration::from_millis(50));
    }
    let said = says(system, &["ringfence", "uninstall"]);
    assert!(said.contains("ringfence.toml: kept"), "{said}");
    assert_eq!(running.wait().unwrap().code, 0);
    assert!(system.path("/var/lib/ringfence").exists());
    assert!(!guards(lab));
    fs::copy(program(), system.path(alone)).unwrap();
    says(system, &[alone, "uninstall", "--purge"]);
    fs::remove_file(system.path(alone)).unwrap();
    nothing_left(lab, system);
}
