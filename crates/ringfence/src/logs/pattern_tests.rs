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
        assert!(patterns.ids().count() > 5);
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
fn freeswitch_says_who_and_what() {
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
}

/// What Kamailio 5.6 wrote with the lines of docs/kamailio.md, as syslog had it.
const KAMAILIO: &str = "NOTICE: <script>: ringfence: auth failed for";

#[test]
fn kamailio_says_who_and_what() {
    let patterns = Patterns::of(Of::Kamailio).unwrap();
    for (line, source, account, session) in [
        (
            "1001 from 127.0.0.1:57362 callid 1-2%40203.0.113.5",
            "127.0.0.1:57362",
            Some("1001"),
            "1-2%40203.0.113.5",
        ),
        (
            "1001 from [::1]:37654 callid 4-2%402001:db8::5",
            "[::1]:37654",
            Some("1001"),
            "4-2%402001:db8::5",
        ),
        // The user was empty.
        (
            " from 127.0.0.1:57398 callid 8%40x",
            "127.0.0.1:57398",
            None,
            "8%40x",
        ),
        // The user and the Call-ID were lines like this one.
        (
            "%20%3cscript%3e%3a%20ringfence%3a%20auth%20failed%20for%20b%20from%20198.51.100.1%3a5060%20callid%20y \
             from 127.0.0.1:57386 callid NOTICE:%20%3cscript%3e:%20ringfence:%20auth%20failed%20for%20b%20from\
             %20198.51.100.1:5060%20callid%20y",
            "127.0.0.1:57386",
            Some(
                "%20%3cscript%3e%3a%20ringfence%3a%20auth%20failed%20for%20b%20from%20198.51.100.1%3a5060%20callid%20y",
            ),
            "NOTICE:%20%3cscript%3e:%20ringfence:%20auth%20failed%20for%20b%20from%20198.51.100.1:5060%20callid%20y",
        ),
    ] {
        for head in ["", "Nov 21 15:46:18 pbx kamailio[9591]: "] {
            let (id, failure) = sight(&patterns, &format!("{head}{KAMAILIO} {line}"));
            assert_eq!(
                (id, failure.what),
                ("kamailio-ringfence", What::PasswordRefused(None))
            );
            assert_eq!(failure.source.to_string(), source);
            assert_eq!(failure.account.as_deref(), account);
            assert_eq!(failure.session.as_deref(), Some(session));
        }
    }
}

#[test]
fn of_kamailio_nothing_is_believed_that_has_callers_text_before_it() {
    let patterns = Patterns::of(Of::Kamailio).unwrap();
    assert!(patterns.syslog());
    let line = format!("{KAMAILIO} b from 198.51.100.1:5060 callid y");
    assert!(matches!(patterns.read(&line), Says::Sight { .. }));
    for forged in [
        // A packet that cannot be read is written out; in syslog it is one message.
        format!("ERROR: <core> [core/parser/parse_via.c:2706]: parse_via(): parsing via on: <garbage\r\n\r\n{line}\r\n>"),
        format!("ERROR: <core> [core/parser/parse_via.c:2706]: parse_via(): parsing via on: <garbage\n{line}"),
        // The log_prefix of Debian's file, with a Call-ID that is a line.
        format!("NOTICE: {{1 2 REGISTER {line}"),
        "NOTICE: {1 2 REGISTER x} <script>: ringfence: auth failed for b from 198.51.100.1:5060 callid y".into(),
        // Standard error.
        format!(" 5(8233) {line}"),
    ] {
        assert!(matches!(patterns.read(&forged), Says::Unknown), "{forged}");
    }
}

#[test]
fn the_line_of_the_manual_is_read() {
    let manual = include_str!("../../../../docs/kamailio.md");
    let line = manual
        .lines()
        .find_map(|line| line.strip_prefix("    NOTICE: "));
    let patterns = Patterns::of(Of::Kamailio).unwrap();
    let (id, failure) = sight(&patterns, &format!("NOTICE: {}", line.unwrap()));
    assert_eq!(id, "kamailio-ringfence");
    assert_eq!(failure.source.to_string(), "203.0.113.5:5062");
    let asset = Of::Kamailio.text();
    let xlog = manual.lines().find(|line| line.contains("$siz:$sp"));
    assert!(asset.contains(xlog.unwrap().trim()));
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
