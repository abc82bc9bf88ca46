//! Whether the country data is fresh, and can be kept so.

use std::path::Path;

use jiff::Timestamp;

use super::finding::{Finding, State, finding};
use crate::config::{CountryOrigin, SecretError};
use crate::country::{self, CountryData, Shelf, UpdateError};

/// Looks at `[country]` and at what was downloaded. Nothing is asked of the provider.
pub(super) fn look(origin: &CountryOrigin, state: &Path, now: Timestamp) -> Finding {
    let what = "country data";
    let found = match country::in_force(origin, state) {
        Ok(found) => found,
        Err(error) => {
            let remedy = "have `file` of [country] name a file that is there";
            return finding(what, State::Problem, error.to_string(), remedy);
        }
    };
    let today = now.to_zoned(jiff::tz::TimeZone::system()).date();
    let age = found.data.age(today);
    let mut text = match age {
        Some(days) => format!("{}, {days} days old", found.data.source),
        None => format!("{}, of no known age", found.data.source),
    };
    if let Some(trouble) = found.trouble {
        let remedy = "run ringfence country update";
        return finding(what, State::Problem, trouble, remedy);
    }
    if origin.is_fetched() {
        let index = Shelf::of(state).index();
        match index.checked {
            Some(checked) => text.push_str(&format!("; last asked {}", checked.strftime("%FT%TZ"))),
            None => text.push_str("; never asked for newer"),
        }
        if let Some(next) = country::next(origin, &index, now, 0) {
            text.push_str(&format!("; next about {}", next.strftime("%FT%TZ")));
        }
        match country::key(origin) {
            // What systemd gives the daemon nobody else can read.
            Err(UpdateError::Secret(SecretError::Credential(name))) => {
                text.push_str(&format!("; its key is the daemon's credential `{name}`"));
            }
            Err(error) => {
                let found = format!("{text}; {error}");
                return finding(what, State::Problem, found, "give the source its key");
            }
            Ok(()) => {}
        }
        if let Some(failure) = &index.failure {
            let found = format!("{text}; {} times in vain: {failure}", index.failures);
            return finding(
                what,
                State::Note,
                found,
                "see what ringfence country update --dry-run says",
            );
        }
    }
    if age.is_some_and(|days| days > CountryData::OLD) {
        let remedy = "have `source` of [country] name where newer data comes from, such as \"ip-location-db\"";
        return finding(what, State::Note, text, remedy);
    }
    finding(what, State::Fine, text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn found(text: &str, now: &str) -> Finding {
        let state = tempfile::tempdir().unwrap();
        let config = Config::parse(text, "r.toml").unwrap();
        look(&config.country, state.path(), now.parse().unwrap())
    }

    #[test]
    fn age_and_missing_keys_are_told() {
        let fresh = found("", "2026-06-20T00:00:00Z");
        assert_eq!(fresh.state, State::Fine, "{}", fresh.found);
        let old = found("", "2027-06-20T00:00:00Z");
        assert_eq!(old.state, State::Note);
        assert!(
            old.found.contains("368 days old") || old.found.contains("367 days old"),
            "{}",
            old.found
        );
        let keyless = found(
            "[country]\nsource = \"ipinfo\"\ntoken_file = \"/nonexistent/token\"",
            "2026-06-20T00:00:00Z",
        );
        assert_eq!(keyless.state, State::Problem);
        assert!(
            keyless.found.contains("/nonexistent/token"),
            "{}",
            keyless.found
        );
        assert!(keyless.found.contains("never asked"), "{}", keyless.found);
        let daemons = found(
            "[country]\nsource = \"ipinfo\"\ntoken_credential = \"ipinfo\"",
            "2026-06-20T00:00:00Z",
        );
        assert_eq!(daemons.state, State::Fine, "{}", daemons.found);
        assert!(
            daemons.found.contains("credential `ipinfo`"),
            "{}",
            daemons.found
        );
        let gone = found(
            "[country]\nfile = \"/nonexistent/x.mmdb\"",
            "2026-06-20T00:00:00Z",
        );
        assert_eq!(gone.state, State::Problem);
    }
}
