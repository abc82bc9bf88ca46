//! Connections that end: at every byte, with half events, with Asterisk itself.

use ringfence_lab::asterisk::{After, Ami, Script};
use tokio::task::JoinSet;

use super::{connect, events, expected, hasty, is_down, is_up, next, script, until};
use ringfence::asterisk::ami::Heard;

/// One that ends behind its events.
fn closing(folder: &str, name: &str) -> Script {
    Script {
        after: After::Close,
        ..script(folder, name)
    }
}

/// Cuts the first connection after `cut` bytes, written in pieces, and holds what is heard against the recording. Gives whether the
/// connection was cut before its end.
async fn cut(script: Script, cut: usize) -> bool {
    let first = Script {
        cut: Some(cut),
        piece: [usize::MAX, 1, 7][cut % 3],
        ..script.clone()
    };
    let wanted = expected(&script.events);
    let ami = Ami::play([first, script]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    let (mut all, mut ends) = (Vec::new(), 0);
    while events(&all).len() < wanted.len() {
        let one = next(&mut heard).await;
        ends += usize::from(is_down(&one) && !events(&all).is_empty());
        all.push(one);
    }
    assert_eq!(
        events(&all),
        wanted.iter().collect::<Vec<_>>(),
        "cut at {cut}"
    );
    // Up and down by turns, and nothing is heard before the first time that it is up.
    let turns: Vec<_> = all.iter().filter(|h| is_up(h) || is_down(h)).collect();
    assert!(
        turns.windows(2).all(|two| is_up(two[0]) || is_up(two[1])),
        "cut at {cut}: {turns:?}"
    );
    let first = all.iter().position(is_up);
    assert!(events(&all[..first.unwrap()]).is_empty(), "cut at {cut}");
    ends > 0 || ami.connections() > 1
}

#[tokio::test]
async fn cut_at_every_byte_nothing_is_lost_and_nothing_comes_twice() {
    for (folder, name) in [
        ("events", "05-register-unknown-account"),
        ("events", "37-iax2-peer-lost"),
        ("ami", "reload-then-shutdown"),
    ] {
        let script = closing(folder, name);
        // The greeting and the answers to the login come before.
        let most = script.events.len() + 1200;
        let (mut running, mut cuts) = (JoinSet::new(), 0);
        for at in 0..most {
            running.spawn(cut(script.clone(), at));
            if running.len() >= 32 {
                cuts += usize::from(running.join_next().await.unwrap().unwrap());
            }
        }
        while let Some(done) = running.join_next().await {
            cuts += usize::from(done.unwrap());
        }
        assert!(
            cuts > script.events.len(),
            "{name}: {cuts} of {most} were cut"
        );
    }
}

#[tokio::test]
async fn asterisk_restarts_and_each_change_is_told_once() {
    let first = closing("ami", "reload-then-shutdown");
    let again = Script {
        events: Vec::new(),
        after: After::Stay,
        ..first.clone()
    };
    // While Asterisk starts there is nobody who greets.
    let starting = Script {
        greeting: b"no\r\n".to_vec(),
        ..first.clone()
    };
    let ami = Ami::play([first, starting.clone(), starting.clone(), starting, again]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    let before = until(&mut heard, is_down).await;
    let version = Heard::Up {
        version: "22.10.1".into(),
    };
    assert_eq!(before.first(), Some(&version));
    let last = events(&before).last().and_then(|event| event.event());
    assert_eq!(last, Some("Shutdown"));
    let why = "Asterisk shut down".to_owned();
    assert_eq!(before.last(), Some(&Heard::Down { why }));
    let after = until(&mut heard, is_up).await;
    assert_eq!(after.len(), 2, "the reason changed once: {after:?}");
    assert_eq!(ami.connections(), 5);
}

#[tokio::test]
async fn an_end_without_shutdown_is_not_called_one() {
    let forged = "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\nSessionID: 1\r\n\
                  LocalAddress: IPV4/UDP/192.0.2.10/5060\r\nRemoteAddress: IPV4/UDP/203.0.113.9/5060\r\n\r\n";
    let mut script = closing("events", "05-register-unknown-account");
    script.events.extend_from_slice(forged.as_bytes());
    let ami = Ami::play([script]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    let all = until(&mut heard, is_down).await;
    let why = "Asterisk closed the connection".to_owned();
    assert_eq!(all.last(), Some(&Heard::Down { why }));
    let source = "203.0.113.9:5060".parse().ok();
    assert!(all.contains(&Heard::Forged { source }), "{all:?}");
}
