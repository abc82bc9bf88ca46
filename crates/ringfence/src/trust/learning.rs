//! Whether enough was learned to let the fence drop.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Period;

/// How long a registration lasts where none was seen: phones commonly ask for an hour (RFC 3261, section 10.2.1.1).
const USUAL: Duration = Duration::from_secs(3600);

/// The longest time that a registration was seen to last.
fn longest(granted: Option<u32>) -> Duration {
    granted.map_or(USUAL, |seconds| Duration::from_secs(u64::from(seconds)))
}

/// Since when it has learned, at a start. A fence that stood learned on without a daemon. What a new one knows is from
/// the store: where no fence stood for longer than registrations last, all begins anew.
pub fn resume(
    now: Timestamp,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    granted: Option<u32>,
    stood: bool,
) -> Timestamp {
    let gap = until.map(|until| now.duration_since(until).unsigned_abs());
    match (since, gap) {
        (Some(since), _) if stood && since <= now => since,
        (Some(since), Some(gap)) if since <= now && gap <= longest(granted) => since,
        _ => now,
    }
}

/// Why it is too early to enforce and what to do; None where every phone must have registered meanwhile.
pub fn too_short(now: Timestamp, since: Timestamp, granted: Option<u32>) -> Option<String> {
    let learned = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    let longest = longest(granted);
    let missing = longest
        .checked_sub(learned)
        .filter(|missing| !missing.is_zero())?;
    let whole = |time: Duration| Period::from(Duration::from_secs(time.as_secs()));
    let why = match granted {
        Some(_) => format!("registrations here last up to {}", whole(longest)),
        None => format!(
            "no registration was seen yet, and they commonly last {}",
            whole(longest)
        ),
    };
    Some(format!(
        "it has learned who belongs for {} only, while {why}: a phone that has not registered since is a stranger. Stay \
         in shadow mode for another {} (`ringfence reload --shadow`), or permit such phones (`ringfence permit add`)",
        whole(learned),
        whole(missing + Duration::from_secs(1))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_long_gap_begins_anew() {
        let resumed = |until, granted, stood| {
            resume(at(10_000), Some(at(0)), Some(at(until)), granted, stood)
        };
        assert_eq!(resumed(9_000, Some(3600), false), at(0));
        assert_eq!(resumed(6_000, Some(3600), false), at(10_000));
        assert_eq!(resumed(6_000, Some(3600), true), at(0));
        assert_eq!(resumed(9_000, None, false), at(0));
        let ahead = resume(at(0), Some(at(50)), Some(at(60)), None, true);
        assert_eq!(ahead, at(0), "the clock went back");
        assert_eq!(resume(at(0), None, None, None, false), at(0));
    }

    #[test]
    fn it_says_for_how_long_to_wait() {
        let told = too_short(at(600), at(0), Some(7200)).unwrap();
        assert!(told.contains("for 10m only"), "{told}");
        assert!(
            told.contains("up to 2h") && told.contains("1h50m1s"),
            "{told}"
        );
        assert_eq!(too_short(at(7200), at(0), Some(7200)), None);
        assert_eq!(too_short(at(130), at(0), Some(120)), None);
        let nothing = too_short(at(0), at(0), None).unwrap();
        assert!(nothing.contains("no registration was seen"), "{nothing}");
    }
}
