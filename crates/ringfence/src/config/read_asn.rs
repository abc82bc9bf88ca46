//! Reads `[asn]`, and `asn` of a service.

use toml::de::DeValue;

use super::asn::{AsNumber, Asn, AsnRule};
use super::keys::{ASN, SERVICE_ASN};
use super::read::path;
use super::reader::{Item, Reader, Section};
use super::service::{Admissions, Service};
use super::wrong::Wrong;

/// Reads `[asn]`, which `services` may need.
pub(super) fn asn(reader: &mut Reader<'_>, top: &Section<'_>, services: &[Service]) -> Asn {
    let mut asn = Asn::default();
    let Some(item) = top.get("asn") else {
        if !top.misspelt("asn") {
            need(reader, top, services);
        }
        return asn;
    };
    let Some(table) = reader.table(&ASN, item) else {
        return asn;
    };
    let files = match table.get("db") {
        Some(item) if matches!(item.value, DeValue::Array(_)) => reader.list(item),
        item => item.into_iter().collect(),
    };
    if files.is_empty() && !table.misspelt("db") {
        need(reader, top, services);
    }
    asn.db = files.into_iter().filter_map(|i| path(reader, i)).collect();
    asn
}

/// Notes that there are no files, where a service needs them.
fn need(reader: &mut Reader<'_>, top: &Section<'_>, services: &[Service]) {
    if let Some(service) = services.iter().find(|service| !service.asn.is_empty()) {
        let at = top.get("service").map_or(0, rule_at);
        let name = &service.name;
        let message = format!("service `{name}` judges by system and there is no data of systems");
        let fix = "add [asn] with db = \"/var/lib/GeoIP/GeoLite2-ASN.mmdb\"";
        reader.miss(at, Wrong::new(message, fix));
    }
}

/// Where the first `asn` of the services stands.
fn rule_at(services: Item<'_>) -> usize {
    let DeValue::Array(tables) = services.value else {
        return services.at;
    };
    let mut keys = tables.iter().filter_map(|table| match table.get_ref() {
        DeValue::Table(table) => table.keys().find(|key| key.get_ref() == "asn"),
        _ => None,
    });
    keys.next().map_or(services.at, |key| key.span().start)
}

/// Whether a service means to admit systems, however well it says so.
pub(super) fn admits(service: &Section<'_>) -> bool {
    let Some(DeValue::Table(table)) = service.get("asn").map(|item| item.value) else {
        return false;
    };
    let allow = table.iter().find(|(key, _)| key.get_ref() == "allow");
    match allow.map(|(_, value)| value.get_ref()) {
        Some(DeValue::Array(entries)) => !entries.is_empty(),
        other => other.is_some(),
    }
}

/// Reads `asn` of a service, which admits by `from`.
pub(super) fn rule(reader: &mut Reader<'_>, service: &Section<'_>, from: &Admissions) -> AsnRule {
    let Some(item) = service.get("asn") else {
        return AsnRule::default();
    };
    if !matches!(item.value, DeValue::Table(_)) {
        let message = format!(
            "`asn` of {} does not say what becomes of the systems",
            service.title()
        );
        let fix = "write asn = { allow = [3320] } or asn = { deny = [3320] }";
        reader.refuse(item.at, Wrong::new(message, fix));
        return AsnRule::default();
    }
    let Some(table) = reader.table(&SERVICE_ASN, item) else {
        return AsnRule::default();
    };
    let allow = table.get("allow").map(|i| numbers(reader, i));
    let deny = table.get("deny").map(|i| numbers(reader, i));
    let rule = AsnRule {
        allow: allow.unwrap_or_default(),
        deny: deny.unwrap_or_default(),
    };
    if let (Some(both), Some(item)) = (
        rule.deny.iter().find(|number| rule.allow.contains(number)),
        table.get("deny"),
    ) {
        let message = format!("{both} is both allowed and denied");
        reader.refuse(
            item.at,
            Wrong::new(message, "leave it in one of the two lists"),
        );
    }
    if let Some(item) = table.get("allow")
        && !rule.allow.is_empty()
        && !from.by_country()
    {
        let message = format!(
            "`allow` of {} admits nobody: it does not admit by country",
            service.title()
        );
        let fix = "write from = \"countries\", which the systems are added to, or remove `allow`";
        reader.refuse(item.at, Wrong::new(message, fix));
    }
    rule
}

/// Numbers as texts or as numbers, ascending, none twice.
fn numbers(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<AsNumber> {
    let entries = reader.list(item);
    if entries.len() > AsnRule::MOST {
        let message = format!(
            "`{}` has {} entries, more than {}",
            item.name,
            entries.len(),
            AsnRule::MOST
        );
        let fix = "write the countries or addresses that are meant";
        reader.refuse(item.at, Wrong::new(message, fix));
        return Vec::new();
    }
    let mut numbers: Vec<AsNumber> = Vec::new();
    for entry in entries {
        let number: Option<AsNumber> = match entry.value {
            DeValue::Integer(number) => {
                let value = u32::from_str_radix(number.as_str(), number.radix());
                let text = value.map_or_else(|_| number.to_string(), |value| value.to_string());
                reader.keep(entry, text.parse())
            }
            _ => reader.parsed(entry),
        };
        numbers.extend(number);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Config, String> {
        Config::parse(text, "r.toml").map_err(|wrong| wrong.to_string())
    }

    const HEAD: &str =
        "countries = [\"DE\"]\n[asn]\ndb = \"/a.mmdb\"\n[[service]]\nname = \"sip\"\n";

    #[test]
    fn files_and_rules_are_read() {
        assert_eq!(read("").unwrap().asn, Asn::default());
        let one = Asn {
            db: vec!["/a.mmdb".into()],
        };
        assert_eq!(read("[asn]\ndb = \"/a.mmdb\"").unwrap().asn, one);
        let two = read("[asn]\ndb = [\"/4.csv\", \"/6.csv\"]").unwrap();
        assert_eq!(two.asn.db.len(), 2);
        let text = format!(
            "{HEAD}asn = {{ allow = [3320, \"AS680\", \"as680\"], deny = [\"1.10\", 0x10] }}"
        );
        let config = read(&text).unwrap();
        let rule = AsnRule {
            allow: vec![AsNumber(680), AsNumber(3320)],
            deny: vec![AsNumber(16), AsNumber(65546)],
        };
        assert_eq!(config.services[0].asn, rule);
        assert_eq!(rule.allow[0].to_string(), "AS680");
        assert!(read(HEAD).unwrap().services[0].asn.is_empty());
    }

    #[test]
    fn systems_alone_can_be_admitted() {
        let text = HEAD.replace("countries = [\"DE\"]\n", "");
        let service = "from = \"countries\"\nasn = { allow = [3320] }";
        let config = read(&format!("{text}{service}")).unwrap();
        assert!(config.services[0].from.by_country());
        assert!(config.countries.is_empty());
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (rule, expected) in [
            (
                "asn = [3320]",
                "r.toml:6:7: `asn` of [[service]] `sip` does not say what becomes of the systems; write asn = \
                { allow = [3320] } or asn = { deny = [3320] }",
            ),
            (
                "asn = { allow = [1], deny = [1] }",
                "r.toml:6:29: AS1 is both allowed and denied; leave it in one of the two lists",
            ),
            (
                "asn = { deny = [\"3320 DTAG\"] }",
                "is no number of an autonomous system; write it as 3320 or",
            ),
            (
                "asn = { deny = [-1] }",
                "`-1` is no number of an autonomous system",
            ),
            (
                "asn = { deny = [4294967296] }",
                "is no number of an autonomous system",
            ),
            ("asn = { deny = [0] }", "is a reserved number"),
            ("asn = { deny = [64512] }", "is a private number"),
            ("asn = { deny = [true] }", "`deny` must be a text"),
            ("asn = { deny = 5 }", "`deny` must be a list"),
            ("asn = { alow = [5] }", "did you mean `allow`?"),
            (
                "from = \"anyone\"\nasn = { allow = [5] }",
                "admits nobody: it does not admit by country",
            ),
        ] {
            let error = read(&format!("{HEAD}{rule}")).unwrap_err();
            assert!(error.contains(expected), "{rule}: {error}");
            assert_eq!(error.lines().count(), 1, "{rule}: {error}");
        }
        let many = format!("{HEAD}asn = {{ deny = [{}] }}", "5,".repeat(257));
        assert!(
            read(&many)
                .unwrap_err()
                .contains("257 entries, more than 256")
        );
        let text = HEAD.replace("db =", "bd =");
        let error = read(&format!("{text}asn = {{ deny = [5] }}")).unwrap_err();
        assert!(
            error.contains("did you mean `db`?") && error.lines().count() == 1,
            "{error}"
        );
        let text = HEAD.replace("db =", "#db =");
        let error = read(&format!("{text}asn = {{ deny = [5] }}")).unwrap_err();
        assert!(
            error.contains("no data of systems; add [asn] with db"),
            "{error}"
        );
        let error = read("[asn]\ndb = \"a.mmdb\"").unwrap_err();
        assert!(
            error.contains("r.toml:2:6: `db`: `a.mmdb` is not an absolute path"),
            "{error}"
        );
    }
}
