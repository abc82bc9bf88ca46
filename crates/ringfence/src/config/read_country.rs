//! Reads `[country]`.

use toml::de::DeValue;

use super::countries;
use super::country::{CountryGroup, CountryOrigin, CountrySource};
use super::keys::COUNTRY;
use super::read::path;
use super::read_secret::secret;
use super::reader::{Item, Reader, Section};
use super::words::Choice;
use super::wrong::{Wrong, quoted};

/// Which keys mean something for which sources.
const OF: [(&str, &[CountrySource]); 14] = {
    use CountrySource::{DbIp, File, IpLocationDb, Ipinfo, MaxMind, Url};
    [
        ("account", &[MaxMind]),
        ("licence_key", &[MaxMind]),
        ("licence_key_env", &[MaxMind]),
        ("licence_key_credential", &[MaxMind]),
        ("licence_key_file", &[MaxMind]),
        ("edition", &[MaxMind]),
        ("token", &[Ipinfo]),
        ("token_env", &[Ipinfo]),
        ("token_credential", &[Ipinfo]),
        ("token_file", &[Ipinfo]),
        ("variant", &[IpLocationDb]),
        ("url", &[Url]),
        ("file", &[File]),
        ("base", &[MaxMind, DbIp, IpLocationDb, Ipinfo]),
    ]
};

/// Reads it, or gives the default.
pub(super) fn country(reader: &mut Reader<'_>, top: &Section<'_>) -> CountryOrigin {
    let mut origin = CountryOrigin::default();
    let Some(table) = top.get("country").and_then(|i| reader.table(&COUNTRY, i)) else {
        return origin;
    };
    if let Some(item) = table.get("groups") {
        origin.groups = groups(reader, item);
    }
    if let Some(update) = table.get("update").and_then(|i| reader.word(i)) {
        origin.update = update;
    }
    let sure = match table.get("source") {
        Some(item) => reader.word(item),
        None if table.misspelt("source") => None,
        None if table.get("file").is_some() => Some(CountrySource::File),
        None if table.get("url").is_some() => Some(CountrySource::Url),
        None => Some(CountrySource::Builtin),
    };
    origin.account = table.get("account").and_then(|i| account(reader, i));
    origin.licence_key = secret(
        reader,
        &table,
        [
            "licence_key",
            "licence_key_env",
            "licence_key_credential",
            "licence_key_file",
        ],
    );
    origin.token = secret(
        reader,
        &table,
        ["token", "token_env", "token_credential", "token_file"],
    );
    origin.edition = table.get("edition").and_then(|i| name(reader, i));
    if let Some(variant) = table.get("variant").and_then(|i| name(reader, i)) {
        origin.variant = variant;
    }
    origin.base = table.get("base").and_then(|i| reader.parsed(i));
    if let Some(item) = table.get("url") {
        let urls = one_or_more(reader, item).into_iter();
        origin.urls = urls.filter_map(|i| reader.parsed(i)).collect();
    }
    if let Some(item) = table.get("file") {
        let files = one_or_more(reader, item).into_iter();
        origin.files = files.filter_map(|i| path(reader, i)).collect();
    }
    if let Some(source) = sure {
        origin.source = source;
        fit(reader, &table, source);
    }
    origin
}

/// Refuses what the source has no use for, and what it lacks.
fn fit(reader: &mut Reader<'_>, table: &Section<'_>, source: CountrySource) {
    for (key, sources) in OF {
        if let Some(item) = table.get(key).filter(|_| !sources.contains(&source)) {
            let message = format!("`{key}` means nothing for the source \"{source}\"");
            let fix = format!("remove `{key}`, or write source = {}", Choice(sources));
            reader.refuse(item.at, Wrong::new(message, fix));
        }
    }
    let has = |keys: &[&'static str]| keys.iter().any(|key| table.get(key).is_some());
    let key = [
        "licence_key",
        "licence_key_env",
        "licence_key_credential",
        "licence_key_file",
    ];
    let token = ["token", "token_env", "token_credential", "token_file"];
    match source {
        CountrySource::MaxMind if has(&["account"]) != has(&key) => {
            let (lacks, example) = match has(&key) {
                true => ("account", "account = \"123456\""),
                false => (
                    "licence_key",
                    "licence_key_file = \"/etc/ringfence/maxmind.key\"",
                ),
            };
            reader.miss_key(table, lacks, example);
        }
        CountrySource::Ipinfo if !has(&token) => {
            let example = "token_file = \"/etc/ringfence/ipinfo.token\"";
            reader.miss_key(table, "token", example);
        }
        CountrySource::Url if !has(&["url"]) => {
            reader.miss_key(table, "url", "url = [\"https://example.com/country.mmdb\"]");
        }
        CountrySource::File if !has(&["file"]) => {
            let example = "file = \"/var/lib/GeoIP/GeoLite2-Country.mmdb\"";
            reader.miss_key(table, "file", example);
        }
        _ => {}
    }
}

/// A text, or a list of at least one.
fn one_or_more<'i>(reader: &mut Reader<'_>, item: Item<'i>) -> Vec<Item<'i>> {
    match item.value {
        DeValue::String(_) => vec![item],
        DeValue::Array(entries) if entries.is_empty() => {
            let message = format!("`{}` of [country] is empty", item.name);
            reader.refuse(item.at, Wrong::new(message, "write at least one"));
            Vec::new()
        }
        _ => reader.list(item),
    }
}

/// The number of an account, as text or number.
fn account(reader: &mut Reader<'_>, item: Item<'_>) -> Option<String> {
    let text = match item.value {
        DeValue::Integer(number) => number.to_string(),
        _ => reader.text(item)?.to_owned(),
    };
    let fits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let read = fits.then_some(text).ok_or_else(|| {
        let fix =
            "write the account ID that MaxMind shows beside the licence key, such as \"123456\"";
        Wrong::new("this is not the number of an account", fix)
    });
    reader.keep(item, read)
}

/// The name of an edition or data set: it becomes a part of a URL.
fn name(reader: &mut Reader<'_>, item: Item<'_>) -> Option<String> {
    let text = reader.text(item)?;
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let read = fits.then(|| text.to_owned()).ok_or_else(|| {
        let message = format!("{} cannot be the name of a data set", quoted(text));
        Wrong::new(message, "write letters, digits and \"-\" alone")
    });
    reader.keep(item, read)
}

/// The file's own groups: `name = ["DE", "AT"]`.
fn groups(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<CountryGroup> {
    let DeValue::Table(entries) = item.value else {
        let fix = "write its groups below one line [country.groups]";
        reader.refuse(item.at, Wrong::new("`groups` must be a table", fix));
        return Vec::new();
    };
    let mut groups: Vec<CountryGroup> = Vec::new();
    for (key, value) in entries {
        let (at, name) = (key.span().start, key.get_ref());
        if let Err(wrong) = countries::group_name(name) {
            reader.refuse(at, wrong);
            continue;
        }
        if groups
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(name))
        {
            let message = format!("the group {} is there twice", quoted(name));
            reader.refuse(
                at,
                Wrong::new(message, "write another name, or join the two"),
            );
            continue;
        }
        let item = Item {
            name: "groups",
            value: value.get_ref(),
            at: value.span().start,
        };
        let mut set = ringfence_core::country::CountrySet::default();
        for entry in reader.list(item) {
            let read = reader.text(entry).map(|text| countries::named(text, &[]));
            for code in read
                .and_then(|read| reader.keep(entry, read))
                .unwrap_or_default()
            {
                set.insert(code.0);
            }
        }
        groups.push(CountryGroup {
            name: name.to_string(),
            countries: set,
        });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Update};

    fn read(text: &str) -> Result<Config, String> {
        Config::parse(text, "r.toml").map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn each_source_is_read_with_what_it_needs() {
        assert_eq!(read("[country]").unwrap().country, CountryOrigin::default());
        let country = |text: &str| read(&format!("[country]\n{text}\n")).unwrap().country;
        let file = country("file = \"/a.mmdb\"");
        assert_eq!(file.source, CountrySource::File);
        assert_eq!(file.files, [std::path::PathBuf::from("/a.mmdb")]);
        assert!(!file.is_fetched());
        let url = country("url = [\"https://a.example/4.csv.gz\", \"https://a.example/6.csv.gz\"]");
        assert_eq!((url.source, url.urls.len()), (CountrySource::Url, 2));
        let maxmind = country(
            "source = \"maxmind\"\naccount = 123456\nlicence_key_file = \"/k\"\nupdate = \"weekly\"",
        );
        assert_eq!(maxmind.account.as_deref(), Some("123456"));
        assert_eq!(maxmind.update, Update::Weekly);
        assert!(country("source = \"maxmind\"").licence_key.is_none());
        assert!(
            country("source = \"ipinfo\"\ntoken_env = \"T\"")
                .token
                .is_some()
        );
        let set = country("source = \"ip-location-db\"\nbase = \"http://mirror.example\"");
        assert_eq!(set.variant, "user-country");
        assert!(set.base.is_some() && set.is_fetched());
        assert!(
            country("source = \"dbip\"\nupdate = \"never\"")
                .update
                .every()
                .is_none()
        );
    }

    #[test]
    fn groups_stand_for_their_countries() {
        let config = read(
            "countries = [\"dach\", \"GB\", \"DE\"]\n[country.groups]\ndach = [\"DE\", \"AT\", \"CH\"]\n\
             [[service]]\nname = \"a\"\ncountries = [\"EU\"]\n[[service]]\nname = \"b\"\nports = [\"udp/1\"]\n",
        )
        .unwrap();
        let codes: Vec<_> = config.countries.iter().map(ToString::to_string).collect();
        assert_eq!(codes, ["AT", "CH", "DE", "GB"]);
        assert_eq!(config.services[0].countries.as_ref().unwrap().len(), 27);
        assert_eq!(config.country.groups[0].name, "dach");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            (
                "[country]\nsource = \"maxmnd\"",
                "did you mean \"maxmind\"?",
            ),
            (
                "[country]\nlicense_key = \"x\"",
                "did you mean `licence_key`?",
            ),
            (
                "country = \"GB\"",
                "write its keys below one line [country]",
            ),
            (
                "[country]\nsource = \"maxmind\"\naccount = \"1\"",
                "has no `licence_key`; add licence_key_file =",
            ),
            (
                "[country]\nsource = \"maxmind\"\naccount = \"me\"\nlicence_key = \"k\"",
                "3:11: `account`: this is not the number of an account",
            ),
            ("[country]\nsource = \"ipinfo\"", "has no `token`"),
            ("[country]\nsource = \"url\"", "has no `url`"),
            ("[country]\nsource = \"file\"", "has no `file`"),
            ("[country]\nfile = []", "`file` of [country] is empty"),
            ("[country]\nfile = \"a.mmdb\"", "is not an absolute path"),
            (
                "[country]\nurl = \"ftp://a.example/x\"",
                "does not begin with https://",
            ),
            (
                "[country]\nsource = \"dbip\"\ntoken = \"t\"",
                "3:9: `token` means nothing for the source \"dbip\"; remove `token`, or write source = \"ipinfo\"",
            ),
            (
                "[country]\nsource = \"ip-location-db\"\nvariant = \"../x\"",
                "cannot be the name of a data set",
            ),
            (
                "[country.groups]\nEU = [\"DE\"]",
                "2:1: `EU` is a group already",
            ),
            (
                "[country.groups]\ndach = [\"D\"]",
                "there is no country `D`",
            ),
            (
                "[country.groups]\nx = [\"DE\"]",
                "cannot be the name of a group",
            ),
            ("countries = [\"EUROP\"]", "did you mean \"EUROPE\"?"),
            ("countries = [\"eu\"]", "write \"EU\""),
            (
                "countries = [\"dash\"]\n[country.groups]\ndach = [\"DE\"]",
                "did you mean \"dach\"?",
            ),
        ] {
            let shown = read(text).unwrap_err();
            assert!(shown.contains(expected), "{text}\n{shown}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let text = "[country]\nsource = \"maxmind\"\naccount = \"1\"\nlicence_key = \"hush\"\n";
        assert!(!format!("{:?}", read(text).unwrap()).contains("hush"));
        let secret_in_wrong_place = "[country]\nsource = \"dbip\"\nlicence_key = \"hush\"\n";
        assert!(!read(secret_in_wrong_place).unwrap_err().contains("hush"));
    }
}
