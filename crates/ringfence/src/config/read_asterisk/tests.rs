use std::fs;

use super::super::keys::Preset;
use super::super::{LoadError, Mistakes};
use super::*;

fn read(text: &str) -> Asterisk {
    let config = Config::parse(&format!("[asterisk]\n{text}"), "r.toml");
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    config.asterisk.unwrap()
}

fn mistake(text: &str) -> String {
    let mistakes: Mistakes = Config::parse(&format!("[asterisk]\n{text}"), "r.toml").unwrap_err();
    assert_eq!(mistakes.iter().len(), 1, "{mistakes}");
    mistakes.to_string()
}

#[test]
fn without_the_section_there_is_nothing_of_it() {
    let config = Config::parse("mode = \"shadow\"", "r.toml").unwrap();
    assert_eq!(config.asterisk, None);
}

#[test]
fn the_defaults_are_asterisks_own() {
    let asterisk = read("secret_env = \"RINGFENCE_AMI\"");
    assert_eq!(asterisk.ami, "127.0.0.1:5038");
    assert_eq!(asterisk.user, "ringfence");
    assert_eq!(asterisk.every, Duration::from_secs(300));
    for key in ASTERISK.keys {
        if let Preset::Toml(value) = key.default {
            let text = format!("secret_env = \"RINGFENCE_AMI\"\n{} = {value}", key.name);
            assert_eq!(read(&text), asterisk, "{text}");
        }
    }
}

#[test]
fn the_secret_is_read_where_it_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, "s3cret\r\n").unwrap();
    let place = |text: &str| read(text).secret;
    let of_file = format!("secret_file = {:?}", path.to_str().unwrap());
    assert_eq!(place(&of_file).read().unwrap(), Secret::new("s3cret"));
    fs::write(&path, "\n").unwrap();
    let told = |place: SecretPlace| place.read().unwrap_err().to_string();
    assert!(told(place(&of_file)).contains("empty"));
    fs::remove_file(&path).unwrap();
    assert!(told(place(&of_file)).contains(path.to_str().unwrap()));
    let unset = place("secret_env = \"RINGFENCE_TEST_UNSET\"");
    assert!(told(unset).contains("RINGFENCE_TEST_UNSET"));
    assert_eq!(
        place("secret = \" a b\"").read().unwrap(),
        Secret::new(" a b")
    );
}

#[test]
fn no_secret_is_shown() {
    let config = Config::parse("[asterisk]\nsecret = \"s3cret\"", "r.toml").unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    for text in [
        "secret = 31337",
        "secret = [\"31337\"]",
        "secret = \"31337\"\nsecret_env = \"A\"",
    ] {
        let shown = mistake(text);
        assert!(!shown.contains("31337"), "{shown}");
    }
}

#[test]
fn a_mistake_names_its_place_and_the_cure() {
    for (text, expected) in [
        (
            "",
            "r.toml:1:1: [asterisk] has no `secret`; add secret_credential = \"ami\", or",
        ),
        (
            "secret_env = \"A\"\nsecret_file = \"/a\"",
            "r.toml:3:15: [asterisk] has both `secret_env` and `secret_file`; leave one",
        ),
        (
            "secret = \"\"",
            "r.toml:2:10: `secret` is empty; write the `secret`",
        ),
        (
            "secret = 1",
            "r.toml:2:10: `secret` must be a text; write it between quotes",
        ),
        (
            "secret_env = \"A\"\nami = \"127.0.0.1\"",
            "r.toml:3:7: `ami`: `127.0.0.1` is not a host and a port; write both, such as",
        ),
        (
            "secret_env = \"A\"\nami = \"::1:5038\"",
            "r.toml:3:7: `ami`: `::1:5038` is not a host and a port; write both, such as",
        ),
        (
            "secret_env = \"A\"\nuser = \"[fw]\"",
            "r.toml:3:8: `user`: `[fw]` cannot be a user; write the name between",
        ),
        (
            "secret_env = \"$A\"",
            "r.toml:2:14: `secret_env`: `$A` cannot be a variable",
        ),
        (
            "secret_credential = \"../a\"",
            "r.toml:2:21: `secret_credential`: `../a` cannot be",
        ),
        (
            "secret_file = \"a\"",
            "r.toml:2:15: `secret_file`: `a` is not an absolute path",
        ),
        (
            "secret_env = \"A\"\nevery = \"1s\"",
            "r.toml:3:9: `every` is out of range: `1s`; write a time from \"10s\" to \"1d\"",
        ),
        (
            "secrte = \"A\"",
            "r.toml:2:1: unknown key `secrte` in [asterisk]; did you mean `secret`?",
        ),
    ] {
        let shown = mistake(text);
        assert!(shown.starts_with(expected), "{shown}\n{expected}");
    }
}

#[test]
fn a_secret_in_a_file_that_everybody_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.toml");
    let load = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Config::load(&path)
    };
    let here = "\n[asterisk]\nsecret = \"s3cret\"\n";
    let Err(LoadError::Mistakes(mistakes)) = load(here, 0o644) else {
        panic!("it is not refused");
    };
    let shown = mistakes.to_string();
    assert!(
        shown.contains("r.toml:3:10: `secret` stands in a file"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"));
    assert!(load(here, 0o640).is_ok());
    assert!(load("[asterisk]\nsecret_env = \"A\"\n", 0o644).is_ok());
}
