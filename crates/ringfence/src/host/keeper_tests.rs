use std::fs;
use std::io;
use std::time::Duration;

use nftables::types::NfFamily;

use super::files::{Files, Standing, Trial};
use super::*;
use crate::config::Config;
use crate::country::CountryData;
use crate::net::testing::namespace;

/// A keeper of a directory of its own, whose trials nobody ends but the test.
fn keeper() -> (tempfile::TempDir, Keeper) {
    let directory = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(directory.path());
    keeper.arm = |_, _, _| Ok(());
    (directory, keeper)
}

fn ready(policy: &str) -> Ready {
    let config = Config::parse(policy, "test").unwrap();
    Ready::new(&config, &Facts::default(), &CountryData::builtin().unwrap()).unwrap()
}

const ONE: &str = "mode = \"enforce\"\n";
const OTHER: &str = "mode = \"enforce\"\n[host]\nrefuse = \"drop\"\n";
const TIME: Option<Duration> = Some(Duration::from_secs(600));

fn rules(keeper: &Keeper) -> Vec<String> {
    let table = keeper.nft.outline(NfFamily::INet, TABLE).unwrap();
    let rules = table.unwrap_or_default();
    let rules = rules.iter().filter(|object| object.get("rule").is_some());
    rules.map(|rule| rule["rule"]["expr"].to_string()).collect()
}

fn trial(keeper: &Keeper) -> Trial {
    Files::lock(&keeper.state).unwrap().get().unwrap().unwrap()
}

#[test]
fn a_trial_is_taken_back_to_what_stood_before() {
    namespace(async || {
        let (_directory, keeper) = keeper();
        assert_eq!(keeper.apply(&ready(ONE), TIME).unwrap(), Applied::OnTrial);
        let first = trial(&keeper);
        assert!(!rules(&keeper).is_empty());
        // Another one in its place: its own end is nobody's any more.
        keeper.apply(&ready(OTHER), TIME).unwrap();
        assert!(!keeper.expire(&first.id).unwrap());
        assert!(keeper.expire(&trial(&keeper).id).unwrap());
        assert_eq!(rules(&keeper), Vec::<String>::new());
        assert!(matches!(keeper.confirm(), Err(HostError::Over)));
        // With rules before.
        keeper.apply(&ready(ONE), None).unwrap();
        let before = rules(&keeper);
        keeper.apply(&ready(OTHER), TIME).unwrap();
        assert_ne!(rules(&keeper), before);
        assert!(keeper.expire(&trial(&keeper).id).unwrap());
        assert_eq!(rules(&keeper), before);
        assert_eq!(keeper.trial().unwrap(), OnTrial::Lapsed);
        // What was tried in vain does not come with a restart, until it is applied without a trial.
        assert_eq!(keeper.start(Some(&ready(OTHER))).unwrap(), Applied::Lapsed);
        assert_eq!(rules(&keeper), before);
        keeper.apply(&ready(OTHER), None).unwrap();
        assert_eq!(keeper.start(Some(&ready(OTHER))).unwrap(), Applied::Stood);
        assert_ne!(rules(&keeper), before);
    });
}

#[test]
fn a_restart_leaves_a_trial_alone_and_a_boot_ends_it() {
    namespace(async || {
        let (_directory, keeper) = keeper();
        keeper.apply(&ready(ONE), None).unwrap();
        let confirmed = rules(&keeper);
        keeper.apply(&ready(OTHER), TIME).unwrap();
        let tried = rules(&keeper);
        assert_eq!(keeper.start(Some(&ready(OTHER))).unwrap(), Applied::OnTrial);
        assert_eq!(rules(&keeper), tried);
        // The next boot has no table, and another id.
        keeper.nft.delete_table(NfFamily::INet, TABLE).unwrap();
        let files = Files::lock(&keeper.state).unwrap();
        let boot = "another".to_owned();
        let old = Trial {
            boot,
            ..files.get().unwrap().unwrap()
        };
        files.put(Some(&old)).unwrap();
        drop(files);
        assert_eq!(keeper.start(Some(&ready(OTHER))).unwrap(), Applied::Lapsed);
        assert_eq!(rules(&keeper), confirmed);
    });
}

#[test]
fn what_is_refused_changes_nothing() {
    namespace(async || {
        let (_directory, mut keeper) = keeper();
        keeper.apply(&ready(ONE), None).unwrap();
        let before = rules(&keeper);
        let mut bad = ready(OTHER);
        bad.batch = bad.batch.replace("\"saddr\"", "\"nowhere\"");
        for time in [None, TIME] {
            assert!(matches!(keeper.apply(&bad, time), Err(HostError::Nft(_))));
            assert_eq!(rules(&keeper), before);
            assert_eq!(keeper.trial().unwrap(), OnTrial::No);
        }
        keeper.arm = |_, _, _| Err(io::ErrorKind::NotFound.into());
        let error = keeper.apply(&ready(OTHER), TIME).unwrap_err();
        assert!(error.to_string().contains("nothing was changed"), "{error}");
        assert_eq!(rules(&keeper), before);
        assert_eq!(keeper.trial().unwrap(), OnTrial::No);
        assert_eq!(keeper.look(&mut None).unwrap(), Seen::Intact);
    });
}

#[test]
fn lists_follow_and_other_policies_do_not() {
    namespace(async || {
        let (_directory, keeper) = keeper();
        keeper.apply(&ready(ONE), None).unwrap();
        let config = Config::parse(ONE, "test").unwrap();
        let mut facts = Facts::default();
        let denied = "192.0.2.0/24".parse().unwrap();
        facts.inputs.operator = vec![(crate::store::ListKind::Deny, denied)];
        let data = CountryData::builtin().unwrap();
        let more = Ready::new(&config, &facts, &data).unwrap();
        assert!(keeper.refresh(&more).unwrap());
        let all = keeper.nft.table(NfFamily::INet, TABLE).unwrap().unwrap();
        assert!(
            all.iter()
                .any(|object| object.to_string().contains("192.0.2.0"))
        );
        assert!(!keeper.refresh(&ready(OTHER)).unwrap());
        assert_eq!(keeper.look(&mut None).unwrap(), Seen::Intact);
    });
}

#[test]
fn a_damaged_file_is_named_with_what_to_do() {
    namespace(async || {
        let (directory, keeper) = keeper();
        keeper.apply(&ready(ONE), None).unwrap();
        let path = directory.path().join("host/standing.json");
        fs::write(&path, "{").unwrap();
        let error = keeper.look(&mut None).unwrap_err().to_string();
        assert!(
            error.contains("standing.json") && error.contains("remove it"),
            "{error}"
        );
        fs::remove_file(path).unwrap();
        keeper.apply(&ready(ONE), None).unwrap();
        let files = Files::lock(&keeper.state).unwrap();
        assert!(files.get::<Standing>().unwrap().is_some());
    });
}
