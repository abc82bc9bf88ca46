//! What one connection plays.

use std::collections::HashMap;
use std::time::Duration;

use super::Recording;

/// What one connection plays.
#[derive(Debug, Clone)]
pub struct Script {
    /// The user that may log in.
    pub user: String,
    /// Its secret.
    pub secret: String,
    /// What is said first.
    pub greeting: Vec<u8>,
    /// The answer to each action by its name in lower case; its ActionID is put in. Others are unknown.
    pub answers: HashMap<String, Vec<u8>>,
    /// Actions that get no answer, in lower case.
    pub silent: Vec<String>,
    /// What is sent once events are asked for.
    pub events: Vec<u8>,
    /// The largest piece that is written at once.
    pub piece: usize,
    /// The pause after each hundred pieces.
    pub pause: Duration,
    /// The connection is cut after so many bytes, whatever they are.
    pub cut: Option<usize>,
    /// What comes behind the events.
    pub after: After,
}

/// What comes behind the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The connection stays.
    Stay,
    /// The connection is closed.
    Close,
}

impl Default for Script {
    /// The user of the recordings, no events, and no more answers than every Asterisk has.
    fn default() -> Self {
        Self {
            user: "fw".into(),
            secret: "fw-secret-1".into(),
            greeting: b"Asterisk Call Manager/11.0.0\r\n".to_vec(),
            answers: HashMap::new(),
            silent: Vec::new(),
            events: Vec::new(),
            piece: usize::MAX,
            pause: Duration::ZERO,
            cut: None,
            after: After::Stay,
        }
    }
}

impl Script {
    /// The events of a recording, and the answers in it.
    pub fn of(recording: &Recording) -> Self {
        Self {
            events: recording.events(),
            ..Self::default().answering(recording)
        }
    }

    /// Learns the answers of another recording.
    #[must_use]
    pub fn answering(mut self, recording: &Recording) -> Self {
        self.answers.extend(recording.answers());
        self
    }
}
