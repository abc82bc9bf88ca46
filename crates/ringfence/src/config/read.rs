//! Reads the file: every table but those that have files of their own.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::countries::{self, CountryCode};
use super::country::CountryGroup;
use super::keys::{CONTROL, PROXY, SIGNATURES, TOP, TRUNK};
use super::mistake::{Mistakes, Position};
use super::name::label;
use super::read_agi::agi;
use super::read_asn::asn;
use super::read_asterisk::asterisk;
use super::read_audit::audit;
use super::read_country::country;
use super::read_feed::feeds;
use super::read_fraud::fraud;
use super::read_host::host;
use super::read_lists::{lists, refuse_everything};
use super::read_log::logs;
use super::read_nfqueue::nfqueue;
use super::read_notify::notify;
use super::read_service::services;
use super::read_share::share;
use super::read_trust::trust_and_bans;
use super::reader::{Item, Reader, Section};
use super::types::{Config, Proxy, Signatures, Trunk};
use super::wrong::{Wrong, quoted};

/// Reads `text`, which `file` names in the mistakes.
pub(super) fn read(text: &str, file: &str) -> Result<Config, Mistakes> {
    // The parser skips a byte order mark, and so do the columns.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    // One error makes more on its line.
    let mut line = 0;
    for error in errors {
        let at = error.span().map_or(0, |s| s.start);
        let place = reader.line(at);
        if place != line {
            line = place;
            reader.refuse_syntax(at, syntax(error.message()));
        }
    }
    let top = reader.open(&TOP, document.get_ref(), 0);
    let config = config(&mut reader, top);
    reader.finish(file).map(|()| config)
}

/// A syntax error in the words of the parser, with what is usually meant.
fn syntax(message: &str) -> Wrong {
    let fix = if message.contains("duplicate") {
        "write it once; for several services, trunks or proxies use [[double brackets]]"
    } else if message.contains("array") {
        "write a comma between the entries of a list and \"]\" after the last"
    } else if message.contains("string") {
        "write texts between quotes: key = \"value\""
    } else {
        "write lines of the form key = value, [table] or [[table]]"
    };
    // What the parser expects of a bare word is its guess, and the fix says it better.
    let message = message
        .strip_suffix(", expected literal string")
        .unwrap_or(message);
    Wrong::new(format!("not TOML: {message}"), fix)
}

fn config(reader: &mut Reader<'_>, top: Section<'_>) -> Config {
    let mut config = Config::default();
    if let Some(engine) = top.get("engine").and_then(|i| reader.word(i)) {
        config.engine = engine;
    }
    config.nfqueue = nfqueue(reader, &top);
    if let Some(mode) = top.get("mode").and_then(|i| reader.word(i)) {
        config.mode = mode;
    }
    if let Some(item) = top.get("interfaces") {
        config.interfaces = texts(reader, item, interface);
    }
    config.country = country(reader, &top);
    let countries = countries(reader, &top, &config.country.groups);
    lists(reader, &top, &mut config);
    if let Some(flag) = top.get("permit_private").and_then(|i| reader.flag(i)) {
        config.permit_private = flag;
    }
    if let Some(item) = top.get("protect") {
        config.protect = reader
            .parsed_list(item)
            .into_iter()
            .map(|(range, _)| range)
            .collect();
    }
    if let Some(number) = top
        .get("events_per_second")
        .and_then(|i| reader.number(i, 1..=10_000))
    {
        config.events_per_second = number;
    }
    if let Some(path) = top.get("state").and_then(|i| path(reader, i)) {
        config.state = path;
    }
    if let Some(path) = top.get("bpffs").and_then(|i| path(reader, i)) {
        config.bpffs = path;
    }
    trust_and_bans(reader, &top, &mut config);
    audit(reader, &top, &mut config);
    if let Some(item) = top.get("trunk") {
        config.trunks = trunks(reader, item);
    }
    if let Some(item) = top.get("proxy") {
        config.proxies = proxies(reader, item);
    }
    if let Some(item) = top.get("feed") {
        config.feeds = feeds(reader, item);
    }
    let asterisk = asterisk(reader, &top);
    config.services = services(reader, top, countries.as_ref(), &config.country.groups);
    config.asn = asn(reader, &top, &config.services);
    if let Some(table) = top
        .get("signatures")
        .and_then(|i| reader.table(&SIGNATURES, i))
    {
        config.signatures = signatures(reader, table);
    }
    if let Some(item) = top.get("signature") {
        config.own_signatures = own_signatures(reader, item);
    }
    if let Some(item) = top.get("log") {
        config.logs = logs(reader, item);
    }
    if let Some(table) = top.get("control").and_then(|i| reader.table(&CONTROL, i))
        && let Some(socket) = table.get("socket").and_then(|i| path(reader, i))
    {
        config.control.socket = socket;
    }
    config.agi = agi(reader, &top);
    config.notify = notify(reader, &top);
    config.asterisk = asterisk;
    config.fraud = fraud(reader, &top);
    config.host = host(reader, &top, &config.services);
    config.share = share(reader, &top);
    config.countries = countries.map(|c| c.codes).unwrap_or_default();
    config
}

/// A list of countries as read.
pub(super) struct Countries {
    /// The codes, sorted, none twice.
    pub codes: Vec<CountryCode>,
    /// Whether every entry was a country; if not, an empty list is not what was meant.
    pub sound: bool,
}

/// The `countries` of a table, if it has them; `groups` are those of the file.
pub(super) fn countries(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    groups: &[CountryGroup],
) -> Option<Countries> {
    let Some(item) = table.get("countries") else {
        let misspelt = table.misspelt("countries");
        return misspelt.then(|| Countries {
            codes: Vec::new(),
            sound: false,
        });
    };
    let before = reader.count();
    let mut codes: Vec<CountryCode> = Vec::new();
    for entry in reader.list(item) {
        let read = reader
            .text(entry)
            .map(|text| countries::named(text, groups));
        codes.extend(
            read.and_then(|read| reader.keep(entry, read))
                .unwrap_or_default(),
        );
    }
    codes.sort_unstable();
    codes.dedup();
    Some(Countries {
        codes,
        sound: reader.count() == before,
    })
}

/// A list of texts that `check` accepts, none twice.
fn texts(
    reader: &mut Reader<'_>,
    item: Item<'_>,
    check: impl Fn(&str) -> Result<String, Wrong>,
) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in reader.list(item) {
        let text = reader.text(entry).map(&check);
        let text = text.and_then(|checked| reader.keep(entry, checked));
        texts.extend(text.filter(|t| !texts.contains(t)));
    }
    texts
}

/// A network interface's name, as the kernel limits it (`dev_valid_name`).
fn interface(text: &str) -> Result<String, Wrong> {
    let fits = (1..=15).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("{} cannot be an interface", quoted(text)),
        "write its name as `ip link` shows it, such as \"eth0\"",
    ))
}

/// A path from the root on.
/// An absolute path.
pub(super) fn path(reader: &mut Reader<'_>, item: Item<'_>) -> Option<PathBuf> {
    let text = reader.text(item)?;
    let wrong = |why: &str, fix: &str| {
        Err(Wrong::new(
            format!("{} {why}", quoted(text)),
            fix.to_owned(),
        ))
    };
    let checked = if text.contains('\0') {
        wrong("has a NUL in it", "write a path without it")
    } else if !text.starts_with('/') {
        // A daemon's working directory is not the one that the user has in mind.
        wrong(
            "is not an absolute path",
            "write the path from the root on, starting with \"/\"",
        )
    } else {
        Ok(PathBuf::from(text))
    };
    reader.keep(item, checked)
}

/// The `name` of a table, refused where an earlier table of `seen` has it.
pub(super) fn name(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    seen: &mut HashMap<String, Position>,
) -> Option<String> {
    let item = table.get("name")?;
    let text = reader.text(item)?;
    let name = reader.keep(item, label(text))?;
    let position = reader.position(item.at);
    if let Some(earlier) = seen.get(&name) {
        let message = format!("the name `{name}` is taken since line {}", earlier.line);
        reader.refuse(
            item.at,
            Wrong::new(message, "write another name, or join the two"),
        );
    } else {
        seen.insert(name.clone(), position);
    }
    Some(name)
}

const EVERYTHING: &str = "is the whole Internet";

fn trunks(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<Trunk> {
    let mut seen = HashMap::new();
    let mut trunks = Vec::new();
    for table in reader.tables(&TRUNK, item) {
        let name = name(reader, &table, &mut seen);
        if table.get("name").is_none() {
            reader.miss_key(&table, "name", "name = \"provider\"");
        }
        let mut hosts = Vec::new();
        for host in table
            .get("hosts")
            .map(|i| reader.list(i))
            .unwrap_or_default()
        {
            let read = reader.parsed(host);
            if let Some(super::Host::Range(range)) = read {
                let fix = "write the addresses that the provider calls from";
                refuse_everything(reader, host, range, EVERYTHING, fix);
            }
            hosts.extend(read);
        }
        require_entries(
            reader,
            &table,
            "hosts",
            "hosts = [\"sip.provider.example\"]",
        );
        trunks.push(Trunk {
            name: name.unwrap_or_default(),
            hosts,
        });
    }
    trunks
}

fn proxies(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<Proxy> {
    let mut seen = HashMap::new();
    let mut proxies = Vec::new();
    for table in reader.tables(&PROXY, item) {
        let name = name(reader, &table, &mut seen);
        let mut addresses = Vec::new();
        for entry in table
            .get("addresses")
            .map(|i| reader.list(i))
            .unwrap_or_default()
        {
            let range = reader.parsed(entry);
            let fix = "write the addresses of the proxies";
            addresses
                .extend(range.and_then(|r| refuse_everything(reader, entry, r, EVERYTHING, fix)));
        }
        require_entries(reader, &table, "addresses", "addresses = [\"192.0.2.10\"]");
        proxies.push(Proxy { name, addresses });
    }
    proxies
}

/// Refuses a table whose list `key` is missing or empty.
pub(super) fn require_entries(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    key: &'static str,
    example: &str,
) {
    match table.get(key) {
        None => reader.miss_key(table, key, example),
        Some(Item {
            value: DeValue::Array(entries),
            at,
            ..
        }) if entries.is_empty() => {
            let message = format!("`{key}` of {} is empty", table.title());
            reader.refuse(
                at,
                Wrong::new(message, format!("write at least one: {example}")),
            );
        }
        Some(_) => {}
    }
}

fn signatures(reader: &mut Reader<'_>, table: Section<'_>) -> Signatures {
    let mut ids = |key| {
        table
            .get(key)
            .map(|i| texts(reader, i, id))
            .unwrap_or_default()
    };
    let (disable, enable) = (ids("disable"), ids("enable"));
    if let (Some(both), Some(item)) = (
        enable.iter().find(|id| disable.contains(id)),
        table.get("enable"),
    ) {
        let message = format!("{} is both enabled and disabled", quoted(both));
        reader.refuse(
            item.at,
            Wrong::new(message, "leave it in one of the two lists"),
        );
    }
    let file = table.get("file").and_then(|i| path(reader, i));
    Signatures {
        disable,
        enable,
        file,
    }
}

fn id(text: &str) -> Result<String, Wrong> {
    let fits = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("{} cannot be the id of a signature", quoted(text)),
        "write letters, digits, \"-\", \"_\" and \".\" alone",
    ))
}

fn own_signatures(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<(toml::Table, Position)> {
    let mut own = Vec::new();
    for (entries, at) in reader.raw_tables(item) {
        let spanned = Spanned::new(at..at, entries.clone());
        match toml::Table::deserialize(Deserializer::from(spanned)) {
            Ok(table) => own.push((table, reader.position(at))),
            Err(error) => {
                let at = error.span().map_or(at, |s| s.start);
                let message = format!("in [[signature]]: {}", error.message().trim());
                reader.refuse(at, Wrong::new(message, "write a value that TOML can hold"));
            }
        }
    }
    own
}
