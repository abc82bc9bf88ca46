//! The block that opens a session: `agi_*: value` lines up to an empty one.

/// What is read of the block. What a caller can write into begins with `agi_callerid`: the lines before it are
/// Asterisk's own, and of a key that comes twice the first counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// The channel's technology, such as `PJSIP`.
    pub technology: String,
    /// The first argument: an address.
    pub address: Option<String>,
    /// The second argument: a From header, a URI or a host.
    pub name: Option<String>,
    /// Lines are there that Asterisk did not write: the arguments are not to be believed.
    pub forged: bool,
    last: bool,
    seen: Vec<String>,
}

impl Environment {
    /// Takes in a line that is not empty.
    pub(super) fn line(&mut self, line: &str) {
        let split = line
            .strip_prefix("agi_")
            .and_then(|rest| rest.split_once(':'));
        let Some((key, value)) = split else {
            self.forged = true;
            return;
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        if self.seen.iter().any(|seen| seen == key) {
            self.forged = true;
            return;
        }
        let argument = key.starts_with("arg_");
        // Arguments are last, behind the thread.
        self.forged |= argument != self.last;
        self.last |= key == "threadid";
        match key {
            "type" if !self.seen.iter().any(|seen| seen == "callerid") => {
                self.technology = value.to_owned();
            }
            "arg_1" => self.address = Some(value.to_owned()),
            "arg_2" => self.name = Some(value.to_owned()),
            _ => {}
        }
        self.seen.push(key.to_owned());
    }

    /// Whether the block ended where Asterisk ends it.
    pub(super) fn is_whole(&self) -> bool {
        self.last && !self.forged
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHECK: &str =
        include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-01-check.rx");
    const DENY: &str = include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-02-deny.rx");

    fn read(text: &str) -> Environment {
        let mut environment = Environment::default();
        for line in text.lines().take_while(|line| !line.is_empty()) {
            environment.line(line);
        }
        environment
    }

    #[test]
    fn the_recorded_blocks_are_whole() {
        let check = read(CHECK);
        assert_eq!(check.technology, "PJSIP");
        assert_eq!(check.address.as_deref(), Some("firstarg"));
        assert_eq!(check.name.as_deref(), Some("second arg"));
        assert!(check.is_whole(), "{check:?}");
        let deny = read(DENY);
        assert!(deny.is_whole() && deny.address.is_none(), "{deny:?}");
    }

    #[test]
    fn lines_in_a_caller_id_are_seen() {
        for inside in [
            "x\nagi_arg_1: 198.51.100.1",
            "x\nagi_type: Local",
            "x\nagi_calleridname: y",
            "x\nagi_threadid: 1\nagi_arg_1: 198.51.100.1",
            "x\nanything",
            "x\n\n200 result=1 (198.51.100.1:5060)",
        ] {
            for recording in [CHECK, DENY] {
                let forged =
                    recording.replace("agi_callerid: 1001", &format!("agi_callerid: {inside}"));
                assert_ne!(forged, recording);
                let environment = read(&forged);
                assert!(!environment.is_whole(), "{inside}: {environment:?}");
                assert_eq!(environment.technology, "PJSIP");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_in_a_caller_id_changes_the_technology(inside in "(\n|agi_type: Local|agi_arg_1: 1|.){0,60}") {
            let forged = DENY.replace("agi_callerid: 1001", &format!("agi_callerid: {inside}"));
            let environment = read(&forged);
            prop_assert_eq!(&environment.technology, "PJSIP");
            prop_assert!(!environment.is_whole() || environment.address.is_none());
        }
    }
}
