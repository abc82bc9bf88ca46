//! How the command line and the daemon speak: one request and its answers, each a line of JSON, over a Unix socket that
//! only root may open.

/// Bans for others.
pub mod export;
/// What is told of threat lists.
pub mod feeds;
/// What is told of bans, lists and countries.
pub mod listing;
/// The report of what was dropped.
pub mod report;
/// The daemon's end.
pub mod serve;
/// What is told of who is trusted.
pub mod trust;
/// Why an address or account is or was blocked.
pub mod why;

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::ListKind;

pub use feeds::FeedRequest;

/// What the command line asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// How the fence stands.
    Status,
    /// The latest events, and with `follow` those to come.
    Events {
        /// Stay, and answer with each event.
        follow: bool,
    },
    /// Read the configuration again.
    Reload {
        /// Also where it locks the administrator out.
        yes: bool,
        /// True: enforce, false: shadow, whatever the configuration says; None: as before.
        enforce: Option<bool>,
        /// For how many seconds to enforce unless it is confirmed.
        confirm: Option<u64>,
    },
    /// Detach and end.
    Stop,
    /// Keep the policy that is on trial.
    Confirm,
    /// Change or show one of the operator's lists.
    List {
        /// Which one.
        list: List,
        /// What to do.
        change: Change,
    },
    /// Ban an address.
    Ban {
        /// The address.
        address: String,
        /// For how many seconds; None is the configuration's time.
        seconds: Option<u64>,
    },
    /// Lift a ban.
    Unban {
        /// The address.
        address: String,
    },
    /// The bans.
    Bans,
    /// The bans that others may use.
    ExportBans {
        /// Also those on evidence that may be forged.
        unproved: bool,
    },
    /// What was passed and dropped, by service and reason.
    ExportCounts,
    /// Who is trusted.
    Trust {
        /// An address to forget; None shows all.
        forget: Option<String>,
    },
    /// Why an address or account is or was blocked.
    Why {
        /// The address, else the account.
        what: String,
    },
    /// What was dropped, or would have been.
    Report {
        /// Over how many seconds up to now.
        seconds: u64,
    },
    /// Admit a country or not, over what the configuration says.
    Country {
        /// Its code; None shows what was said.
        code: Option<String>,
        /// True: allow, false: deny, None: forget what was said.
        allow: Option<bool>,
    },
    /// Threat lists.
    Feed {
        /// What of them.
        what: FeedRequest,
    },
    /// Ask for newer country data now, with the key that the daemon has.
    CountryUpdate {
        /// Take it whatever speaks against it.
        force: bool,
    },
    /// Other country data was downloaded, or gone back to: put it in force.
    CountryRenewed,
}

/// One of the operator's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum List {
    /// Sources that always pass.
    Permit,
    /// Sources that never pass.
    Deny,
}

impl From<List> for ListKind {
    fn from(list: List) -> Self {
        match list {
            List::Permit => Self::Permit,
            List::Deny => Self::Deny,
        }
    }
}

/// What to do with a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Put a range on it.
    Add {
        /// An address, a prefix, or FIRST-LAST.
        range: String,
        /// Why.
        comment: String,
        /// For how many seconds; None is for ever.
        seconds: Option<u64>,
    },
    /// Put many ranges on it at once.
    AddAll {
        /// As many as fit into a request.
        entries: Vec<Entry>,
    },
    /// Take a range off it.
    Remove {
        /// As it was added.
        range: String,
    },
    /// Show it.
    Show,
}

/// An entry of one of the operator's lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// An address, a prefix, or FIRST-LAST.
    pub range: String,
    /// Why.
    pub comment: String,
    /// For how many seconds; None is for ever.
    pub seconds: Option<u64>,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub ok: bool,
    /// For people: the result, or what went wrong and what to do.
    pub text: String,
    /// For programs.
    pub data: serde_json::Value,
}

impl Answer {
    /// It was done.
    pub fn done(text: impl Into<String>, data: serde_json::Value) -> Self {
        Self {
            ok: true,
            text: text.into(),
            data,
        }
    }

    /// It was not.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        let text = error.to_string();
        Self {
            ok: false,
            data: serde_json::json!({ "error": text }),
            text,
        }
    }
}

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no daemon answers at {}; start it with `ringfence run`, or name its socket with --socket", .0.display())]
    NoDaemon(PathBuf),
    /// Not allowed.
    #[error("{} may be opened by root alone; run the command as root", .0.display())]
    Privilege(PathBuf),
    /// Talking failed.
    #[error("cannot talk to the daemon: {0}")]
    Talk(#[from] io::Error),
    /// What came is no answer.
    #[error("the daemon's answer cannot be read: {0}; both must be of one version")]
    Answer(#[from] serde_json::Error),
}

/// Asks the daemon. The iterator gives each answer.
pub fn ask(
    socket: &Path,
    request: &Request,
) -> Result<impl Iterator<Item = Result<Answer, ControlError>> + use<>, ControlError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NoDaemon(socket.to_owned())
        }
        io::ErrorKind::PermissionDenied => ControlError::Privilege(socket.to_owned()),
        _ => ControlError::Talk(error),
    })?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    Ok(BufReader::new(stream)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_and_comes_back() {
        let change = Change::Add {
            range: "192.0.2.0/24".into(),
            comment: "two\nlines".into(),
            seconds: Some(60),
        };
        for request in [
            Request::Status,
            Request::List {
                list: List::Deny,
                change,
            },
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }

    #[test]
    fn without_a_daemon_it_says_how_to_start_one() {
        let error = ask(Path::new("/nonexistent/ringfence.sock"), &Request::Status)
            .err()
            .unwrap();
        assert!(error.to_string().contains("ringfence run"), "{error}");
    }
}
