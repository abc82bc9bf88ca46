//! When newer data is asked for next.

use std::time::Duration;

use jiff::Timestamp;

use super::shelf::Index;
use crate::config::CountryOrigin;

/// The fence stands before anything is fetched.
const SOONEST: Duration = Duration::from_secs(10);
/// Hosts that start together do not ask together.
const SPREAD: Duration = Duration::from_secs(110);
/// The pause after a first failure; it doubles with each.
const PAUSE: Duration = Duration::from_secs(3600);

/// The moment of the next update; None: never. `roll` is a random number, by which many hosts do not ask at once: each up
/// to a tenth of the time earlier, or after a failure later.
pub fn next(origin: &CountryOrigin, index: &Index, now: Timestamp, roll: u32) -> Option<Timestamp> {
    let every = origin.update.every().filter(|_| origin.is_fetched())?;
    let part = |time: Duration| time.mul_f64(f64::from(roll) / f64::from(u32::MAX));
    let soonest = now.checked_add(SOONEST + part(SPREAD)).ok()?;
    let due = match index.checked {
        None => soonest,
        Some(checked) if index.failures > 0 => {
            let doubled = 1u32.checked_shl(index.failures - 1).unwrap_or(u32::MAX);
            let pause = PAUSE.saturating_mul(doubled).min(every);
            let due = checked.checked_add(pause + part(pause / 10)).ok()?;
            let later = index.later.and_then(|at| at.checked_add(part(SPREAD)).ok());
            later.map_or(due, |later| due.max(later))
        }
        // A clock that was set back: the check was never made.
        Some(checked) if checked > now => soonest,
        Some(checked) => checked.checked_add(every - part(every / 10)).ok()?,
    };
    // A clock that was set back must not put it off for ever.
    let latest = now.checked_add(every * 2).ok()?;
    Some(due.max(soonest).min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const DAY: i64 = 86_400;

    fn due(text: &str, index: &Index, roll: u32) -> Option<i64> {
        let config = Config::parse(&format!("[country]\n{text}\n"), "r.toml").unwrap();
        let now = Timestamp::from_second(100 * DAY).unwrap();
        let next = next(&config.country, index, now, roll)?;
        Some(next.as_second() - now.as_second())
    }

    fn checked(seconds: i64, failures: u32) -> Index {
        Index {
            checked: Timestamp::from_second(100 * DAY + seconds).ok(),
            failures,
            ..Index::default()
        }
    }

    #[test]
    fn it_is_asked_once_in_a_time_and_not_by_all_at_once() {
        let source = "source = \"dbip\"";
        assert_eq!(due("", &Index::default(), 0), None);
        assert_eq!(
            due(
                "source = \"dbip\"\nupdate = \"never\"",
                &Index::default(),
                0
            ),
            None
        );
        assert_eq!(due(source, &Index::default(), 0), Some(10));
        assert_eq!(due(source, &Index::default(), u32::MAX), Some(120));
        assert_eq!(due(source, &checked(0, 0), 0), Some(DAY));
        assert_eq!(due(source, &checked(0, 0), u32::MAX), Some(DAY * 9 / 10));
        assert_eq!(
            due(source, &checked(-2 * DAY, 0), 0),
            Some(10),
            "it was off"
        );
        assert_eq!(
            due(source, &checked(40 * DAY, 0), 0),
            Some(10),
            "the clock was set back"
        );
        assert_eq!(
            due("source = \"dbip\"\nupdate = \"weekly\"", &checked(0, 0), 0),
            Some(7 * DAY)
        );
    }

    #[test]
    fn failures_wait_longer_each_and_as_long_as_the_server_says() {
        let source = "source = \"dbip\"";
        assert_eq!(due(source, &checked(0, 1), 0), Some(3600));
        assert_eq!(due(source, &checked(0, 3), 0), Some(4 * 3600));
        assert_eq!(due(source, &checked(0, 1), u32::MAX), Some(3960));
        assert_eq!(due(source, &checked(0, 60), 0), Some(DAY));
        let index = Index {
            later: Timestamp::from_second(100 * DAY + 7200).ok(),
            ..checked(0, 1)
        };
        assert_eq!(due(source, &index, 0), Some(7200));
    }
}
