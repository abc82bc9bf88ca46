//! Reads `[[service]]`, and holds the services to each other.

use std::collections::HashMap;

use toml::de::DeValue;

use super::country::CountryGroup;
use super::keys::{FROM, RATE, SERVICE};
use super::port::PortRange;
use super::rate::{MessageClass, Rate, Rates};
use super::read::{Countries, countries, name, require_entries};
use super::read_asn;
use super::reader::{Item, Reader, Section};
use super::service::{
    Admissions, Limits, MAX_SERVICES, Service, default_budget, default_ports, transport,
};
use super::words::{Admission, Kind, Sni, Word};
use super::wrong::{Wrong, quoted};

/// A port of a service and where it stands.
struct Claim {
    port: PortRange,
    at: usize,
    service: String,
}

/// The services of the file, or the default one; `global` are the file's countries, `groups` its groups of countries.
pub(super) fn services(
    reader: &mut Reader<'_>,
    top: Section<'_>,
    global: Option<&Countries>,
    groups: &[CountryGroup],
) -> Vec<Service> {
    let Some(item) = top.get("service") else {
        return vec![Service::sip(default_admission(global))];
    };
    let tables = reader.tables(&SERVICE, item);
    if tables.is_empty() && matches!(item.value, DeValue::Array(_)) {
        let fix = "remove the line for the default service, or write [[service]] tables";
        reader.refuse(item.at, Wrong::new("the list of services is empty", fix));
    }
    if let Some(beyond) = tables.get(MAX_SERVICES) {
        let message = format!("{} services are more than {MAX_SERVICES}", tables.len());
        reader.refuse(
            beyond.at,
            Wrong::new(message, "join services that share their rules"),
        );
    }
    let (mut seen, mut claims) = (HashMap::new(), Vec::new());
    let mut services = Vec::new();
    for table in tables {
        let name = name(reader, &table, &mut seen);
        if table.get("name").is_none() {
            reader.miss_key(&table, "name", "name = \"sip\"");
        }
        services.push(service(
            reader,
            table,
            name.unwrap_or_default(),
            global,
            groups,
            &mut claims,
        ));
    }
    refuse_overlaps(reader, claims);
    services
}

fn default_admission(countries: Option<&Countries>) -> Admission {
    match countries {
        Some(c) if !c.codes.is_empty() || !c.sound => Admission::Countries,
        _ => Admission::Anyone,
    }
}

fn service(
    reader: &mut Reader<'_>,
    table: Section<'_>,
    name: String,
    global: Option<&Countries>,
    groups: &[CountryGroup],
    claims: &mut Vec<Claim>,
) -> Service {
    // A kind that cannot be read is taken for `sip` in silence: what depends on it is not judged.
    let read = match table.get("kind") {
        None => Some(Kind::Sip),
        Some(item) => reader.word(item),
    };
    let kind = read.unwrap_or(Kind::Sip);
    if read.is_some() {
        refuse_foreign(reader, &table, kind);
    }
    let own = countries(reader, &table, groups);
    let from = admissions(reader, &table, kind, own.as_ref().or(global));
    let domains: Vec<_> = table
        .get("domains")
        .map(|i| reader.parsed_list(i).into_iter().map(|(d, _)| d).collect())
        .unwrap_or_default();
    let domain_match = table.get("domain_match").and_then(|i| reader.word(i));
    let domain_opens = table
        .get("domain_opens")
        .map(|i| words(reader, i))
        .unwrap_or_default();
    let sni = table
        .get("sni")
        .and_then(|i| reader.word(i))
        .unwrap_or(Sni::Match);
    let named = table
        .get("domains")
        .is_some_and(|i| !matches!(i.value, DeValue::Array(entries) if entries.is_empty()));
    if !named && !table.misspelt("domains") {
        let needs = "add domains = [\"sip.example.com\"] to the service";
        if let Some(item) = table
            .get("domain_opens")
            .filter(|_| !domain_opens.is_empty())
        {
            let message = format!("`domain_opens` of {} has no domain to go by", table.title());
            reader.miss(item.at, Wrong::new(message, needs));
        }
        if let Some(item) = table.get("sni").filter(|_| sni == Sni::Require) {
            let message = format!(
                "`sni` of {} requires a name and none is given",
                table.title()
            );
            reader.miss(item.at, Wrong::new(message, needs));
        }
    }
    Service {
        ports: ports(reader, &table, &name, read, claims),
        name,
        kind,
        from,
        countries: own.map(|c| c.codes),
        asn: read_asn::rule(reader, &table, &from),
        domains,
        domain_match: domain_match.unwrap_or(super::words::DomainMatch::Gate),
        domain_opens,
        sni,
        limits: limits(reader, &table, kind),
        budget: table
            .get("budget")
            .and_then(|i| rate_or_none(reader, i))
            .unwrap_or(default_budget(kind)),
    }
}

/// Refuses keys that mean nothing for the kind.
fn refuse_foreign(reader: &mut Reader<'_>, table: &Section<'_>, kind: Kind) {
    use Kind::{Sip, Sips, Ws, Wss};
    const KINDS: [(&str, &[Kind]); 4] = [
        ("domains", &[Sip, Sips, Ws, Wss]),
        ("domain_match", &[Sip]),
        ("domain_opens", &[Sip]),
        ("sni", &[Sips, Wss]),
    ];
    for (key, kinds) in KINDS {
        if let Some(item) = table.get(key).filter(|_| !kinds.contains(&kind)) {
            let message = format!("{} has `{key}`, and its kind is \"{kind}\"", table.title());
            let fix = format!(
                "remove `{key}`; it is for the kind {}",
                super::words::Choice(kinds)
            );
            reader.refuse(item.at, Wrong::new(message, fix));
        }
    }
}

/// A list of words, none twice.
fn words<W: Word + PartialEq>(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<W> {
    let mut words = Vec::new();
    for entry in reader.list(item) {
        let word = reader.word(entry);
        words.extend(word.filter(|w| !words.contains(w)));
    }
    words
}

/// Reads `from`, a word or a table; `countries` are those that hold for the service.
fn admissions(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    kind: Kind,
    countries: Option<&Countries>,
) -> Admissions {
    let fallback = default_admission(countries);
    let Some(item) = table.get("from") else {
        return Admissions::all(fallback);
    };
    let before = reader.count();
    let from = match item.value {
        DeValue::Table(_) if kind != Kind::Sip => {
            let message = format!(
                "{} has `from` by method, and its kind is \"{kind}\"",
                table.title()
            );
            let fix = "write from = \"anyone\", \"countries\" or \"permitted\"";
            reader.refuse(item.at, Wrong::new(message, fix));
            return Admissions::all(fallback);
        }
        DeValue::Table(_) => by_method(reader, item),
        _ => Admissions::all(reader.word(item).unwrap_or(fallback)),
    };
    let none = countries.is_none_or(|c| c.codes.is_empty() && c.sound) && !read_asn::admits(table);
    if none && from.by_country() && reader.count() == before {
        let message = format!(
            "{} admits by country and no country is given",
            table.title()
        );
        let fix = "add the line countries = [\"GB\"] with yours above the first [table] of the \
                   file or in this service, or write from = \"anyone\"";
        reader.miss(item.at, Wrong::new(message, fix));
    }
    from
}

fn by_method(reader: &mut Reader<'_>, item: Item<'_>) -> Admissions {
    let mut from = Admissions::all(Admission::Countries);
    let Some(table) = reader.table(&FROM, item) else {
        return from;
    };
    if let Some(default) = table.get("default").and_then(|i| reader.word(i)) {
        from = Admissions::all(default);
    }
    for class in MessageClass::ALL
        .into_iter()
        .filter(|c| FROM.has(c.as_str()))
    {
        if let Some(admission) = table.get(class.as_str()).and_then(|i| reader.word(i)) {
            from.set(class, admission);
        }
    }
    from
}

/// Reads `ports` and notes them in `claims`.
fn ports(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    service: &str,
    kind: Option<Kind>,
    claims: &mut Vec<Claim>,
) -> Vec<PortRange> {
    let known = kind.unwrap_or(Kind::Sip);
    let claimed = |port, at| Claim {
        port,
        at,
        service: service.to_owned(),
    };
    let Some(item) = table.get("ports") else {
        let ports = default_ports(known);
        if ports.is_empty() {
            reader.miss_key(table, "ports", "ports = [\"tcp/22\"]");
        }
        if kind.is_some() && !table.misspelt("ports") {
            claims.extend(ports.iter().map(|p| claimed(*p, table.at)));
        }
        return ports.to_vec();
    };
    require_entries(
        reader,
        table,
        "ports",
        "ports = [\"udp/5060\", \"tcp/5060\"]",
    );
    let mut ports = Vec::new();
    for (port, at) in reader.parsed_list::<PortRange>(item) {
        if let Some(transport) = transport(known).filter(|t| *t != port.protocol) {
            let message = format!(
                "`{port}` in {}: the kind \"{known}\" is {transport} only",
                table.title()
            );
            let instead = PortRange {
                protocol: transport,
                ..port
            };
            reader.refuse(at, Wrong::new(message, format!("write \"{instead}\"")));
        }
        claims.push(claimed(port, at));
        ports.push(port);
    }
    ports
}

/// Refuses ports that an earlier entry holds already.
fn refuse_overlaps(reader: &mut Reader<'_>, mut claims: Vec<Claim>) {
    claims.sort_by_key(|c| (c.port.protocol, c.port.first, c.at));
    // The claim that reaches furthest so far: what does not overlap it overlaps none before it.
    let mut reach: Option<&Claim> = None;
    for claim in &claims {
        let overlapped = reach
            .filter(|r| r.port.protocol == claim.port.protocol && claim.port.first <= r.port.last);
        if let Some(other) = overlapped {
            let (early, late) = if other.at <= claim.at {
                (other, claim)
            } else {
                (claim, other)
            };
            let place = reader.position(early.at);
            let message = format!(
                "`{}` of service {} overlaps `{}` of service {} at {}:{}",
                late.port,
                quoted(&late.service),
                early.port,
                quoted(&early.service),
                place.line,
                place.column,
            );
            let fix = "give each port to one service";
            reader.refuse(late.at, Wrong::new(message, fix));
        }
        if overlapped.is_none_or(|r| r.port.last < claim.port.last) {
            reach = Some(claim);
        }
    }
}

/// Reads `rate`: a table of classes, or for a plain service the new flows of a source.
fn limits(reader: &mut Reader<'_>, table: &Section<'_>, kind: Kind) -> Limits {
    let item = table.get("rate");
    if kind == Kind::Plain {
        let is_table = |i: &Item<'_>| matches!(i.value, DeValue::Table(_));
        if let Some(item) = item.filter(is_table) {
            let message = format!(
                "{} has `rate` by class, and its kind is \"plain\"",
                table.title()
            );
            let fix = "write new flows of a source, such as rate = \"10/60s\"";
            reader.refuse(item.at, Wrong::new(message, fix));
            return Limits::Flows(None);
        }
        return Limits::Flows(item.and_then(|i| rate_or_none(reader, i)).flatten());
    }
    let mut rates = Rates::default();
    match item {
        Some(Item {
            value: DeValue::String(_),
            at,
            ..
        }) => {
            let message = format!("`rate` of {} must be a table, not a text", table.title());
            let fix = "write a rate by class, such as rate = { REGISTER = \"10/10s burst 20\" }";
            reader.refuse(at, Wrong::new(message, fix));
        }
        Some(item) => {
            let Some(classes) = reader.table(&RATE, item) else {
                return Limits::Classes(rates);
            };
            for class in MessageClass::ALL {
                if let Some(rate) = classes.get(class.as_str()).and_then(|i| rate(reader, i)) {
                    rates.set(class, rate);
                }
            }
        }
        None => {}
    }
    Limits::Classes(rates)
}

fn rate(reader: &mut Reader<'_>, item: Item<'_>) -> Option<Rate> {
    if let DeValue::Integer(n) = item.value {
        let message = format!("`{}` is a number without a time", item.name);
        reader.refuse(
            item.at,
            Wrong::new(message, format!("write \"{n}/1s\" for so many a second")),
        );
        return None;
    }
    reader.parsed(item)
}

/// A rate, or `"none"` for no limit.
fn rate_or_none(reader: &mut Reader<'_>, item: Item<'_>) -> Option<Option<Rate>> {
    if matches!(item.value, DeValue::String(text) if text == "none") {
        return Some(None);
    }
    rate(reader, item).map(Some)
}
