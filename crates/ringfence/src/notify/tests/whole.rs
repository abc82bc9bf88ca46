//! The notifier as a whole: what is told, what is summed up, and that nobody waits for it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::start as web;
use super::{config, notice};
use crate::config::{NoticeKind, Notify};
use crate::notify::{Notice, Notifier, Way, start, start_with, test};

const SOON: Duration = Duration::from_secs(30);

fn started(config: &Notify, pauses: &[Duration]) -> Notifier {
    start_with(config, Way::all(config, "pbx"), "pbx", pauses)
}

/// A way that keeps all notices in a file, one a line.
fn to_file(path: &Path) -> String {
    let script = "flock 9; cat >&9; echo >&9";
    let path = path.display();
    format!("[notify.command]\nrun = [\"/bin/sh\", \"-c\", \"exec 9>>{path}; {script}\"]")
}

fn kept(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn nobody_waits_and_nothing_is_lost_uncounted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notices");
    let mut config = config(&to_file(&path));
    config.most = 3;
    let notifier = started(&config, &[]);
    let began = Instant::now();
    for _ in 0..2000 {
        notifier.tell(notice());
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    notifier.close(SOON).await;
    let kept = kept(&path);
    let kinds: Vec<_> = kept
        .iter()
        .map(|said| said["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ban", "ban", "ban", "digest"]);
    let data = &kept[3]["data"];
    assert_eq!(
        (&data["count"], &data["kinds"]["ban"]),
        (&1997.into(), &253.into())
    );
    assert_eq!(data["lost"], 1744);
    assert_eq!(data["sources"][0]["source"], "203.0.113.5");
    notifier.tell(notice());
}

#[tokio::test]
async fn only_the_kinds_that_are_asked_for_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notices");
    let config = config(&format!(
        "[notify]\nkinds = [\"fraud\"]\n{}",
        to_file(&path)
    ));
    let notifier = start(&config, "pbx");
    assert!(notifier.tells(NoticeKind::Fraud) && !notifier.tells(NoticeKind::Ban));
    notifier.clone().tell(notice());
    notifier.tell(Notice::new(NoticeKind::Fraud, "six calls to one number"));
    notifier.close(SOON).await;
    let kept = kept(&path);
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (&kept[0]["kind"], &kept[0]["host"]),
        (&"fraud".into(), &"pbx".into())
    );
    assert!(!start(&Notify::default(), "pbx").tells(NoticeKind::Ban));
}

#[tokio::test]
async fn what_fails_for_a_moment_is_tried_again() {
    let (port, seen) = web(&["503 Later", "503 Later", "200 OK"], None).await;
    let config = config(&format!(
        "[notify.webhook]\nurl = \"http://127.0.0.1:{port}/\""
    ));
    let notifier = started(&config, &[Duration::from_millis(20); 3]);
    notifier.tell(notice());
    let until = Instant::now() + SOON;
    while seen.lock().unwrap().len() < 3 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    notifier.close(SOON).await;
    let requests = seen.lock().unwrap().clone();
    assert_eq!(requests.len(), 3, "delivered once, and no digest of it");
    assert!(
        requests
            .iter()
            .all(|request| request.body == requests[0].body)
    );
}

#[tokio::test]
async fn what_fails_for_good_is_in_the_next_digest() {
    let (port, seen) = web(&["403 No", "403 No", "200 OK"], None).await;
    let mut config = config(&format!(
        "[notify.webhook]\nurl = \"http://127.0.0.1:{port}/\""
    ));
    config.digest = Duration::from_millis(200);
    let notifier = started(&config, &[Duration::from_secs(600)]);
    notifier.tell(notice());
    notifier.tell(notice());
    let until = Instant::now() + SOON;
    while seen.lock().unwrap().len() < 3 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    notifier.close(SOON).await;
    let bodies: Vec<Value> = {
        let requests = seen.lock().unwrap();
        let bodies = requests
            .iter()
            .map(|r| serde_json::from_str(&r.body).unwrap());
        bodies.collect()
    };
    let kinds: Vec<_> = bodies
        .iter()
        .map(|said| said["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ban", "ban", "digest"]);
    assert_eq!(bodies[2]["data"]["undelivered"], 2);
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_way_that_hangs() {
    let config = config("[notify.command]\nrun = [\"/bin/sleep\", \"600\"]");
    let notifier = start(&config, "pbx");
    notifier.tell(notice());
    let began = Instant::now();
    notifier.close(Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_test_says_what_became_of_each_way() {
    let (port, seen) = web(&["200 OK"], None).await;
    let config = config(&format!(
        "[notify.webhook]\nurl = \"http://127.0.0.1:{port}/\"\n[notify.command]\nrun = [\"/bin/false\"]"
    ));
    let tried = test(&config, "pbx", NoticeKind::Fence).await;
    let told: Vec<_> = tried
        .iter()
        .map(|one| (one.way.clone(), one.result.is_ok()))
        .collect();
    let expected = [
        (format!("webhook http://127.0.0.1:{port}"), true),
        ("command /bin/false".to_owned(), false),
    ];
    assert_eq!(told, expected);
    let body: Value = serde_json::from_str(&seen.lock().unwrap()[0].body).unwrap();
    assert_eq!(
        (&body["kind"], &body["data"]["test"]),
        (&"fence".into(), &true.into())
    );
}
