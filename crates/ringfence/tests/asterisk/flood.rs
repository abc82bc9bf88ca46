//! Ten thousand events a second, and readers that are slow.

use std::time::Duration;

use ringfence::asterisk::ami::Heard;
use ringfence_lab::asterisk::{Ami, Script};

use super::{connect, hasty, is_up, next, until};

/// Events of a flood, in bytes as Asterisk sends them; one in three is of no use.
fn flood(count: usize) -> Vec<u8> {
    let mut events = String::new();
    for number in 0..count {
        if number % 3 == 0 {
            events.push_str(
                "Event: RTCPSent\r\nPrivilege: reporting,all\r\nFrom: 192.0.2.10\r\n\r\n",
            );
        }
        events.push_str(&format!(
            "Event: InvalidAccountID\r\nPrivilege: security,all\r\nSeverity: Error\r\nService: PJSIP\r\nEventVersion: 1\r\n\
             AccountID: {number}\r\nSessionID: s\r\nLocalAddress: IPV4/UDP/192.0.2.10/5060\r\n\
             RemoteAddress: IPV4/UDP/203.0.113.7/5060\r\n\r\n"
        ));
    }
    events.into_bytes()
}

/// Hears a flood out; after each hundred events the reader pauses for so long. Gives the most that waited for it.
async fn hear(count: usize, script: Script, pause: Duration) -> usize {
    let ami = Ami::play([Script {
        events: flood(count),
        ..script
    }])
    .unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    until(&mut heard, is_up).await;
    let mut most = 0;
    for number in 0..count {
        if number % 100 == 0 && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        most = most.max(heard.len());
        let Heard::Event(event) = next(&mut heard).await else {
            panic!("not an event");
        };
        assert_eq!(event.get("AccountID"), Some(number.to_string().as_str()));
    }
    assert_eq!(ami.connections(), 1);
    most
}

#[tokio::test]
async fn ten_thousand_events_a_second_are_all_heard_in_their_order() {
    let script = Script {
        pause: Duration::from_millis(8),
        ..Script::default()
    };
    hear(40_000, script, Duration::ZERO).await;
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_and_little_waits_for_it() {
    let most = hear(40_000, Script::default(), Duration::from_millis(5)).await;
    // The rest stays in the socket.
    assert!((101..=4096).contains(&most), "{most}");
}
