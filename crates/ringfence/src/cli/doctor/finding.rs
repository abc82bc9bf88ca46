//! One thing that was looked at, and how it is.

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fine,
    Note,
    Problem,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) state: State,
    pub(super) found: String,
    pub(super) remedy: String,
}

/// A remedy is for what is not fine.
pub(super) fn finding(what: &str, state: State, found: String, remedy: &str) -> Finding {
    let remedy = if state == State::Fine { "" } else { remedy };
    Finding {
        what: what.to_owned(),
        state,
        found,
        remedy: remedy.to_owned(),
    }
}
