//! What a dialled number is: an emergency, expensive, or neither.

use super::premium::{Plan, Premium};
use crate::config::{Dialled, Fraud, User};

/// Digits that a national number with its trunk prefix has at least; what is shorter is an extension or a service.
const NATIONAL: usize = 7;
/// The same in countries with the code 1, whose numbers all have ten digits.
const NATIONAL_1: usize = 10;
/// Before a number of another country where `home` does not say.
const ABROAD: [&str; 2] = ["00", "011"];

/// Tells numbers apart.
#[derive(Debug)]
pub(super) struct Numbers {
    emergency: Vec<String>,
    outside: Vec<Dialled>,
    home: Option<&'static Plan>,
    /// About international numbers, by how they begin.
    international: Vec<Rule>,
    /// About all others, as they are dialled.
    dialled: Vec<Rule>,
}

/// About numbers that begin so; of those that fit the longest decides, and of these the last.
#[derive(Debug)]
struct Rule {
    begins: String,
    /// Why it is expensive; None: it is not.
    expensive: Option<String>,
}

/// The rule that decides about a number.
fn decisive<'r>(rules: &'r [Rule], number: &str) -> Option<&'r Rule> {
    rules
        .iter()
        .filter(|rule| number.starts_with(&rule.begins))
        .max_by_key(|rule| rule.begins.len())
}

impl Numbers {
    pub(super) fn new(fraud: &Fraud, emergency: &[User]) -> Self {
        let premium = Premium::shipped();
        let home = fraud.home.and_then(|home| premium.plan(home.0));
        let rule = |begins: &str, expensive: Option<&str>| Rule {
            begins: begins.to_owned(),
            expensive: expensive.map(str::to_owned),
        };
        let mut numbers = Self {
            emergency: emergency.iter().map(|user| plain(user.as_str())).collect(),
            outside: fraud.outside.clone(),
            home,
            international: vec![rule("", Some("another country"))],
            dialled: Vec::new(),
        };
        let ranges = premium.ranges.iter();
        numbers
            .international
            .extend(ranges.map(|range| rule(&range.begins, Some(&range.name))));
        if let Some(plan) = home {
            numbers.international.push(rule(&plan.calling, None));
            for begins in &plan.premium {
                let begins = format!("{}{begins}", plan.calling);
                numbers
                    .international
                    .push(rule(&begins, Some("premium rate")));
            }
            let short = plan.short.iter();
            numbers
                .dialled
                .extend(short.map(|begins| rule(begins, Some("premium rate"))));
        }
        let own = [(&fraud.cheap, None), (&fraud.expensive, Some("listed"))];
        for (list, expensive) in own {
            for begins in list {
                match numbers.international(begins.as_str(), 0) {
                    Some(begins) => numbers.international.push(rule(&begins, expensive)),
                    None => numbers.dialled.push(rule(begins.as_str(), expensive)),
                }
            }
        }
        numbers
    }

    /// Whether it is an emergency number, with what is dialled to get out or without it.
    pub(super) fn emergency(&self, number: &str) -> bool {
        let number = plain(number);
        let listed = |number: &str| {
            let bare = number.strip_prefix('+').unwrap_or(number);
            let mut all = self.emergency.iter();
            all.any(|one| one == bare || one == number)
        };
        listed(&number) || self.outward(&number).any(listed)
    }

    /// Why a number is expensive, if it is.
    pub(super) fn expensive(&self, number: &str) -> Option<&str> {
        let number = plain(number);
        let expensive = |number: &str| self.decide(number)?.expensive.as_deref();
        if self.outside.is_empty() || number.starts_with('+') {
            return expensive(&number);
        }
        self.outward(&number).find_map(expensive)
    }

    fn decide(&self, number: &str) -> Option<&Rule> {
        let shortest = match self.home {
            Some(plan) if plan.calling == "1" => NATIONAL_1,
            _ => NATIONAL,
        };
        let own = decisive(&self.dialled, number);
        if let Some(rule) = own.filter(|_| self.abroad(number).is_none()) {
            return Some(rule);
        }
        decisive(&self.international, &self.international(number, shortest)?)
    }

    /// What remains of a number behind each of the ways out.
    fn outward<'n>(&self, number: &'n str) -> impl Iterator<Item = &'n str> {
        self.outside
            .iter()
            .filter_map(|out| number.strip_prefix(out.as_str()))
            .filter(|rest| !rest.is_empty())
    }

    /// What follows `+` or its like.
    fn abroad<'n>(&self, number: &'n str) -> Option<&'n str> {
        let usual = match self.home {
            Some(plan) => &[plan.abroad.as_str()],
            None => ABROAD.as_slice(),
        };
        let rest = number
            .strip_prefix('+')
            .or_else(|| usual.iter().find_map(|begin| number.strip_prefix(begin)));
        rest.filter(|rest| !rest.is_empty())
    }

    /// The number as it is dialled from abroad, without `+`. None of one that is neither international nor, with at
    /// least `shortest` digits, national.
    fn international(&self, number: &str, shortest: usize) -> Option<String> {
        if let Some(rest) = self.abroad(number) {
            // Not a few write +49 (0) 30.
            let national = self.home.filter(|plan| plan.trunk == "0").and_then(|plan| {
                let national = rest.strip_prefix(plan.calling.as_str())?;
                let national = national.strip_prefix('0')?;
                Some(format!("{}{national}", plan.calling))
            });
            return Some(national.unwrap_or_else(|| rest.to_owned()));
        }
        let plan = self.home?;
        if number.len() < shortest {
            return None;
        }
        // In countries with the code 1 the trunk prefix is often left out.
        let bare = plan.calling == "1" && number.len() == NATIONAL_1;
        let national = match number.strip_prefix(plan.trunk.as_str()) {
            Some(national) if !bare => national,
            _ if bare => number,
            _ => return None,
        };
        Some(format!("{}{national}", plan.calling))
    }
}

/// A user as a number: without parameters (`;`) and visual separators (RFC 3966, section 5.1.1).
fn plain(user: &str) -> String {
    let user = user.split(';').next().unwrap_or_default();
    user.chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' '))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn numbers(fraud: &str) -> Numbers {
        let text = format!("[fraud]\n{fraud}");
        let config = Config::parse(&text, "r.toml").unwrap_or_else(|e| panic!("{e}"));
        Numbers::new(&config.fraud, &config.emergency)
    }

    #[test]
    fn numbers_are_told_apart() {
        for (fraud, cheap, expensive) in [
            (
                "",
                "1001 100 030123456 09001234567 118 *43 s 00 011 + 2000 0",
                "0044201234567 +441234 01144123 00-44-20 +881612345 000 0112",
            ),
            (
                "home = \"GB\"",
                "02079460000 +442079460000 00442079460000 +44(0)2079460000 1001 0044",
                "09061234567 +449061234567 0044906123 +44(0)9061234 07012345678 118118 00353123 \
                 +88212 +1212",
            ),
            (
                "home = \"US\"",
                "12125551234 2125551234 +12125551234 1242 1900 411",
                "19005551234 9005551234 12425551234 +18765551234 011441234567 2425551234",
            ),
            (
                "home = \"ES\"",
                "915551234 +34915551234 1001",
                "803123456 +34806123456 0033123456 11811",
            ),
            (
                "home = \"DE\"\noutside = [\"0\"]",
                "0030123456 00171234567 1001 09001234567 0 000 0112",
                "000441234567 009001234567 +441234567 +499001234 0118899",
            ),
            (
                "outside = [\"9\"]\ncheap = [\"+353\", \"0049\"]\nprefixes = [\"0900\", \"+35315\"]",
                "001234567 9353123 90035312345 90049301234 +35312345 +4930 9000",
                "90044123 90900123456 900353151234 +35315",
            ),
            ("cheap = [\"+44\"]\nprefixes = [\"+44\"]", "1001", "+441234"),
        ] {
            let numbers = numbers(fraud);
            for number in cheap.split_whitespace() {
                let found = numbers.expensive(number);
                // What is an emergency is never asked about.
                assert!(
                    found.is_none() || numbers.emergency(number),
                    "{fraud}: {number}: {found:?}"
                );
            }
            for number in expensive.split_whitespace() {
                assert!(numbers.expensive(number).is_some(), "{fraud}: {number}");
            }
        }
    }

    #[test]
    fn emergencies_are_known_however_they_are_dialled() {
        let plain = numbers("");
        for number in [
            "112",
            "911",
            "999",
            "000",
            "1-1-2",
            "+112",
            "112;user=phone",
        ] {
            assert!(plain.emergency(number), "{number}");
        }
        for number in [
            "0112", "9112", "1123", "", "0", "00", "0000", "0001", "112x",
        ] {
            assert!(!plain.emergency(number), "{number}");
        }
        let out = numbers("outside = [\"0\", \"9\"]");
        for number in ["112", "0112", "9112", "0000", "9000", "000", "9911"] {
            assert!(out.emergency(number), "{number}");
        }
        assert!(!out.emergency("00112") && !out.emergency("8112"));
    }

    proptest! {
        #[test]
        fn any_number_is_answered(
            number in "[+0-9*#;().a-z\n]{0,20}",
            fraud in prop::sample::select(vec!["", "home = \"GB\"", "home = \"US\"", "home = \"IT\"\noutside = [\"0\"]"]),
        ) {
            let numbers = numbers(fraud);
            let _ = (numbers.emergency(&number), numbers.expensive(&number));
        }

        #[test]
        fn every_number_of_another_country_is_expensive(number in "[2-9][0-9]{5,12}") {
            let without_home = numbers("");
            for begin in ["+", "00", "011"] {
                let dialled = format!("{begin}{number}");
                prop_assert!(without_home.expensive(&dialled).is_some());
            }
        }
    }
}
