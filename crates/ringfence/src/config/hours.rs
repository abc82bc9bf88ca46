//! Office hours: `Mon-Fri 08:00-18:00`.

use std::fmt;
use std::str::FromStr;

use super::wrong::{Wrong, quoted};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Hours of some days of the week, by the local clock: `"Mon-Fri 08:00-18:00"`, `"Sat,Sun 10:00-12:30"`, or
/// `"00:00-24:00"` for every day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hours {
    /// Monday first.
    days: [bool; 7],
    /// Minutes after midnight; the last is not part of it.
    from: u16,
    to: u16,
}

impl Hours {
    /// Whether they hold at a minute (0 to 1439) of a day (0 for Monday).
    pub fn hold(&self, day: usize, minute: u16) -> bool {
        self.days.get(day) == Some(&true) && (self.from..self.to).contains(&minute)
    }
}

impl FromStr for Hours {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: String, fix: String| Wrong::new(format!("{} {why}", quoted(text)), fix);
        let usual = || {
            wrong(
                "is not a time of the week".into(),
                "write days and hours such as \"Mon-Fri 08:00-18:00\"".into(),
            )
        };
        let (days, hours) = match text.rsplit_once(' ') {
            Some((days, hours)) => (Some(days.trim()), hours),
            None => (None, text),
        };
        let (from, to) = hours.split_once('-').ok_or_else(usual)?;
        let (from, to) = minute(from).zip(minute(to)).ok_or_else(usual)?;
        if from >= to {
            return Err(wrong(
                "ends before it begins".into(),
                "write the hours up to 24:00 and those from 00:00 on as two entries".into(),
            ));
        }
        let days = match days {
            None => [true; 7],
            Some(days) => week(days).map_err(|day| {
                wrong(
                    format!("has no day in {}", quoted(day)),
                    format!("write {}", DAYS.join(", ")),
                )
            })?,
        };
        Ok(Self { days, from, to })
    }
}

/// Days such as `Mon-Fri,Sun`; the one that is none.
fn week(text: &str) -> Result<[bool; 7], &str> {
    let day = |text: &str| {
        DAYS.iter()
            .position(|day| day.eq_ignore_ascii_case(text.trim()))
    };
    let mut week = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = day(first).zip(day(last)).ok_or(part)?;
        // From Friday to Monday goes over the end of the week.
        let length = (last + 7 - first) % 7;
        for (number, open) in week.iter_mut().enumerate() {
            *open |= (number + 7 - first) % 7 <= length;
        }
    }
    Ok(week)
}

/// `HH:MM` as minutes after midnight, 24:00 included.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| -> Option<u16> {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY).then_some(at)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = DAYS.iter().zip(self.days);
        let days: Vec<&str> = named
            .filter(|(_, open)| *open)
            .map(|(day, _)| *day)
            .collect();
        let at = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{} {}-{}", days.join(","), at(self.from), at(self.to))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hours_hold_from_the_first_minute_up_to_the_last() {
        let hours: Hours = "Mon-Fri 08:00-18:00".parse().unwrap();
        assert!(hours.hold(0, 480) && hours.hold(4, 1079));
        assert!(!hours.hold(0, 479) && !hours.hold(0, 1080));
        assert!(!hours.hold(5, 600) && !hours.hold(7, 600));
        assert_eq!(hours.to_string(), "Mon,Tue,Wed,Thu,Fri 08:00-18:00");
        let weekend: Hours = "sat-mon,Wed 00:00-24:00".parse().unwrap();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6].map(|day| weekend.hold(day, 1439)),
            [true, false, true, false, false, true, true]
        );
        let daily: Hours = "09:00-09:01".parse().unwrap();
        assert!((0..7).all(|day| daily.hold(day, 540) && !daily.hold(day, 541)));
    }

    #[test]
    fn wrong_hours_say_what_to_write() {
        for (text, expected) in [
            ("", "\"Mon-Fri 08:00-18:00\""),
            ("Mon-Fri", "\"Mon-Fri 08:00-18:00\""),
            ("Mon-Fri 8-18", "\"Mon-Fri 08:00-18:00\""),
            ("Mon 08:60-09:00", "\"Mon-Fri 08:00-18:00\""),
            ("Mon 08:00-24:01", "\"Mon-Fri 08:00-18:00\""),
            ("Mon-Fry 08:00-18:00", "no day in `Mon-Fry`; write Mon, Tue"),
            ("Mon 22:00-06:00", "as two entries"),
        ] {
            let told = text.parse::<Hours>().unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn hours_are_read_back(text in "(Mon|Sun|Tue-Sat|Fri-Tue)(,Wed)? [01][0-9]:[0-5][0-9]-2[0-3]:[0-5][0-9]") {
            let hours: Hours = text.parse().unwrap();
            prop_assert_eq!(hours.to_string().parse::<Hours>().unwrap(), hours);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,30}") {
            let _ = text.parse::<Hours>();
        }
    }
}
