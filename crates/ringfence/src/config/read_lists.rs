//! Reads `permit` and `deny`.

use toml::de::DeValue;

use super::address::{AddressRange, ListEntry};
use super::keys::ENTRY;
use super::listed::{ListName, MAX_LISTED_NAMES, listed};
use super::name::Host;
use super::read_trust::refuse_beyond;
use super::reader::{Item, Reader, Section};
use super::types::Config;
use super::wrong::Wrong;

/// The entries of a list, addresses and names apart.
#[derive(Default)]
struct List {
    entries: Vec<ListEntry>,
    names: Vec<ListName>,
}

/// Reads both lists into `config`.
pub(super) fn lists(reader: &mut Reader<'_>, top: &Section<'_>, config: &mut Config) {
    if let Some(item) = top.get("permit") {
        let list = list(
            reader,
            item,
            "permits the whole Internet",
            "write from = \"anyone\" in the service that is meant for all",
        );
        (config.permit, config.permit_names) = (list.entries, list.names);
    }
    if let Some(item) = top.get("deny") {
        let list = list(
            reader,
            item,
            "denies the whole Internet, this session included",
            "write from = \"permitted\" in the services that are meant for a few",
        );
        (config.deny, config.deny_names) = (list.entries, list.names);
    }
}

/// Notes `all` as the mistake of a range that is all of a family.
pub(super) fn refuse_everything(
    reader: &mut Reader<'_>,
    item: Item<'_>,
    range: AddressRange,
    what: &str,
    fix: &str,
) -> Option<AddressRange> {
    if range.is_everything() {
        reader.refuse(
            item.at,
            Wrong::new(format!("`{}`: `{range}` {what}", item.name), fix),
        );
        return None;
    }
    Some(range)
}

fn list(reader: &mut Reader<'_>, item: Item<'_>, what: &str, fix: &str) -> List {
    let mut list = List::default();
    let mut places = Vec::new();
    for entry in reader.list(item) {
        let (address, comment, private) = match entry.value {
            DeValue::Table(_) => {
                let Some(table) = reader.table(&ENTRY, entry) else {
                    continue;
                };
                let comment = table.get("comment").and_then(|i| reader.text(i));
                let private = table
                    .get("private")
                    .and_then(|i| Some((i.at, reader.flag(i)?)));
                let Some(address) = table.get("address") else {
                    reader.miss_key(&table, "address", "address = \"192.0.2.0/24\"");
                    continue;
                };
                (address, comment.map(str::to_owned), private)
            }
            _ => (entry, None, None),
        };
        let Some(text) = reader.text(address) else {
            continue;
        };
        match reader.keep(address, listed(text)) {
            None => {}
            Some(Host::Range(range)) => {
                if let Some((at, _)) = private {
                    let message = format!("`private` is for host names; `{range}` is none");
                    reader.refuse(at, Wrong::new(message, "leave it out"));
                }
                let range = refuse_everything(reader, address, range, what, fix);
                let entry = range.map(|range| ListEntry { range, comment });
                list.entries.extend(entry);
            }
            Some(Host::Name(name)) => {
                places.push(address.at);
                let private = private.is_some_and(|(_, flag)| flag);
                list.names.retain(|earlier| earlier.name != name);
                list.names.push(ListName {
                    name,
                    private,
                    comment,
                });
            }
        }
    }
    refuse_beyond(
        reader,
        places.into_iter(),
        MAX_LISTED_NAMES,
        "host names",
        "write the prefixes of those that do not move",
    );
    list
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ListName};

    fn wrong(text: &str) -> String {
        Config::parse(text, "r.toml").unwrap_err().to_string()
    }

    #[test]
    fn names_and_addresses_stand_side_by_side() {
        let config = Config::parse(
            "permit = [\"198.51.100.7\", \"Boss.dyndns.example\", \
             { address = \"nas.home.example\", private = true, comment = \"at home\" }]\n\
             deny = [\"bad.example\", \"bad.example\"]\n",
            "r.toml",
        )
        .unwrap();
        assert_eq!(config.permit.len(), 1);
        let name = |name: &str, private, comment: Option<&str>| ListName {
            name: name.into(),
            private,
            comment: comment.map(str::to_owned),
        };
        let names = [
            name("boss.dyndns.example", false, None),
            name("nas.home.example", true, Some("at home")),
        ];
        assert_eq!(config.permit_names, names);
        assert_eq!(config.deny_names, [name("bad.example", false, None)]);
    }

    #[test]
    fn mistakes_name_their_place_and_the_cure() {
        for (text, told) in [
            (
                "permit = [\"office\"]",
                "1:11: `permit`: `office` is neither",
            ),
            (
                "deny = [{ address = \"192.0.2.1\", private = true }]",
                "`private` is for host names",
            ),
            ("permit = [7]", "must be a text"),
        ] {
            let shown = wrong(text);
            assert!(shown.contains(told), "{shown}");
        }
        let many: Vec<String> = (0..65).map(|n| format!("\"h{n}.example\"")).collect();
        let shown = wrong(&format!("permit = [{}]", many.join(", ")));
        assert!(shown.contains("65 host names are more than 64"), "{shown}");
    }
}
