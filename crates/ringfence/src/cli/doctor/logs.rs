//! Whether the logs are there and can be read.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::finding::{Finding, State, finding};
use crate::logs::{Settings, Source};

/// Looks at one `[[log]]`.
pub(super) fn look(log: &Settings) -> Finding {
    match &log.from {
        Source::File(path) => file(path),
        Source::Journal(unit) => journal("journalctl", unit),
    }
}

fn file(path: &Path) -> Finding {
    let what = format!("log {}", path.display());
    let opened = fs::metadata(path).and_then(|metadata| {
        // To open a pipe waits for a writer.
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        File::open(path)
    });
    match opened {
        Ok(_) => finding(&what, State::Fine, "it can be read".into(), ""),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let remedy = "correct `file`, or have it written: it is followed once it is there";
            finding(&what, State::Note, "it is not there".into(), remedy)
        }
        Err(error) => {
            let remedy = "correct `file`, or let the daemon's user read it and enter its directories; under systemd \
                 with SupplementaryGroups= of the file's group in `systemctl edit ringfence`";
            finding(
                &what,
                State::Problem,
                format!("it cannot be read: {error}"),
                remedy,
            )
        }
    }
}

fn journal(program: &str, unit: &str) -> Finding {
    let what = format!("journal of {unit}");
    let last = Command::new(program)
        .args(["--lines=1", "--output=cat", "--quiet"])
        .arg(format!("--unit={unit}"))
        .stdin(Stdio::null())
        .output();
    let failed = |why: String| {
        let remedy =
            "let the daemon's user read the journal: put it into the group systemd-journal";
        finding(
            &what,
            State::Problem,
            format!("it cannot be read: {why}"),
            remedy,
        )
    };
    match last {
        Err(error) => failed(format!("{program}: {error}")),
        Ok(output) if !output.status.success() => {
            let why = String::from_utf8_lossy(&output.stderr);
            failed(why.lines().next().unwrap_or_default().to_owned())
        }
        Ok(output) if output.stdout.is_empty() => {
            let remedy = "correct `journal`: `systemctl list-units` has the names";
            finding(&what, State::Note, "it holds nothing".into(), remedy)
        }
        Ok(_) => finding(&what, State::Fine, "it can be read".into(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("security");
        assert_eq!(file(&path).state, State::Note);
        fs::write(&path, "").unwrap();
        assert_eq!(file(&path).state, State::Fine);
        let folder = file(directory.path());
        assert_eq!(folder.state, State::Problem);
        assert!(folder.found.contains("no regular file"), "{folder:?}");
    }

    #[test]
    fn journals() {
        // These take any arguments.
        assert_eq!(journal("true", "pbx.service").state, State::Note);
        assert_eq!(journal("echo", "pbx.service").state, State::Fine);
        assert_eq!(journal("false", "pbx.service").state, State::Problem);
        let none = journal("/nonexistent/journalctl", "pbx.service");
        assert_eq!(none.state, State::Problem);
        assert!(none.found.contains("/nonexistent/journalctl"), "{none:?}");
    }
}
