//! The client of Asterisk's manager interface against a server that plays recordings of a real one. No test needs root, and
//! nothing leaves loopback.

mod flood;
mod hostile;
mod lists;
mod refused;
mod resume;

use std::path::PathBuf;
use std::time::Duration;

use ringfence::asterisk::ami::{
    Heard, Kind, Link, Message, Secret, Settings, Timing, connect_timed,
};
use ringfence_lab::asterisk::{Ami, Recording, Script};
use tokio::sync::mpsc::Receiver;

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A recording of the fixtures.
fn recording(folder: &str, name: &str) -> Recording {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk");
    Recording::load(&root.join(folder), name).unwrap()
}

/// The events of one, and the version of its Asterisk.
fn script(folder: &str, name: &str) -> Script {
    Script::of(&recording(folder, name)).answering(&recording("ami", "core-settings"))
}

/// Times that let a test go through many connections.
fn hasty() -> Timing {
    Timing {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
        ..Timing::default()
    }
}

fn settings(ami: &Ami) -> Settings {
    Settings {
        address: ami.address().to_string(),
        user: "fw".into(),
        secret: Secret::new("fw-secret-1"),
    }
}

fn connect(ami: &Ami, timing: Timing) -> (Link, Receiver<Heard>) {
    connect_timed(settings(ami), timing)
}

async fn next(heard: &mut Receiver<Heard>) -> Heard {
    let next = tokio::time::timeout(PATIENCE, heard.recv()).await;
    next.expect("nothing is heard").expect("the client ended")
}

/// What is heard up to the first that `last` accepts.
async fn until(heard: &mut Receiver<Heard>, last: impl Fn(&Heard) -> bool) -> Vec<Heard> {
    let mut all = Vec::new();
    loop {
        let next = next(heard).await;
        let end = last(&next);
        all.push(next);
        if end {
            return all;
        }
    }
}

fn is_up(heard: &Heard) -> bool {
    matches!(heard, Heard::Up { .. })
}

fn is_down(heard: &Heard) -> bool {
    matches!(heard, Heard::Down { .. })
}

/// The events among what was heard.
fn events(heard: &[Heard]) -> Vec<&Message> {
    fn event(heard: &Heard) -> Option<&Message> {
        match heard {
            Heard::Event(message) => Some(message),
            _ => None,
        }
    }
    heard.iter().filter_map(event).collect()
}

/// The events of a stream that somebody has use for.
fn expected(stream: &[u8]) -> Vec<Message> {
    const NOT: [&str; 7] = [
        "AGIExecEnd",
        "AGIExecStart",
        "DeviceStateChange",
        "Newexten",
        "RTCPSent",
        "SoftHangupRequest",
        "VarSet",
    ];
    let text = String::from_utf8_lossy(stream).into_owned();
    let blocks = text.split("\r\n\r\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| Message::from_lines(block.lines()))
        .filter(|message| matches!(message.kind(), Kind::Event(event) if !NOT.contains(&event)))
        .collect()
}
