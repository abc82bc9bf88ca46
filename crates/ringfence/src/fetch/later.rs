//! `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::http::{HeaderMap, header};

/// Where a server says nothing.
const UNSAID: Duration = Duration::from_secs(15 * 60);

/// No server puts us off for longer.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// How long a server asks to wait: seconds or a date; from a second to a day.
pub(super) fn later(headers: &HeaderMap) -> Duration {
    let said = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| wait(text, Timestamp::now()));
    said.unwrap_or(UNSAID)
}

fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let seconds = match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are a long time.
        true => text.parse::<u64>().unwrap_or(u64::MAX),
        false => {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            u64::try_from(date.as_second().saturating_sub(now.as_second())).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(1)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(1)),
            ("Mon, 06 Nov 2034 08:49:37 GMT", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let wanted = seconds.map(Duration::from_secs);
            assert_eq!(wait(text, now), wanted, "{text}");
        }
    }
}
