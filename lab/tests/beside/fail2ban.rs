//! A real fail2ban hands its bans over: through its server, and when that is stopped through its database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfence_lab::{Lab, Netns, Ringfence, needs_root};
use serde_json::Value;

use crate::{COUNTRIES, lines};

/// fail2ban with a configuration of its own, in the telephone system's namespace. It is stopped with this value.
struct Server<'lab> {
    pbx: &'lab Netns,
    directory: PathBuf,
}

impl<'lab> Server<'lab> {
    fn start(lab: &'lab Lab, directory: &Path) -> Self {
        let directory = directory.join("fail2ban");
        let files = [
            (
                "fail2ban.conf",
                format!(
                    "[Definition]\nloglevel = INFO\nlogtarget = {0}/log\nsyslogsocket = auto\nsocket = {0}/socket\n\
                     pidfile = {0}/pid\ndbfile = {0}/bans.sqlite3\ndbpurgeage = 1d\nallowipv6 = auto\n",
                    directory.display()
                ),
            ),
            (
                "jail.conf",
                format!(
                    "[DEFAULT]\nignoreip = 127.0.0.1/8 ::1 198.51.100.0/28 office.example.com\nbantime = 3600\n\
                     backend = polling\naction = none\nfilter = none\nlogpath = {}/watched\n\
                     [asterisk]\nenabled = true\n[sshd]\nenabled = true\n",
                    directory.display()
                ),
            ),
            (
                "filter.d/none.conf",
                "[Definition]\nfailregex = ^never <HOST>$\n".to_owned(),
            ),
            ("action.d/none.conf", "[Definition]\n".to_owned()),
            ("watched", String::new()),
        ];
        for (name, text) in files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let server = Self {
            pbx: &lab.pbx,
            directory,
        };
        server.client(&["start"]);
        server
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = self.pbx.command("fail2ban-client");
        command.args(["-c", self.directory.to_str().unwrap()]);
        command.args(["-s", &self.path("socket"), "-p", &self.path("pid")]);
        command
    }

    fn client(&self, arguments: &[&str]) {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // It may be stopped already.
        let _ = self.command().arg("stop").output();
    }
}

fn listed(fence: &Ringfence<'_>, arguments: &[&str]) -> Vec<Value> {
    let answer = fence
        .cli(&[arguments, &["--format", "json"]].concat())
        .unwrap();
    let [all]: [Value; 1] = lines(answer.stdout.as_bytes()).try_into().unwrap();
    all.as_array().unwrap().clone()
}

/// Seconds that the ban of an address has left.
fn left(fence: &Ringfence<'_>, address: &str) -> Option<i64> {
    let bans = listed(fence, &["bans"]);
    let ban = bans.iter().find(|ban| ban["address"] == address)?;
    let until: jiff::Timestamp = ban["until"].as_str().unwrap().parse().unwrap();
    Some(until.duration_since(jiff::Timestamp::now()).as_secs())
}

#[test]
fn bans_come_with_the_time_that_they_have_left() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let policy = format!(
        "mode = \"shadow\"\ninterfaces = [\"eth0\"]\n{}",
        ringfence_lab::without_signatures()
    );
    fence.guard(&policy, COUNTRIES).unwrap();
    let server = Server::start(&lab, &fence.state());
    server.client(&["set", "asterisk", "banip", "203.0.113.9", "2001:db8:bad::5"]);
    server.client(&["set", "sshd", "banip", "203.0.113.7"]);
    let (socket, directory) = (server.path("socket"), server.path(""));
    let from = [
        "import",
        "fail2ban",
        "--server-socket",
        &socket,
        "--configuration",
        &directory,
    ];

    let dry = fence.cli(&[&from[..], &["--dry-run"]].concat()).unwrap();
    assert_eq!(dry.code, 0, "{}", dry.output());
    assert!(
        dry.stdout.contains("ban 203.0.113.9 for 3"),
        "{}",
        dry.stdout
    );
    assert!(
        dry.stdout.contains("left out: office.example.com"),
        "{}",
        dry.stdout
    );
    assert_eq!(
        left(&fence, "203.0.113.9"),
        None,
        "nothing was to be changed"
    );

    let done = fence
        .cli(&[&from[..], &["--jail", "asterisk"]].concat())
        .unwrap();
    assert_eq!(done.code, 0, "{}", done.output());
    assert!(done.stdout.contains("fail2ban-client"), "{}", done.stdout);
    // A ban of an IPv6 address is of its /64.
    for address in ["203.0.113.9", "2001:db8:bad::"] {
        let left = left(&fence, address).unwrap();
        assert!((3500..=3600).contains(&left), "{address}: {left}");
    }
    assert_eq!(left(&fence, "203.0.113.7"), None, "another jail");
    let permitted = listed(&fence, &["permit", "list"]);
    assert_eq!(permitted.len(), 1, "{permitted:?}");
    assert_eq!(permitted[0]["range"], "198.51.100.0/28");
    assert_eq!(permitted[0]["comment"], "fail2ban ignoreip");

    // The server is gone, its database is not; a ban without an end goes to the deny list.
    server.client(&["set", "sshd", "bantime", "-1"]);
    server.client(&["set", "sshd", "banip", "203.0.113.77"]);
    server.client(&["stop"]);
    let database = server.path("bans.sqlite3");
    let stored = [
        "import",
        "fail2ban",
        "--database",
        &database,
        "--configuration",
        &directory,
    ];
    let done = fence.cli(&stored).unwrap();
    assert_eq!(done.code, 0, "{}", done.output());
    assert!(left(&fence, "203.0.113.7").unwrap() > 3000);
    let denied = listed(&fence, &["deny", "list"]);
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["range"], "203.0.113.77");
    assert_eq!(listed(&fence, &["permit", "list"]).len(), 1);
    // Whoever is banned for longer stays so.
    fence.cli(&["ban", "203.0.113.9", "--for", "1d"]).unwrap();
    let again = fence.cli(&stored).unwrap();
    assert!(
        again
            .stdout
            .contains("3 of them are banned for as long or longer"),
        "{}",
        again.output()
    );
    assert!(left(&fence, "203.0.113.9").unwrap() > 80_000);
}

#[test]
fn what_is_not_there_is_said() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let nowhere = [
        "import",
        "fail2ban",
        "--database",
        "/nonexistent/bans.sqlite3",
    ];
    let answer = fence.cli(&nowhere).unwrap();
    assert_eq!(answer.code, 1);
    assert!(
        answer
            .stderr
            .contains("/nonexistent/bans.sqlite3 is not there"),
        "{}",
        answer.stderr
    );
    let answer = fence.cli(&["import", "csf"]).unwrap();
    assert!(
        answer.stderr.contains("CSF was not found"),
        "{}",
        answer.stderr
    );
}
