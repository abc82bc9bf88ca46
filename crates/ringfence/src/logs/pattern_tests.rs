//! What ships compiles and matches its examples; mistakes of users are told.

use super::*;
use crate::asterisk::security::What;

fn parse(text: &str) -> Patterns {
    Patterns::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

fn sight<'p>(patterns: &'p Patterns, line: &str) -> (&'p str, Sight) {
    match patterns.read(line) {
        Says::Sight { id, sight } => (id, sight),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_ships_is_sound_and_each_example_is_its_own_patterns() {
    for of in [Of::Asterisk, Of::Freeswitch, Of::Kamailio] {
        let patterns = Patterns::of(of).unwrap_or_else(|e| panic!("{}: {e}", of.as_str()));
        assert!(patterns.ids().count() > 6);
        let file: PatternFile = toml::from_str(of.text()).unwrap();
        for table in file.line {
            let Some(example) = table.example else {
                assert_eq!(of, Of::Asterisk, "{}", table.id);
                continue;
            };
            match patterns.read(&example) {
                Says::Sight { id, sight } => {
                    assert_eq!(
                        (id, sight.source.ip()),
                        (&*table.id, [203, 0, 113, 5].into())
                    );
                }
                Says::Nothing { id } => {
                    assert_eq!((id, table.counts_as), (&*table.id, Means::Nothing));
                }
                other => panic!("{example}: {other:?}"),
            }
        }
    }
}

#[test]
fn freeswitch_and_kamailio_say_who_and_what() {
    let patterns = Patterns::of(Of::Freeswitch).unwrap();
    let start = "2026-11-21 02:06:11.713000 99.50% [WARNING] sofia_reg.c:1793 SIP auth";
    let on = "on sofia profile 'internal' for";
    let line = format!("{start} failure (REGISTER) {on} [1001@192.0.2.10] from ip 203.0.113.5");
    let (_, failure) = sight(&patterns, &line);
    assert_eq!(failure.what, What::PasswordRefused(None));
    assert_eq!(failure.account.as_deref(), Some("1001"));
    assert_eq!(failure.source.to_string(), "203.0.113.5:0");
    let line = format!("{start} challenge (REGISTER) {on} [1001@h] from ip 203.0.113.5");
    assert!(matches!(patterns.read(&line), Says::Nothing { .. }));
    let line = format!("{start} failure (REGISTER) {on} [1001@h] from ip 2001:db8::5");
    assert_eq!(
        sight(&patterns, &line).1.source.ip().to_string(),
        "2001:db8::5"
    );
    let line = format!("{start} failure (REGISTER) {on} [1001@h] from ip 999.0.0.1");
    assert!(matches!(patterns.read(&line), Says::Doubtful { .. }));
    let patterns = Patterns::of(Of::Kamailio).unwrap();
    let start = "Nov 21 02:06:11 pbx kamailio[1]: NOTICE: <script>: ringfence:";
    let line = format!("{start} failure [2001:db8::5]:5062 call-1 a b");
    let (_, failure) = sight(&patterns, &line);
    assert_eq!(failure.source.to_string(), "[2001:db8::5]:5062");
    assert_eq!(failure.session.as_deref(), Some("call-1"));
    assert_eq!(failure.account.as_deref(), Some("a b"));
}

#[test]
fn a_user_extends_what_ships() {
    let patterns = parse(
        "extends = \"asterisk\"\n[[line]]\nid = \"mine\"\nsource = \"app_verbose.c\"\n\
         regex = 'blocked <address> (?P<account>[^ ]+)'\ncounts_as = \"failure\"\n",
    );
    let (id, mine) = sight(
        &patterns,
        "[Nov 21 02:06:11] NOTICE[1][C-0000000a] app_verbose.c: blocked 203.0.113.5 1001",
    );
    assert_eq!((id, mine.service.as_str()), ("mine", "Asterisk"));
    assert_eq!(mine.account.as_deref(), Some("1001"));
    assert!(patterns.ids().any(|id| id == "pjsip-refused-answer"));
}

#[test]
fn the_example_of_the_manual_is_sound() {
    let manual = include_str!("../../../../docs/log-patterns.md");
    let (_, example) = manual.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert_eq!(parse(example).ids().next(), Some("dialplan-tripwire"));
}

#[test]
fn mistakes_of_users_say_what_to_change() {
    let wrong = |text: &str| Patterns::parse(text).unwrap_err().to_string();
    let line = |keys: &str| format!("[[line]]\nid = \"x\"\n{keys}\n");
    let told = wrong(&line("regex = 'a('\ncounts_as = \"failure\""));
    assert!(told.contains("`x` is no regular expression"), "{told}");
    let told = wrong(&line("regex = 'a'\ncounts_as = \"failure\""));
    assert!(told.contains("no group address; write <address>"), "{told}");
    let told = wrong(&line("regex = '<address>'\ncounts_as = \"fail\""));
    assert!(told.contains("failure-unless-refused"), "{told}");
    let told = wrong(&line("regex = 'a'\ncounts_as = \"nothing\"\ncolour = 1"));
    assert!(told.contains("colour"), "{told}");
    let one = line("regex = 'a'\ncounts_as = \"nothing\"");
    assert!(
        wrong(&format!("{one}{one}")).contains("two patterns"),
        "{one}"
    );
    let told = wrong(&line(
        "regex = 'a'\ncounts_as = \"nothing\"\nexample = \"b\"",
    ));
    assert!(told.contains("its own example"), "{told}");
    let huge = line("regex = '(?:.{1000}){1000}'\ncounts_as = \"nothing\"");
    assert!(Patterns::parse(&huge).is_err());
}
