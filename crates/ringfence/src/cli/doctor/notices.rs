//! Who is told of what.

use super::finding::{Finding, State, finding};
use crate::config::Notify;
use crate::notify::{hostname, ways};

/// Looks at `[notify]`, where it names a way. Nothing is sent.
pub(super) fn look(notify: &Notify) -> Option<Finding> {
    let ways = ways(notify, &hostname());
    if ways.is_empty() {
        return None;
    }
    let found = format!(
        "{}; not tried: `ringfence notify test` does",
        ways.join(", ")
    );
    Some(finding("notices", State::Fine, found, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_ways_are_named_and_their_secrets_are_not() {
        assert!(look(&Notify::default()).is_none());
        let text = "[notify.mail]\nto = [\"admin@example.com\"]\n\
                    [notify.webhook]\nurl = \"https://hooks.example.com/hush\"\n";
        let config = Config::parse(text, "notices").unwrap();
        let found = look(&config.notify).unwrap().found;
        assert!(
            found.contains("mail") && found.contains("hooks.example.com"),
            "{found}"
        );
        assert!(
            found.contains("`ringfence notify test`") && !found.contains("hush"),
            "{found}"
        );
    }
}
