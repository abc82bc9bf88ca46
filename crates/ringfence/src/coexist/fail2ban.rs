//! fail2ban: its bans, and whom it ignores.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags};

use super::{ImportError, Taken, output};

/// Where Debian and FreePBX keep its database.
const DATABASE: &str = "/var/lib/fail2ban/fail2ban.sqlite3";
/// How its client shows a moment, in local time.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

/// Where fail2ban is.
#[derive(Debug, Default)]
pub struct Fail2ban {
    /// The socket of its server, where it is not the usual one.
    pub socket: Option<PathBuf>,
    /// Its database, where it is not the usual one; then the server is not asked.
    pub database: Option<PathBuf>,
    /// Its configuration directory, where it is not the usual one.
    pub configuration: Option<PathBuf>,
    /// The jails that count; none for all.
    pub jails: Vec<String>,
}

/// What fail2ban holds: its bans with the time that they have left, and the addresses that it ignores. The server is
/// asked; where none runs, the database tells of the bans and the configuration of those ignored.
///
/// # Errors
/// When neither the server nor the database can be read.
pub fn fail2ban(from: &Fail2ban, now: Timestamp) -> Result<Taken, ImportError> {
    if from.database.is_none()
        && let Ok(status) = from.client(&["status"])
    {
        return from.asked(&status, now);
    }
    let path = from.database.clone().unwrap_or_else(|| DATABASE.into());
    let mut taken = Taken::new(format!(
        "the database {}; no server was asked",
        path.display()
    ));
    from.stored(&path, now, &mut taken)?;
    match from.client(&["-d"]) {
        Ok(dump) => from.ignored_by_configuration(&dump, &mut taken),
        Err(error) => taken.left_out.push(format!(
            "whom fail2ban ignores: its configuration cannot be read ({error})"
        )),
    }
    Ok(taken)
}

impl Fail2ban {
    fn client(&self, arguments: &[&str]) -> io::Result<String> {
        let mut all: Vec<&str> = Vec::new();
        for (flag, path) in [("-s", &self.socket), ("-c", &self.configuration)] {
            if let Some(path) = path.as_ref().and_then(|path| path.to_str()) {
                all.extend([flag, path]);
            }
        }
        all.extend(arguments);
        output("fail2ban-client", all)
    }

    fn counts(&self, jail: &str) -> bool {
        self.jails.is_empty() || self.jails.iter().any(|known| known == jail)
    }

    /// What the server says.
    fn asked(&self, status: &str, now: Timestamp) -> Result<Taken, ImportError> {
        let mut taken = Taken::new("fail2ban-client");
        for jail in jails(status).filter(|jail| self.counts(jail)) {
            match self.client(&["get", jail, "banip", "--with-time"]) {
                Ok(banned) => banned_now(&banned, jail, &TimeZone::system(), now, &mut taken),
                Err(error) => taken.left_out.push(format!("the bans of {jail}: {error}")),
            }
            match self.client(&["get", jail, "ignoreip"]) {
                Ok(ignored) => {
                    for address in listed(&ignored) {
                        taken.let_in(address, None, "fail2ban ignoreip");
                    }
                }
                Err(error) => taken.left_out.push(format!("whom {jail} ignores: {error}")),
            }
        }
        taken.left_out.sort_unstable();
        taken.left_out.dedup();
        Ok(taken)
    }

    /// What the database holds.
    fn stored(&self, path: &Path, now: Timestamp, taken: &mut Taken) -> Result<(), ImportError> {
        if !path.exists() {
            return Err(ImportError::NotThere {
                what: "fail2ban",
                looked: format!(
                    "its server does not answer, and {} is not there; name its database with --database",
                    path.display()
                ),
            });
        }
        let failed = |source| ImportError::Database {
            path: path.to_owned(),
            source,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags).map_err(failed)?;
        database
            .busy_timeout(Duration::from_secs(5))
            .map_err(failed)?;
        // bips holds the bans of now, bans their history; both say how long since fail2ban 0.11.
        let has = |table: &str| {
            let asked =
                format!("SELECT count(*) FROM pragma_table_info('{table}') WHERE name = 'bantime'");
            database.query_row(&asked, [], |row| Ok(row.get::<_, i64>(0)? > 0))
        };
        let table = if has("bips").map_err(failed)? {
            "bips"
        } else if has("bans").map_err(failed)? {
            "bans"
        } else {
            return Err(ImportError::Old(path.to_owned()));
        };
        let asked =
            format!("SELECT ip, jail, timeofban, bantime FROM {table} ORDER BY timeofban DESC");
        let mut statement = database.prepare(&asked).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let row = || -> rusqlite::Result<(String, String, i64, i64)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (address, jail, since, time) = row().map_err(failed)?;
            if self.counts(&jail) {
                let comment = format!("fail2ban {jail}");
                match left(since, time, now) {
                    Left::Over => {}
                    Left::Ever => taken.keep_out(&address, None, &comment),
                    Left::Some(left) => taken.keep_out(&address, Some(left), &comment),
                }
            }
        }
        Ok(())
    }

    /// Whom it ignores, by what `fail2ban-client -d` prints: a list of Python a line, such as
    /// `['set', 'asterisk', 'addignoreip', '127.0.0.1/8', '::1']`.
    fn ignored_by_configuration(&self, dump: &str, taken: &mut Taken) {
        for line in dump.lines() {
            let mut words = line.split('\'').skip(1).step_by(2);
            let said = (words.next(), words.next(), words.next());
            let (Some("set"), Some(jail), Some("addignoreip")) = said else {
                continue;
            };
            if self.counts(jail) {
                for address in words {
                    taken.let_in(address, None, "fail2ban ignoreip");
                }
            }
        }
        taken.left_out.sort_unstable();
        taken.left_out.dedup();
    }
}

/// How much of a ban is left.
enum Left {
    Over,
    Ever,
    Some(Duration),
}

/// Of a ban since a Unix time, for so many seconds; -1 has no end.
fn left(since: i64, time: i64, now: Timestamp) -> Left {
    if time < 0 {
        return Left::Ever;
    }
    let left = since.saturating_add(time).saturating_sub(now.as_second());
    match u64::try_from(left) {
        Ok(left) if left > 0 => Left::Some(Duration::from_secs(left)),
        _ => Left::Over,
    }
}

/// The jails of `fail2ban-client status`.
fn jails(status: &str) -> impl Iterator<Item = &str> {
    let list = status
        .lines()
        .find_map(|line| line.split_once("Jail list:"));
    let names = list.map_or("", |(_, names)| names).split(',');
    names.map(str::trim).filter(|name| !name.is_empty())
}

/// The entries of a list as `fail2ban-client` draws it: `|- ENTRY` and `` `- ENTRY``.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("|- ")
            .or_else(|| line.strip_prefix("`- "))
    })
}

/// Bans as `fail2ban-client get JAIL banip --with-time` prints them: `ADDRESS \tSINCE + SECONDS = END`.
fn banned_now(text: &str, jail: &str, zone: &TimeZone, now: Timestamp, taken: &mut Taken) {
    let comment = format!("fail2ban {jail}");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let parsed = || {
            let (address, times) = line.split_once(char::is_whitespace)?;
            let (since, rest) = times.trim().split_once(" + ")?;
            let (seconds, _) = rest.split_once(" = ")?;
            let since = DateTime::strptime(MOMENT, since).ok()?;
            let since = since.to_zoned(zone.clone()).ok()?.timestamp().as_second();
            Some((address, since, seconds.trim().parse::<i64>().ok()?))
        };
        let Some((address, since, seconds)) = parsed() else {
            taken.left_out.push(format!(
                "a line of fail2ban-client that is not understood: {line}"
            ));
            continue;
        };
        match left(since, seconds, now) {
            Left::Over => {}
            Left::Ever => taken.keep_out(address, None, &comment),
            Left::Some(left) => taken.keep_out(address, Some(left), &comment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coexist::{Item, Take};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ban(item: &Item) -> (String, u64, &str) {
        match &item.take {
            Take::Ban(address, left) => (address.to_string(), left.as_secs(), &item.comment),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_client_prints() {
        let status = "Status\n|- Number of jail:\t2\n`- Jail list:\tasterisk, sshd\n";
        assert_eq!(jails(status).collect::<Vec<_>>(), ["asterisk", "sshd"]);
        assert_eq!(jails("`- Jail list:\t\n").count(), 0);
        let ignored = "These IP addresses/networks are ignored:\n|- 127.0.0.0/8\n`- ::1\n";
        assert_eq!(listed(ignored).collect::<Vec<_>>(), ["127.0.0.0/8", "::1"]);
        let text = "203.0.113.9 \t2026-11-21 18:15:54 + 3600 = 2026-11-21 19:15:54\n\
                    2001:db8::5 \t2026-11-21 17:00:00 + 60 = 2026-11-21 17:01:00\n\
                    203.0.113.77 \t2026-11-21 17:15:56 + -1 = 9999-12-31 23:59:59\nodd\n";
        let mut taken = Taken::default();
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        banned_now(
            text,
            "asterisk",
            &berlin,
            at("2026-11-21T17:45:54Z"),
            &mut taken,
        );
        assert_eq!(
            ban(&taken.items[0]),
            ("203.0.113.9".into(), 1800, "fail2ban asterisk")
        );
        assert!(
            matches!(&taken.items[1].take, Take::Deny(_, None)),
            "{taken:?}"
        );
        assert_eq!((taken.items.len(), taken.left_out.len()), (2, 1));
    }

    #[test]
    fn what_the_configuration_says() {
        let mut taken = Taken::default();
        let from = Fail2ban {
            jails: vec!["asterisk".into()],
            ..Fail2ban::default()
        };
        from.ignored_by_configuration(
            "['set', 'syslogsocket', 'auto']\n\
             ['set', 'asterisk', 'addignoreip', '127.0.0.1/8', '::1', '198.51.100.0/28', 'office.example.com']\n\
             ['set', 'sshd', 'addignoreip', '192.0.2.1']\n",
            &mut taken,
        );
        assert_eq!(taken.items.len(), 1, "{taken:?}");
        assert!(
            taken.left_out[0].starts_with("office.example.com"),
            "{taken:?}"
        );
    }

    #[test]
    fn databases_new_and_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.sqlite3");
        let now = at("2026-11-21T17:00:00Z");
        let read = |path: &Path| {
            let mut taken = Taken::default();
            Fail2ban::default()
                .stored(path, now, &mut taken)
                .map(|()| taken)
        };
        assert!(read(&path).unwrap_err().to_string().contains("--database"));
        let database = Connection::open(&path).unwrap();
        database
            .execute_batch("CREATE TABLE bans(jail TEXT, ip TEXT, timeofban INTEGER, data JSON)")
            .unwrap();
        assert!(matches!(read(&path), Err(ImportError::Old(_))));
        let since = now.as_second() - 600;
        database
            .execute_batch(&format!(
                "CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER);
                 INSERT INTO bips VALUES ('203.0.113.9', 'asterisk', {since}, 3600);
                 INSERT INTO bips VALUES ('203.0.113.10', 'asterisk', {since}, 600);
                 INSERT INTO bips VALUES ('203.0.113.11', 'sshd', {since}, -1);"
            ))
            .unwrap();
        let taken = read(&path).unwrap();
        assert_eq!(taken.items.len(), 2, "{taken:?}");
        assert_eq!(
            ban(&taken.items[0]),
            ("203.0.113.9".into(), 3000, "fail2ban asterisk")
        );
        std::fs::write(&path, "no database").unwrap();
        assert!(matches!(read(&path), Err(ImportError::Database { .. })));
    }
}
