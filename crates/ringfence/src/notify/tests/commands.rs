//! Commands of every manner.

use std::path::Path;
use std::time::{Duration, Instant};

use super::letter;
use crate::config::NotifyCommand;
use crate::notify::command::CommandWay;
use crate::notify::way::Undelivered;

async fn shell(script: &str, whole: u64, words: &[&str]) -> Result<(), Undelivered> {
    let shell = ["/bin/sh", "-c", script, "tell"];
    let run = [&shell, words].concat();
    let run = run.into_iter().map(str::to_owned).collect();
    let way = CommandWay::within(NotifyCommand { run }, Duration::from_secs(whole));
    way.deliver(&letter()).await
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn a_command_is_given_the_notice_and_nothing_of_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let (input, environment) = (directory.path().join("input"), directory.path().join("env"));
    // The test's own environment has this one.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let script = "cat > \"$1\"; env > \"$2\"";
    shell(script, 20, &[&shown(&input), &shown(&environment)])
        .await
        .unwrap();
    let said: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(input).unwrap()).unwrap();
    assert_eq!(said["summary"], "banned 203.0.113.5 (failures)");
    let environment = std::fs::read_to_string(environment).unwrap();
    for line in [
        "RINGFENCE_KIND=ban",
        "RINGFENCE_HOST=pbx.example.com",
        "RINGFENCE_SOURCE=203.0.113.5",
        "RINGFENCE_SUMMARY=banned 203.0.113.5 (failures)",
    ] {
        assert!(
            environment.lines().any(|l| l == line),
            "{line}\n{environment}"
        );
    }
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test]
async fn no_shell_reads_what_a_word_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made");
    let word = format!("$(touch {})", path.display());
    let run = vec!["/bin/echo".to_owned(), word];
    let way = CommandWay::new(NotifyCommand { run });
    way.deliver(&letter()).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_failure_is_told_with_what_the_command_said() {
    let error = shell("printf 'no \\033[2Jmodem' >&2; exit 3", 20, &[])
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        error.again && text.contains("/bin/sh ended with exit status: 3: no "),
        "{text}"
    );
    assert!(!text.contains(char::is_control), "{text}");
    let run = vec!["/nowhere/at/all".to_owned()];
    let error = CommandWay::new(NotifyCommand { run })
        .deliver(&letter())
        .await
        .unwrap_err();
    assert!(
        !error.again && error.to_string().contains("cannot be started"),
        "{error}"
    );
}

#[tokio::test]
async fn megabytes_of_output_are_let_go() {
    let flood = "head -c 20000000 /dev/zero | tr '\\0' x";
    shell(flood, 30, &[]).await.unwrap();
    let error = shell(&format!("({flood}) >&2; exit 1"), 30, &[])
        .await
        .unwrap_err();
    assert!(
        error.to_string().len() <= 512,
        "{}",
        error.to_string().len()
    );
}

#[tokio::test]
async fn a_command_that_does_not_listen_is_fine() {
    shell("exec <&-; exit 0", 20, &[]).await.unwrap();
}

#[tokio::test]
async fn one_that_hangs_is_killed_with_all_that_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("child");
    let began = Instant::now();
    let script = "sleep 600 & echo $! > \"$1\"; wait";
    let error = shell(script, 1, &[&shown(&path)]).await.unwrap_err();
    assert!(
        error.to_string().contains("ran for 1 s and was killed"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(30));
    let child = std::fs::read_to_string(path).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    // Nobody may have collected it yet.
    let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let until = Instant::now() + Duration::from_secs(20);
    while runs() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!runs());
}

#[tokio::test]
async fn what_it_leaves_behind_is_not_waited_for() {
    let began = Instant::now();
    shell("sleep 25 & exit 0", 20, &[]).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(15));
}
