//! Conditions and domain names as regular expressions over bytes.

use regex_automata::util::syntax;

use super::model::Test;

/// The regular expression that matches where the test holds.
pub(super) fn expression(test: Test, value: &str) -> String {
    match test {
        Test::Exact => format!("^{}$", literal(value.as_bytes())),
        Test::Prefix => format!("^{}", literal(value.as_bytes())),
        Test::NotPrefix => other_start(value.as_bytes()),
        Test::Contains => literal(value.as_bytes()),
        Test::Regex => value.to_owned(),
    }
}

/// The expression for a host that is `name`, or for `*.name` a host below it. A dot after the last
/// label, which makes a name absolute, is ignored.
pub(super) fn host(name: &str) -> String {
    let (below, name) = split(name);
    let below = if below { r".+\." } else { "" };
    format!(r"^{below}{}\.?$", literal(name))
}

/// The expression for `name`, or for `*.name` a name below it, anywhere in a text.
pub(super) fn anywhere(name: &str) -> String {
    let (below, name) = split(name);
    let below = if below { r"\." } else { "" };
    format!("{below}{}", literal(name))
}

/// How expressions are read: bytes, not Unicode, and `.` is no line end.
pub(super) fn syntax(case_sensitive: bool) -> syntax::Config {
    syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(!case_sensitive)
}

fn split(name: &str) -> (bool, &[u8]) {
    let name = name.strip_suffix('.').unwrap_or(name);
    match name.strip_prefix("*.") {
        Some(rest) => (true, rest.as_bytes()),
        None => (false, name.as_bytes()),
    }
}

fn literal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!(r"\x{byte:02X}")).collect()
}

/// Matches at the first byte that departs from `prefix`, or where the value ends within it.
fn other_start(prefix: &[u8]) -> String {
    let departs = prefix.iter().enumerate().map(|(at, byte)| {
        let before = literal(&prefix[..at]);
        let end = if at == 0 { "" } else { "|$" };
        format!(r"{before}(?:(?s-u:[^\x{byte:02X}]){end})")
    });
    format!("^(?:{})", departs.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::meta::Regex;

    fn matches(expression: &str, case_sensitive: bool, text: &str) -> bool {
        let regex = Regex::builder()
            .syntax(syntax(case_sensitive))
            .build(expression)
            .unwrap();
        regex.is_match(text)
    }

    #[test]
    fn tests_mean_what_they_are_called() {
        let cases = [
            (Test::Exact, "a.c", "a.C", true),
            (Test::Exact, "a.c", "abc", false),
            (Test::Exact, "a.c", "a.cd", false),
            (Test::Prefix, "ab", "ABc", true),
            (Test::Prefix, "ab", "cab", false),
            (Test::Contains, "(b", "a(B)", true),
            (Test::Contains, "(b", "ab", false),
            (Test::NotPrefix, "z9h", "Z9hG", false),
            (Test::NotPrefix, "z9h", "z9", true),
            (Test::NotPrefix, "z9h", "zz9h", true),
            (Test::NotPrefix, "z9h", "", false),
            (Test::Regex, "^a+$", "aAa", true),
        ];
        for (test, value, text, expected) in cases {
            let found = matches(&expression(test, value), false, text);
            assert_eq!(found, expected, "{test:?} {value} in {text}");
        }
        assert!(!matches(&expression(Test::Exact, "cisco"), true, "Cisco"));
        assert!(matches(&expression(Test::NotPrefix, "z9"), true, "Z9"));
    }

    #[test]
    fn domains_are_hosts_or_what_is_below_them() {
        let cases = [
            ("example.com", "EXAMPLE.com", true),
            ("example.com", "example.com.", true),
            ("example.com.", "example.com", true),
            ("example.com", "sip.example.com", false),
            ("example.com", "examplexcom", false),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("2001:db8::1", "2001:DB8::1", true),
        ];
        for (name, text, expected) in cases {
            assert_eq!(
                matches(&host(name), false, text),
                expected,
                "{name} for {text}"
            );
        }
        assert!(matches(
            &anywhere("example.com"),
            false,
            "To: <sip:a@Example.Com:5060>"
        ));
        assert!(!matches(
            &anywhere("*.example.com"),
            false,
            "To: <sip:a@example.com>"
        ));
    }
}
