//! Logins that fail, and what is no manager interface at all.

use std::time::{Duration, Instant};

use ringfence::asterisk::ami::{Action, AskError, Heard, Secret, Settings, Timing, connect_timed};
use ringfence_lab::asterisk::{Ami, Script};

use super::{connect, hasty, is_up, next, settings, until};

fn impatient() -> Timing {
    Timing {
        dead: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        ..hasty()
    }
}

/// Why it is down, as the first that is heard.
async fn why(script: Script) -> String {
    let ami = Ami::play([script]).unwrap();
    let (_link, mut heard) = connect(&ami, impatient());
    match next(&mut heard).await {
        Heard::Down { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_login_says_what_to_check_and_is_not_hurried() {
    let ami = Ami::play([Script::default()]).unwrap();
    let wrong = Settings {
        secret: Secret::new("guess"),
        ..settings(&ami)
    };
    let timing = Timing {
        longest: Duration::from_secs(60),
        ..hasty()
    };
    let (link, mut heard) = connect_timed(wrong, timing);
    let Heard::Down { why } = next(&mut heard).await else {
        panic!("it is up");
    };
    for part in ["`fw`", "secret", "deny", "manager.conf"] {
        assert!(why.contains(part), "{why}");
    }
    assert!(!why.contains("guess"), "{why}");
    // Whoever asks is told at once.
    assert_eq!(link.ask(Action::new("Ping")).await, Err(AskError::Down));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(ami.connections(), 1);
    assert!(heard.try_recv().is_err(), "told once");
}

#[tokio::test]
async fn the_secret_is_never_sent() {
    let ami = Ami::play([Script::default()]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    until(&mut heard, is_up).await;
    let asked = ami.asked().concat();
    assert!(asked.contains("AuthType: MD5"), "{asked}");
    assert!(!asked.to_lowercase().contains("secret"), "{asked}");
}

#[tokio::test]
async fn a_login_that_hangs_is_given_up() {
    for silent in ["challenge", "login"] {
        let silent = vec![silent.to_owned()];
        let why = why(Script {
            silent,
            ..Script::default()
        })
        .await;
        assert!(why.contains("in time"), "{why}");
    }
}

#[tokio::test]
async fn what_does_not_greet_as_asterisk_is_left_alone() {
    let long = [b"Asterisk Call Manager/".as_slice(), &[b'1'; 1_000_000]].concat();
    for greeting in [
        b"".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        vec![0; 10_000_000],
        long,
    ] {
        let ami = Ami::play([Script {
            greeting,
            ..Script::default()
        }])
        .unwrap();
        let (_link, mut heard) = connect(&ami, impatient());
        let Heard::Down { why } = next(&mut heard).await else {
            panic!("it is up");
        };
        assert!(why.contains("does not greet"), "{why}");
        assert!(ami.asked().is_empty(), "{:?}", ami.asked());
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_told_with_the_address() {
    let ami = Ami::play([Script::default()]).unwrap();
    let nobody = settings(&ami);
    drop(ami);
    let (_link, mut heard) = connect_timed(nobody.clone(), hasty());
    let Heard::Down { why } = next(&mut heard).await else {
        panic!("it is up");
    };
    assert!(why.contains(&nobody.address), "{why}");
}

#[tokio::test]
async fn an_asterisk_that_no_longer_answers_is_dead() {
    let silent = vec!["ping".to_owned()];
    let first = Script {
        silent,
        ..Script::default()
    };
    let ami = Ami::play([first, Script::default()]).unwrap();
    let timing = Timing {
        ping: Duration::from_millis(50),
        ..impatient()
    };
    let (_link, mut heard) = connect(&ami, timing);
    until(&mut heard, is_up).await;
    let all = until(&mut heard, is_up).await;
    let [Heard::Down { why }, _] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert!(why.contains("does not answer"), "{why}");
    // The second answers its pings, and stays.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(heard.try_recv().is_err());
    assert_eq!(ami.connections(), 2);
}

#[tokio::test]
async fn it_ends_when_nobody_needs_it() {
    let ami = Ami::play([Script::default()]).unwrap();
    let (link, mut heard) = connect(&ami, hasty());
    until(&mut heard, is_up).await;
    drop(heard);
    assert!(link.ask(Action::new("Ping")).await.is_ok(), "who only asks");
    let handles = tokio::runtime::Handle::current().metrics();
    assert_eq!(handles.num_alive_tasks(), 1);
    drop(link);
    let begun = Instant::now();
    while handles.num_alive_tasks() > 0 {
        assert!(begun.elapsed() < super::PATIENCE, "it goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
