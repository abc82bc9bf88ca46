//! ConfigServer Firewall (CSF): whom it allows and denies, for ever and for a time.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{ImportError, Taken};

/// What CSF holds. `root` is `/` but in tests.
///
/// # Errors
/// When CSF is not there, or its files cannot be read.
pub fn csf(root: &Path, now: Timestamp) -> Result<Taken, ImportError> {
    let read = |file: &str| {
        let path = root.join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ImportError::Read { path, source }),
        }
    };
    let allow = read("etc/csf/csf.allow")?;
    let deny = read("etc/csf/csf.deny")?;
    if allow.is_none() && deny.is_none() {
        return Err(ImportError::NotThere {
            what: "CSF",
            looked: "there is neither /etc/csf/csf.allow nor /etc/csf/csf.deny".to_owned(),
        });
    }
    let mut taken = Taken::new("the files of /etc/csf and /var/lib/csf");
    for_ever(&allow.unwrap_or_default(), "csf.allow", true, &mut taken);
    for_ever(&deny.unwrap_or_default(), "csf.deny", false, &mut taken);
    for (file, name, allows) in [
        ("var/lib/csf/csf.tempallow", "csf.tempallow", true),
        ("var/lib/csf/csf.tempban", "csf.tempban", false),
    ] {
        for_a_time(
            &read(file)?.unwrap_or_default(),
            name,
            allows,
            now,
            &mut taken,
        );
    }
    Ok(taken)
}

/// A file with an address or net a line, and comments behind `#`.
fn for_ever(text: &str, name: &str, allows: bool, taken: &mut Taken) {
    for line in text.lines() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        if entry.contains('|') || entry.starts_with("Include") {
            let why = "only addresses and nets are taken, no rules for ports and no other files";
            taken.left_out.push(format!("{entry}: {why} ({name})"));
        } else if allows {
            taken.let_in(entry, None, &format!("CSF {name}"));
        } else {
            taken.keep_out(entry, None, &format!("CSF {name}"));
        }
    }
}

/// A file with `TIME|ADDRESS|PORT|IN OR OUT|SECONDS|MESSAGE` a line.
fn for_a_time(text: &str, name: &str, allows: bool, now: Timestamp, taken: &mut Taken) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('|').collect();
        let [since, address, port, way, seconds, ..] = fields.as_slice() else {
            taken
                .left_out
                .push(format!("{line}: not understood ({name})"));
            continue;
        };
        let (Ok(since), Ok(seconds)) = (since.parse::<i64>(), seconds.parse::<i64>()) else {
            taken
                .left_out
                .push(format!("{line}: not understood ({name})"));
            continue;
        };
        let left = since
            .saturating_add(seconds)
            .saturating_sub(now.as_second());
        let Ok(left @ 1..) = u64::try_from(left) else {
            continue;
        };
        let left = Some(Duration::from_secs(left));
        let comment = format!("CSF {name}");
        if *way == "out" {
            continue;
        }
        if !allows {
            taken.keep_out(address, left, &comment);
        } else if matches!(*port, "" | "*") {
            taken.let_in(address, left, &comment);
        } else {
            let why = "let in at one port alone, which `permit` cannot say";
            taken.left_out.push(format!("{address}: {why} ({name})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coexist::Take;

    #[test]
    fn its_files() {
        let root = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-21T17:00:00Z".parse().unwrap();
        assert!(matches!(
            csf(root.path(), now),
            Err(ImportError::NotThere { .. })
        ));
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let (then, long_ago) = (now.as_second() - 100, now.as_second() - 10_000);
        write(
            "etc/csf/csf.allow",
            "# comment\n192.0.2.0/24 # office\ntcp|in|d=22|s=192.0.2.9\nInclude /etc/x\n",
        );
        write("etc/csf/csf.deny", "203.0.113.9 # lfd: (sshd) Failed\n");
        write(
            "var/lib/csf/csf.tempban",
            &format!(
                "{then}|203.0.113.7||in|3600|lfd - (x)\n{long_ago}|203.0.113.8||in|3600|x\n\
                 {then}|203.0.113.6||out|3600|x\nodd\n"
            ),
        );
        write(
            "var/lib/csf/csf.tempallow",
            &format!("{then}|198.51.100.1|*|inout|200|x\n{then}|198.51.100.2|22|in|200|x\n"),
        );
        let taken = csf(root.path(), now).unwrap();
        let takes: Vec<_> = taken.items.iter().map(|item| item.take.clone()).collect();
        assert_eq!(
            takes,
            [
                Take::Permit("192.0.2.0/24".parse().unwrap(), None),
                Take::Deny("203.0.113.9".parse().unwrap(), None),
                Take::Permit(
                    "198.51.100.1".parse().unwrap(),
                    Some(Duration::from_secs(100))
                ),
                Take::Ban("203.0.113.7".parse().unwrap(), Duration::from_secs(3500)),
            ]
        );
        assert_eq!(taken.left_out.len(), 4, "{taken:?}");
    }
}
