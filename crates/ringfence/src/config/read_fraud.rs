//! Reads `[fraud]`.

use std::str::FromStr;

use toml::de::DeValue;

use super::fraud::{Fraud, FraudLimits};
use super::keys::{FRAUD, FRAUD_CLOSED};
use super::reader::{Item, Reader, Section};
use super::wrong::{Wrong, quoted};
use crate::fraud::Premium;

/// The greatest limit, and the most entries of a list.
const MOST: u32 = 500;

/// The guard against toll fraud.
pub(super) fn fraud(reader: &mut Reader<'_>, top: &Section<'_>) -> Fraud {
    let mut fraud = Fraud::default();
    let Some(table) = top.get("fraud").and_then(|i| reader.table(&FRAUD, i)) else {
        return fraud;
    };
    if let Some(mode) = table.get("mode").and_then(|i| reader.word(i)) {
        fraud.mode = mode;
    }
    if let Some(item) = table.get("action") {
        fraud.action = actions(reader, item);
    }
    limits(reader, &table, &mut fraud.open);
    if let Some(item) = table.get("hours") {
        fraud.hours = list(reader, item);
    }
    if let Some(item) = table.get("home") {
        fraud.home = reader.parsed(item);
        if let Some(home) = fraud.home
            && !Premium::shipped().knows(home.0)
        {
            let message = format!("`home`: how numbers are dialled in {home} is not known");
            let fix = "leave it out, and list what is expensive there in `prefixes`";
            reader.refuse(item.at, Wrong::new(message, fix));
        }
    }
    for (key, into) in [
        ("outside", &mut fraud.outside),
        ("prefixes", &mut fraud.expensive),
        ("cheap", &mut fraud.cheap),
    ] {
        if let Some(item) = table.get(key) {
            *into = list(reader, item);
        }
    }
    for (key, into) in [
        ("exempt", &mut fraud.exempt),
        ("incoming", &mut fraud.incoming),
    ] {
        if let Some(item) = table.get(key) {
            let names: Vec<Name> = list(reader, item);
            *into = names.into_iter().map(|name| name.0).collect();
        }
    }
    if let Some(item) = table.get("closed")
        && let Some(closed) = reader.table(&FRAUD_CLOSED, item)
    {
        limits(reader, &closed, &mut fraud.closed);
        if fraud.hours.is_empty() && table.get("hours").is_none_or(is_empty) {
            let message = "[fraud.closed] never holds: [fraud] has no `hours`";
            let fix = "add hours = [\"Mon-Fri 08:00-18:00\"] to [fraud]";
            reader.miss(item.at, Wrong::new(message, fix));
        }
    }
    fraud
}

fn is_empty(item: Item<'_>) -> bool {
    matches!(item.value, DeValue::Array(entries) if entries.is_empty())
}

fn limits(reader: &mut Reader<'_>, table: &Section<'_>, limits: &mut FraudLimits) {
    for (key, least, limit) in [
        ("attempts", 1, &mut limits.attempts),
        ("concurrent", 1, &mut limits.concurrent),
        ("destinations", 1, &mut limits.destinations),
        ("expensive", 0, &mut limits.expensive),
    ] {
        if let Some(number) = table.get(key).and_then(|i| reader.number(i, least..=MOST)) {
            *limit = number;
        }
    }
}

fn actions(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<super::FraudAction> {
    let mut actions = Vec::new();
    for entry in reader.list(item) {
        let action = reader.word(entry);
        actions.extend(action.filter(|action| !actions.contains(action)));
    }
    actions
}

/// A list, none twice.
fn list<T: FromStr<Err = Wrong> + PartialEq>(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<T> {
    let mut entries: Vec<T> = Vec::new();
    for (number, (entry, at)) in reader.parsed_list(item).into_iter().enumerate() {
        if number == MOST as usize {
            let message = format!("`{}` has more than {MOST} entries", item.name);
            reader.refuse(at, Wrong::new(message, "leave some out"));
            break;
        }
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// A name of an endpoint or a context.
#[derive(PartialEq)]
struct Name(String);

impl FromStr for Name {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let fits = (1..=80).contains(&text.len())
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::new(
            format!("{} is not a name of Asterisk", quoted(text)),
            "write it as Asterisk does, such as \"PJSIP/provider\" or \"from-trunk\"",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{FRAUD, FRAUD_CLOSED, Preset};
    use crate::config::{Config, Fraud, FraudAction, Mode};

    fn read(text: &str) -> Fraud {
        Config::parse(text, "r.toml")
            .unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
            .fraud
    }

    #[test]
    fn a_default_that_is_written_is_a_default() {
        assert_eq!(read(""), Fraud::default());
        for (before, table) in [
            ("[fraud]", &FRAUD),
            (
                "[fraud]\nhours = [\"08:00-18:00\"]\n[fraud.closed]",
                &FRAUD_CLOSED,
            ),
        ] {
            for key in table.keys {
                if let Preset::Toml(value) = key.default {
                    let text = format!("{before}\n{} = {value}", key.name);
                    assert_eq!(read(&text), read(before), "{text}");
                }
            }
        }
    }

    #[test]
    fn every_key_is_read() {
        let fraud = read(
            "[fraud]\nmode = \"enforce\"\naction = [\"tell\", \"hangup\", \"tell\"]\nattempts = 1\n\
             concurrent = 2\ndestinations = 3\nexpensive = 0\nhours = [\"Mon-Fri 08:00-18:00\"]\n\
             home = \"DE\"\noutside = [\"0\"]\nprefixes = [\"0137\"]\ncheap = [\"0043\", \"+41\"]\n\
             exempt = [\"PJSIP/provider\"]\nincoming = [\"dids\"]\n\
             [fraud.closed]\nattempts = 4\nconcurrent = 5\ndestinations = 6\nexpensive = 7\n",
        );
        assert_eq!(fraud.mode, Mode::Enforce);
        assert_eq!(fraud.action, [FraudAction::Tell, FraudAction::Hangup]);
        let of = |limits: crate::config::FraudLimits| {
            [
                limits.attempts,
                limits.concurrent,
                limits.destinations,
                limits.expensive,
            ]
        };
        assert_eq!(
            (of(fraud.open), of(fraud.closed)),
            ([1, 2, 3, 0], [4, 5, 6, 7])
        );
        assert_eq!(fraud.home.unwrap().to_string(), "DE");
        assert_eq!(fraud.outside[0].as_str(), "0");
        assert_eq!(fraud.expensive[0].as_str(), "0137");
        assert_eq!(fraud.cheap[1].as_str(), "+41");
        assert_eq!(fraud.exempt, ["PJSIP/provider"]);
        assert_eq!(fraud.incoming, ["dids"]);
        assert_eq!(fraud.hours.len(), 1);
    }

    #[test]
    fn a_mistake_names_its_place_and_the_cure() {
        for (text, expected) in [
            (
                "[fraud]\nattempts = 0",
                "2:12: `attempts` is out of range: `0`",
            ),
            ("[fraud]\nexpensive = 501", "from 0 to 500"),
            (
                "[fraud]\naction = [\"hang-up\"]",
                "did you mean \"hangup\"?",
            ),
            ("[fraud]\nhours = [\"Mon-Fri\"]", "\"Mon-Fri 08:00-18:00\""),
            ("[fraud]\nhome = \"VA\"", "in VA is not known; leave it out"),
            ("[fraud]\noutside = [\"*9\"]", "write 1 to 15 digits"),
            ("[fraud]\nexempt = [\"a b\"]", "\"PJSIP/provider\""),
            (
                "[fraud]\n[fraud.closed]\nattempts = 1",
                "never holds: [fraud] has no `hours`; add hours",
            ),
            ("[fraud]\nhome = \"XX\"", "there is no country `XX`"),
            (
                "[fraud.closed]\nhours = []",
                "unknown key `hours` in [fraud.closed]",
            ),
        ] {
            let shown = Config::parse(text, "r.toml").unwrap_err().to_string();
            assert!(shown.contains(expected), "{text}\n{shown}");
        }
    }
}
