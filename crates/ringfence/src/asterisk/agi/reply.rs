//! What Asterisk answers to a command, a line each.

/// A line after the opening block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply<'l> {
    /// `200 result=N` with a value in parentheses or without one.
    Done {
        /// The number.
        result: i64,
        /// What stands in the parentheses; it may hold parentheses itself.
        value: Option<&'l str>,
    },
    /// 510, 511 or 520: the command is unknown, the call is over, or the arguments are wrong.
    Refused(u16),
    /// The first line of a refusal that goes on (`520-`), up to the line `520 `.
    RefusalBegins,
    /// The call was hung up. It stands between answers, or in place of one.
    HangUp,
    /// Anything else.
    Other,
}

impl<'l> Reply<'l> {
    /// Reads a line.
    pub(super) fn of(line: &'l str) -> Self {
        if line == "HANGUP" {
            return Self::HangUp;
        }
        if let Some(rest) = line.strip_prefix("200 result=") {
            let (number, rest) = match rest.split_once(' ') {
                Some((number, rest)) => (number, Some(rest)),
                None => (rest, None),
            };
            let value = rest
                .and_then(|rest| rest.strip_prefix('('))
                .and_then(|rest| rest.strip_suffix(')'));
            return match number.parse() {
                Ok(result) => Self::Done { result, value },
                Err(_) => Self::Other,
            };
        }
        if line.starts_with("520-") {
            return Self::RefusalBegins;
        }
        match line.split_once(' ') {
            Some((code @ ("510" | "511" | "520"), _)) => {
                code.parse().map_or(Self::Other, Self::Refused)
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn done(result: i64, value: Option<&str>) -> Reply<'_> {
        Reply::Done { result, value }
    }

    #[test]
    fn the_recorded_answers_are_read() {
        let recorded = include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-01-check.rx");
        let (_, answers) = recorded.split_once("\n\n").unwrap();
        let read: Vec<Reply<'_>> = answers.lines().map(Reply::of).collect();
        assert_eq!(
            read,
            [
                done(1, None),
                done(1, Some("PJSIP/1001-00000007")),
                done(1, Some("198.51.100.11:5066")),
                done(1, None),
                Reply::Refused(510),
                done(0, None),
                Reply::RefusalBegins,
                Reply::Other,
                Reply::Refused(520),
                done(4, None),
            ]
        );
        let recorded =
            include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-03-hangup.rx");
        let (_, answers) = recorded.split_once("\n\n").unwrap();
        assert_eq!(
            answers.lines().next_back().map(Reply::of),
            Some(Reply::HangUp)
        );
    }

    #[test]
    fn what_is_nearly_an_answer_is_none() {
        for (line, reply) in [
            ("200 result=1 (a (b) c)", done(1, Some("a (b) c"))),
            ("200 result=-1", done(-1, None)),
            ("200 result=1 ()", done(1, Some(""))),
            ("200 result=1 (cut", done(1, None)),
            ("200 result=", Reply::Other),
            ("200 result=99999999999999999999", Reply::Other),
            (" 200 result=1", Reply::Other),
            ("HANGUP ", Reply::Other),
            (
                "511 Command Not Permitted on a dead channel",
                Reply::Refused(511),
            ),
            ("agi_channel: PJSIP/1-1", Reply::Other),
            ("", Reply::Other),
        ] {
            assert_eq!(Reply::of(line), reply, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_and_a_value_is_what_was_sent(line in ".{0,80}", value in "[^\n]{0,40}") {
            let _ = Reply::of(&line);
            let sent = format!("200 result=1 ({value})");
            prop_assert_eq!(Reply::of(&sent), done(1, Some(value.as_str())));
        }
    }
}
