//! What a file of patterns holds.

use serde::Deserialize;

use crate::asterisk::security::What;

/// Whose lines a file holds: patterns that ship.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Asterisk's `messages`, `full` or `security`, in any of its formats.
    Asterisk,
    /// FreeSWITCH.
    Freeswitch,
    /// Kamailio.
    Kamailio,
}

impl Of {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asterisk => "asterisk",
            Self::Freeswitch => "freeswitch",
            Self::Kamailio => "kamailio",
        }
    }

    /// The file.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Asterisk => include_str!("../../../../assets/logs/asterisk.toml"),
            Self::Freeswitch => include_str!("../../../../assets/logs/freeswitch.toml"),
            Self::Kamailio => include_str!("../../../../assets/logs/kamailio.toml"),
        }
    }
}

/// A file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternFile {
    pub(super) extends: Option<Of>,
    #[serde(default)]
    pub(super) format: Layout,
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) prefix: String,
    #[serde(default)]
    pub(super) line: Vec<LineTable>,
}

/// How lines are laid out around what the patterns describe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    /// As they stand.
    #[default]
    Plain,
    /// Asterisk's: also as JSON, and lines can be forged by names with line ends.
    Asterisk,
    /// As they stand, and only what went through syslog: of a journal, what was written to standard output or error is left
    /// out.
    Syslog,
}

/// `[[line]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineTable {
    pub(super) id: String,
    #[serde(default)]
    pub(super) source: String,
    pub(super) service: Option<String>,
    pub(super) regex: String,
    pub(super) once: Option<String>,
    pub(super) counts_as: Means,
    pub(super) example: Option<String>,
}

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Means {
    Failure,
    FailureUnlessRefused,
    Probe,
    Refused,
    Suspicious,
    Authenticated,
    Event,
    Nothing,
}

impl Means {
    /// What it says of an attempt, where that is always the same.
    pub(super) fn what(self) -> Option<What> {
        match self {
            Self::Failure => Some(What::PasswordRefused(None)),
            Self::FailureUnlessRefused => Some(What::AnswerRefused(None)),
            Self::Probe => Some(What::UnknownAccount),
            Self::Refused => Some(What::AccessList),
            Self::Suspicious => Some(What::Suspicious),
            Self::Authenticated => Some(What::Accepted { password: true }),
            Self::Event | Self::Nothing => None,
        }
    }
}
