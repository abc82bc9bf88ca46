//! Lists of signatures as TOML.

use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::model::{Condition, Effect, Place, Risk, Signature, Test};

/// The version of the schema that this reads.
const SCHEMA: u32 = 1;
/// Points beyond a hundred drop a message ten times over.
const MAX_POINTS: u16 = 1000;

/// One thing that is wrong in a list, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1, of the wrong word or of its signature's `[[signature]]`.
    pub line: usize,
    /// The id of the signature, where it has one.
    pub id: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(id) = &self.id {
            write!(f, "signature `{id}`: ")?;
        }
        write!(f, "{}; {}", self.what, self.fix)
    }
}

impl std::error::Error for Mistake {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    schema: u32,
    #[serde(default, rename = "updated")]
    _updated: Option<String>,
    #[serde(default)]
    signature: Vec<Spanned<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    r#where: Option<String>,
    r#match: Option<String>,
    value: Option<String>,
    cs: Option<bool>,
    all: Option<Vec<Part>>,
    action: String,
    points: Option<u16>,
    #[serde(default = "yes")]
    enabled: bool,
    risk: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    r#where: String,
    r#match: String,
    value: String,
    #[serde(default)]
    cs: bool,
}

fn yes() -> bool {
    true
}

/// Reads a list of signatures: `schema = 1`, then `[[signature]]` tables. All mistakes are listed;
/// where the file is no TOML, the first.
pub fn parse(text: &str) -> Result<Vec<Signature>, Vec<Mistake>> {
    let list: List = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let what = first_line(error.message());
        let fix = "write `schema = 1` and `[[signature]]` tables in TOML".to_owned();
        vec![Mistake {
            line: line_of(text, at),
            id: None,
            what,
            fix,
        }]
    })?;
    let mut mistakes = Vec::new();
    if list.schema != SCHEMA {
        mistakes.push(Mistake {
            line: 1,
            id: None,
            what: format!("schema {} is not known", list.schema),
            fix: format!("write `schema = {SCHEMA}`, or use a newer Ringfence"),
        });
    }
    let mut signatures: Vec<Signature> = Vec::new();
    for table in &list.signature {
        let line = line_of(text, table.span().start);
        match signature_from_table(table.get_ref(), line) {
            Ok(signature) if signatures.iter().any(|other| other.id == signature.id) => {
                mistakes.push(Mistake {
                    line,
                    id: Some(signature.id),
                    what: "this id is used twice".to_owned(),
                    fix: "give each signature an id of its own".to_owned(),
                });
            }
            Ok(signature) => signatures.push(signature),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        Ok(signatures)
    } else {
        Err(mistakes)
    }
}

/// Reads one `[[signature]]` table that begins at `line`.
pub fn signature_from_table(table: &toml::Table, line: usize) -> Result<Signature, Mistake> {
    let id = table
        .get("id")
        .and_then(toml::Value::as_str)
        .map(str::to_owned);
    let mistake = |(what, fix)| Mistake {
        line,
        id: id.clone(),
        what,
        fix,
    };
    let entry: Entry = table.clone().try_into().map_err(|error: toml::de::Error| {
        let fix = "see the keys of a signature in the documentation".to_owned();
        mistake((first_line(error.message()), fix))
    })?;
    signature(entry).map_err(mistake)
}

/// What is wrong, and what to write instead.
type Wrong = (String, String);

fn wrong(what: impl Into<String>, fix: impl Into<String>) -> Wrong {
    (what.into(), fix.into())
}

fn signature(entry: Entry) -> Result<Signature, Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if entry.id.is_empty() || entry.id.len() > 64 || !entry.id.bytes().all(plain) {
        return Err(wrong(
            format!(
                "the id `{}` is not 1 to 64 letters, digits and hyphens",
                entry.id
            ),
            "write one such as `ua-my-scanner`",
        ));
    }
    let effect = effect(&entry.action, entry.points)?;
    let risk = match &entry.risk {
        None => Risk::Low,
        Some(name) => one_of("risk", &Risk::NAMED, name)?,
    };
    let conditions = conditions(
        entry.r#where,
        entry.r#match,
        entry.value,
        entry.cs,
        entry.all,
    )?;
    Ok(Signature {
        id: entry.id,
        conditions,
        effect,
        enabled: entry.enabled,
        risk,
        note: entry.note,
    })
}

fn effect(action: &str, points: Option<u16>) -> Result<Effect, Wrong> {
    match (action, points) {
        ("drop", None) => Ok(Effect::Drop),
        ("ban", None) => Ok(Effect::Ban),
        ("score", Some(points)) if (1..=MAX_POINTS).contains(&points) => Ok(Effect::Score(points)),
        ("score", _) => Err(wrong(
            "a score needs points",
            format!("write `points = 30`, from 1 to {MAX_POINTS}; 100 drop a message"),
        )),
        ("drop" | "ban", Some(_)) => Err(wrong(
            "`points` belong to a score",
            "write `action = \"score\"`, or no points",
        )),
        _ => Err(wrong(
            format!("`{action}` is no action"),
            "write `action = \"drop\"`, `\"ban\"` or `\"score\"`",
        )),
    }
}

fn conditions(
    place: Option<String>,
    test: Option<String>,
    value: Option<String>,
    cs: Option<bool>,
    all: Option<Vec<Part>>,
) -> Result<Vec<Condition>, Wrong> {
    match (place, test, value, all) {
        (Some(place), Some(test), Some(value), None) => {
            let part = Part {
                r#where: place,
                r#match: test,
                value,
                cs: cs.unwrap_or(false),
            };
            Ok(vec![condition(part)?])
        }
        (None, None, None, Some(parts)) => {
            if cs.is_some() {
                return Err(wrong(
                    "`cs` stands beside `all`",
                    "write it into the parts of `all`",
                ));
            }
            if parts.is_empty() {
                return Err(wrong(
                    "`all` is empty",
                    "list what must be found, or leave it out",
                ));
            }
            parts.into_iter().map(condition).collect()
        }
        (.., Some(_)) => Err(wrong(
            "`all` stands beside `where`, `match` or `value`",
            "write either one condition or `all`",
        )),
        _ => Err(wrong(
            "it does not say what to look for",
            "write `where`, `match` and `value`, or `all = [{ where, match, value }]`",
        )),
    }
}

fn condition(part: Part) -> Result<Condition, Wrong> {
    let place = Place::from_name(&part.r#where).ok_or_else(|| {
        let names: Vec<_> = Place::names().collect();
        wrong(
            format!("`{}` is no place of a message", part.r#where),
            format!("write one of {}", names.join(", ")),
        )
    })?;
    match place {
        Place::Text(location) => Ok(Condition::Text {
            location,
            test: one_of("match", &Test::NAMED, &part.r#match)?,
            value: part.value,
            case_sensitive: part.cs,
        }),
        Place::Count(_) if part.r#match != "count-over" => Err(wrong(
            format!("`{}` can only be counted", part.r#where),
            "write `match = \"count-over\"` and the greatest number as `value = \"1\"`",
        )),
        Place::Count(header) => {
            // The judge tells one from several, and no more.
            if part.value != "1" {
                return Err(wrong(
                    format!("headers cannot be counted up to `{}`", part.value),
                    "write `value = \"1\"`: more than one is too many",
                ));
            }
            let limit = 1;
            Ok(Condition::Over { header, limit })
        }
    }
}

fn one_of<T: Copy>(key: &str, named: &[(&str, T)], name: &str) -> Result<T, Wrong> {
    if let Some((_, found)) = named.iter().find(|(known, _)| *known == name) {
        return Ok(*found);
    }
    let names: Vec<_> = named
        .iter()
        .map(|(known, _)| format!("`{known}`"))
        .collect();
    Err(wrong(
        format!("`{name}` is no value of `{key}`"),
        format!("write one of {}", names.join(", ")),
    ))
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The line of an offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ringfence_core::automaton::{Counted, Location};

    const GOOD: &str = r#"schema = 1

[[signature]]
id = "ua"
where = "user-agent"
match = "prefix"
value = "x"
action = "ban"

[[signature]]
id = "both"
all = [
  { where = "from.tag", match = "exact", value = "T", cs = true },
  { where = "header.to", match = "count-over", value = "1" },
]
action = "score"
points = 30
enabled = false
risk = "high"
note = "why"
"#;

    #[test]
    fn a_list_is_read() {
        let list = parse(GOOD).unwrap();
        assert_eq!(list[0].effect, Effect::Ban);
        assert!(list[0].enabled);
        assert_eq!(list[0].risk, Risk::Low);
        let tag = Condition::Text {
            location: Location::FromTag,
            test: Test::Exact,
            value: "T".to_owned(),
            case_sensitive: true,
        };
        let twice = Condition::Over {
            header: Counted::To,
            limit: 1,
        };
        assert_eq!(list[1].conditions, [tag, twice]);
        assert_eq!(list[1].effect, Effect::Score(30));
        assert_eq!((list[1].enabled, list[1].risk), (false, Risk::High));
    }

    #[test]
    fn each_mistake_names_its_line_id_and_fix() {
        let cases = [
            (
                "action = \"ban\"",
                "acton = \"ban\"",
                3,
                "unknown field `acton`",
            ),
            (
                "action = \"ban\"",
                "action = \"block\"",
                3,
                "`block` is no action",
            ),
            (
                "action = \"ban\"",
                "action = \"score\"",
                3,
                "a score needs points",
            ),
            (
                "where = \"user-agent\"",
                "where = \"agent\"",
                3,
                "`agent` is no place",
            ),
            (
                "match = \"prefix\"",
                "match = \"start\"",
                3,
                "`start` is no value of `match`",
            ),
            ("value = \"x\"", "", 3, "does not say what to look for"),
            ("id = \"ua\"", "id = \"a b\"", 3, "the id `a b`"),
            ("id = \"both\"", "id = \"ua\"", 10, "used twice"),
            ("\"count-over\"", "\"exact\"", 10, "can only be counted"),
            (
                "value = \"1\"",
                "value = \"many\"",
                10,
                "counted up to `many`",
            ),
            ("value = \"1\"", "value = \"2\"", 10, "counted up to `2`"),
            (
                "risk = \"high\"",
                "risk = \"grave\"",
                10,
                "`grave` is no value of `risk`",
            ),
            ("points = 30", "points = 0", 10, "a score needs points"),
            (
                "action = \"score\"",
                "action = \"drop\"",
                10,
                "belong to a score",
            ),
            ("note = \"why\"", "value = \"x\"", 10, "`all` stands beside"),
            ("schema = 1", "schema = 2", 1, "schema 2 is not known"),
            ("schema = 1", "shema = 1", 1, "unknown field `shema`"),
            ("value = \"x\"", "value = x", 7, ""),
        ];
        for (from, to, line, what) in cases {
            let mistakes = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            let [mistake] = &mistakes[..] else {
                panic!("{to}: {mistakes:?}")
            };
            assert_eq!(mistake.line, line, "{mistake}");
            assert!(mistake.what.contains(what), "{mistake}");
            assert!(!mistake.fix.is_empty());
            assert_eq!(
                mistake.id.is_some(),
                !what.is_empty() && line != 1,
                "{mistake}"
            );
        }
    }

    #[test]
    fn all_mistakes_are_listed() {
        let text = GOOD
            .replace("prefix", "start")
            .replace("points = 30", "points = 0");
        assert_eq!(parse(&text).unwrap_err().len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(at in 0..GOOD.len(), to in ".{0,8}") {
            let mut text = GOOD.to_owned();
            text.replace_range(at..at + 1, &to);
            let _ = parse(&text);
        }
    }
}
