//! Prints: short marks by which one tells whether two things are the same.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Facts, Ruleset, plan};
use crate::config::Config;
use crate::country::CountryData;

/// The print of what the configuration says, whatever lists, countries and neighbours are at the moment.
pub(super) fn policy(config: &Config) -> String {
    let nowhere = CountryData {
        ranges_v4: Vec::new(),
        ranges_v6: Vec::new(),
        source: String::new(),
        licence: None,
        date: None,
        unknown_codes: std::collections::BTreeSet::new(),
    };
    hash(&plan(config, &Facts::default(), &nowhere).text(false))
}

/// The print of rules, whatever sessions are up.
pub(super) fn rules(rules: &Ruleset) -> String {
    let sessions = std::collections::BTreeSet::new();
    let lasting = Ruleset {
        sessions,
        ..rules.clone()
    };
    hash(&lasting.text(false))
}

/// The print of a table as `nft` lists it: handles, what counters count and what live sets hold are left out.
pub(super) fn table(objects: &[Value]) -> String {
    let mut objects = objects.to_vec();
    objects.iter_mut().for_each(strip);
    hash(&Value::Array(objects).to_string())
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("handle");
            // What live sets hold comes and goes.
            let flags = object.get("flags").and_then(Value::as_array);
            if flags.is_some_and(|flags| flags.iter().any(|flag| flag == "timeout")) {
                object.remove("elem");
            }
            for number in ["packets", "bytes"] {
                object.remove(number);
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(all) => all.iter_mut().for_each(strip),
        _ => {}
    }
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_counted_changes_no_print() {
        let counter = |name: &str, packets: u32, handle: u32| json!({ "counter": { "name": name, "packets": packets, "handle": handle } });
        assert_eq!(table(&[counter("a", 1, 2)]), table(&[counter("a", 7, 9)]));
        assert_ne!(table(&[counter("a", 1, 2)]), table(&[counter("b", 1, 2)]));
    }

    #[test]
    fn what_live_sets_hold_changes_no_print() {
        let set = |flag: &str, elements: &[&str]| json!({ "set": { "name": "s", "flags": [flag], "elem": elements } });
        let (none, some) = (&[][..], &["192.0.2.1"][..]);
        assert_eq!(
            table(&[set("timeout", none)]),
            table(&[set("timeout", some)])
        );
        assert_ne!(
            table(&[set("interval", none)]),
            table(&[set("interval", some)])
        );
    }

    #[test]
    fn policies_differ_by_what_they_say() {
        let print = |text: &str| policy(&Config::parse(text, "test").unwrap());
        let base = "permit = [\"192.0.2.1\"]\n";
        assert_eq!(
            print(base),
            print(&format!("{base}events_per_second = 7\n"))
        );
        assert_ne!(print(base), print(""));
        assert_ne!(print(base), print(&format!("mode = \"enforce\"\n{base}")));
        assert_ne!(
            print(base),
            print(&format!("{base}[host]\nrtp = \"10000-10010\""))
        );
        let by = |code: &str| {
            format!(
                "countries = [\"{code}\"]\n[[service]]\nname = \"w\"\nkind = \"plain\"\nports = [\"tcp/80\"]"
            )
        };
        assert_ne!(print(&by("GB")), print(&by("IE")));
    }
}
