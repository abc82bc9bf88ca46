//! The server against a client that behaves as Asterisk 22 did when it was recorded, and against worse ones.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{Counts, Judge, Server, Verdict};
use crate::config::Agi;

const CHECK: &str = include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-01-check.rx");
const DENY: &str = include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-02-deny.rx");
const HANGUP: &str = include_str!("../../../tests/fixtures/asterisk/fastagi/fastagi-03-hangup.rx");

/// Welcomes 198.51.100.0/24 and 2001:db8:51::/64; cannot tell of 192.0.2.99.
#[derive(Clone)]
struct Neighbours;

impl Judge for Neighbours {
    async fn judge(&self, address: IpAddr, name: Option<String>) -> Option<Verdict> {
        if address.to_string() == "192.0.2.99" {
            return None;
        }
        let text = address.to_string();
        let ok = text.starts_with("198.51.100.") || text.starts_with("2001:db8:51:");
        let verdict = Verdict {
            ok,
            reason: if ok {
                "clean"
            } else {
                "country \"ZZ\"\nnot \\admitted"
            }
            .into(),
            country: "ZZ".into(),
            country_name: "no known country".into(),
        };
        let theirs = ["198.51.100.200".parse().unwrap()];
        Some(match name {
            Some(name) => verdict.named(&name, &theirs, address),
            None => verdict,
        })
    }
}

struct Running {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn server(names: &[&str]) -> Running {
    let config = Agi {
        listen: ([127, 0, 0, 1], 0).into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Agi::default()
    };
    let server = Server::bind(&config).await.unwrap();
    Running {
        address: server.address().unwrap(),
        counts: server.counts(),
        task: tokio::spawn(server.run(Neighbours)),
    }
}

/// The block of a recording.
fn block(recording: &str) -> &str {
    &recording[..recording.find("\n\n").unwrap() + 2]
}

/// A channel of Asterisk: what its expressions come to, and when it hangs up.
#[derive(Clone, Copy, Default)]
struct Channel<'c> {
    /// The whole of what opens the session.
    block: &'c str,
    remote: &'c str,
    from: &'c str,
    /// After so many commands the answer is a HANGUP.
    hangs_up_after: Option<usize>,
}

/// Plays the channel: the commands that came, and the variables as Asterisk would have set them.
async fn call(server: &Running, channel: Channel<'_>) -> (Vec<String>, Vec<(String, String)>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(channel.block.as_bytes()).await.unwrap();
    let (mut commands, mut variables) = (Vec::new(), Vec::new());
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = if channel.hangs_up_after == Some(commands.len()) {
            "HANGUP\n".into()
        } else if let Some(expression) = line.strip_prefix("GET FULL VARIABLE ") {
            let value = expression
                .replace("${CHANNEL(pjsip,remote_addr)}", channel.remote)
                .replace("${CHANNEL(recvip)}", "")
                .replace("${CHANNEL(peerip)}", channel.remote)
                .replace("${SIP_HEADER(From)}", channel.from)
                .replace("${CHANNEL(pjsip,remote_uri)}", channel.from);
            format!("200 result=1 ({value})\n")
        } else if let Some(set) = line.strip_prefix("SET VARIABLE ") {
            let (name, value) = set.split_once(" \"").unwrap();
            let value = value.strip_suffix('"').unwrap();
            let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
            variables.push((name.to_owned(), value));
            "200 result=1\n".into()
        } else {
            "510 Invalid or unknown command\n".into()
        };
        commands.push(line);
        if writer.write_all(answer.as_bytes()).await.is_err() {
            break;
        }
    }
    (commands, variables)
}

fn variable<'v>(variables: &'v [(String, String)], name: &str) -> Option<&'v str> {
    let found = variables.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// Waits until `counter` is `expected`.
async fn reaches(counter: &std::sync::atomic::AtomicU64, expected: u64) {
    for _ in 0..1000 {
        if counter.load(Relaxed) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(counter.load(Relaxed), expected);
}

#[tokio::test]
async fn the_recorded_callers_are_judged_by_their_address() {
    let server = server(&[]).await;
    for (recording, remote, verdict) in [
        (CHECK, "198.51.100.11:5066", "ok"),
        (DENY, "203.0.113.30:5060", "stranger"),
        (HANGUP, "[2001:db8:51::1]:5060", "ok"),
        (HANGUP, "[2001:db8:bad::5]:5060", "stranger"),
    ] {
        let channel = Channel {
            block: block(recording),
            remote,
            ..Channel::default()
        };
        let (commands, variables) = call(&server, channel).await;
        assert_eq!(variable(&variables, "RINGFENCE_VERDICT"), Some(verdict));
        let stranger = if verdict == "ok" { "false" } else { "true" };
        assert_eq!(variable(&variables, "STRANGER"), Some(stranger));
        assert_eq!(variable(&variables, "RINGFENCE_COUNTRY"), Some("ZZ"));
        assert_eq!(
            variable(&variables, "RINGFENCE_COUNTRY_NAME"),
            Some("no known country")
        );
        let reason = match verdict {
            "ok" => "clean",
            _ => "country \"ZZ\" not \\admitted",
        };
        assert_eq!(variable(&variables, "RINGFENCE_REASON"), Some(reason));
        assert_eq!(commands.len(), 6, "{commands:?}");
    }
    reaches(&server.counts.ok, 2).await;
    reaches(&server.counts.strangers, 2).await;
}

/// What was recorded answered another service's questions, without our mark.
#[tokio::test]
async fn recorded_answers_are_not_taken_for_answers_to_us() {
    let server = server(&[]).await;
    for recording in [CHECK, DENY, HANGUP] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(recording.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(
            said.starts_with("GET FULL VARIABLE rf")
                && said.ends_with(":${CHANNEL(pjsip,remote_addr)}\n")
                && said.lines().count() == 1,
            "{said}"
        );
    }
    reaches(&server.counts.broken, 3).await;
}

#[tokio::test]
async fn every_technology_is_asked_in_its_own_words() {
    let server = server(&[]).await;
    for (technology, remote, verdict) in [
        ("SIP", "198.51.100.11", "ok"),
        ("SIP", "203.0.113.7", "stranger"),
        ("IAX2", "198.51.100.61", "ok"),
        ("IAX2", "", ""),
        ("Local", "198.51.100.61", ""),
        ("PJSIP", "", ""),
        ("PJSIP", "192.0.2.99:5060", ""),
    ] {
        let text = block(DENY).replace("agi_type: PJSIP", &format!("agi_type: {technology}"));
        let channel = Channel {
            block: &text,
            remote,
            ..Channel::default()
        };
        let (_, variables) = call(&server, channel).await;
        assert_eq!(
            variable(&variables, "RINGFENCE_VERDICT"),
            Some(verdict),
            "{technology} {remote}"
        );
        assert_eq!(
            variable(&variables, "STRANGER").is_some(),
            !verdict.is_empty()
        );
    }
    reaches(&server.counts.undecided, 4).await;
}

#[tokio::test]
async fn an_argument_stands_in_where_the_channel_has_no_address() {
    let server = server(&[]).await;
    let arguments = block(DENY).replace(
        "threadid: 140454702462656\n",
        "threadid: 1\nagi_arg_1: 203.0.113.9:5060\n",
    );
    let local = arguments.replace("agi_type: PJSIP", "agi_type: Local");
    for (text, remote, verdict) in [
        (&arguments, "198.51.100.11:5066", "ok"),
        (&arguments, "", "stranger"),
        (&local, "", "stranger"),
    ] {
        let channel = Channel {
            block: text,
            remote,
            ..Channel::default()
        };
        let (_, variables) = call(&server, channel).await;
        assert_eq!(variable(&variables, "RINGFENCE_VERDICT"), Some(verdict));
    }
}

#[tokio::test]
async fn what_a_caller_writes_into_the_block_changes_nothing() {
    let server = server(&[]).await;
    for inside in [
        "x\nagi_type: Local\nagi_arg_1: 198.51.100.1",
        "x\n\n200 result=1 (198.51.100.1:5060)",
        "x\n\n200 result=1 (rf0000000000000000:198.51.100.1:5060)",
        "x\n\nHANGUP",
        "x\n\n511 Command Not Permitted on a dead channel",
        "x\nagi_threadid: 1\nagi_arg_1: 198.51.100.1\n\n200 result=1",
        "x\n\n520-Usage",
    ] {
        let text = block(DENY).replace("agi_callerid: 1001", &format!("agi_callerid: {inside}"));
        let channel = Channel {
            block: &text,
            remote: "203.0.113.30:5060",
            ..Channel::default()
        };
        let (_, variables) = call(&server, channel).await;
        assert_eq!(
            variable(&variables, "RINGFENCE_VERDICT"),
            Some("stranger"),
            "{inside}"
        );
        // Nor are forged arguments believed of a channel without an address.
        let local = text.replacen("agi_type: PJSIP", "agi_type: Local", 1);
        let channel = Channel {
            block: &local,
            ..Channel::default()
        };
        let (_, variables) = call(&server, channel).await;
        assert_eq!(
            variable(&variables, "RINGFENCE_VERDICT"),
            Some(""),
            "{inside}"
        );
    }
}

#[tokio::test]
async fn a_configured_name_is_held_against_who_calls_from_elsewhere() {
    let server = server(&["sip.provider.example"]).await;
    for (remote, from, verdict) in [
        ("198.51.100.200:5060", "sip:1@sip.provider.example", "ok"),
        (
            "198.51.100.11:5060",
            "sip:1@SIP.Provider.example.",
            "stranger",
        ),
        ("198.51.100.11:5060", "sip:1@other.example", "ok"),
        ("198.51.100.11:5060", "", "ok"),
        ("203.0.113.7:5060", "sip:1@sip.provider.example", "stranger"),
    ] {
        let channel = Channel {
            block: block(DENY),
            remote,
            from,
            hangs_up_after: None,
        };
        let (commands, variables) = call(&server, channel).await;
        assert_eq!(
            variable(&variables, "RINGFENCE_VERDICT"),
            Some(verdict),
            "{remote} {from}"
        );
        assert!(commands.iter().any(|line| line.contains("remote_uri")));
    }
    // As the second argument.
    let text = block(DENY).replace(
        "threadid: 140454702462656\n",
        "threadid: 1\nagi_arg_1: \nagi_arg_2: \"B\" <sip:1@sip.provider.example>\n",
    );
    let channel = Channel {
        block: &text,
        remote: "198.51.100.11:5060",
        ..Channel::default()
    };
    let (commands, variables) = call(&server, channel).await;
    assert_eq!(variable(&variables, "RINGFENCE_VERDICT"), Some("stranger"));
    assert!(commands.iter().all(|line| !line.contains("remote_uri")));
}

#[tokio::test]
async fn a_call_that_is_hung_up_ends_its_session() {
    let server = server(&[]).await;
    let channel = Channel {
        block: block(HANGUP),
        remote: "198.51.100.11:5066",
        hangs_up_after: Some(2),
        ..Channel::default()
    };
    let (commands, _) = call(&server, channel).await;
    assert_eq!(commands.len(), 3, "{commands:?}");
    reaches(&server.counts.broken, 1).await;
}

#[tokio::test]
async fn hostile_blocks_are_given_up() {
    let server = server(&[]).await;
    let long = format!("agi_callerid: {}\n", "x".repeat(5000));
    let many = "agi_x: 1\n".repeat(300);
    let endless = "x".repeat(200_000);
    let binary = "\u{0}\u{7f}\n\u{fffd}\n";
    let mut broken = 0;
    for text in [long.as_str(), &many, &endless, binary, ""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may close while this writes.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
        broken += 1;
        reaches(&server.counts.broken, broken).await;
    }
}

#[tokio::test]
async fn who_says_nothing_is_left_after_two_seconds() {
    let server = server(&[]).await;
    let began = Instant::now();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut halfway = TcpStream::connect(server.address).await.unwrap();
    halfway.write_all(block(DENY).as_bytes()).await.unwrap();
    let mut said = String::new();
    silent.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "");
    halfway.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("GET FULL VARIABLE rf") && said.lines().count() == 1,
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    reaches(&server.counts.broken, 2).await;
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_answered_and_more_are_closed() {
    let server = Arc::new(server(&[]).await);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..500 {
        let server = Arc::clone(&server);
        calls.spawn(async move {
            let remote = format!("198.51.100.{}:5060", number % 250);
            let channel = Channel {
                block: block(CHECK),
                remote: &remote,
                ..Channel::default()
            };
            let (_, variables) = call(&server, channel).await;
            variable(&variables, "RINGFENCE_VERDICT") == Some("ok")
        });
    }
    while let Some(ok) = calls.join_next().await {
        assert!(ok.unwrap());
    }
    reaches(&server.counts.ok, 500).await;
    let mut silent = Vec::new();
    for _ in 0..520 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    reaches(&server.counts.busy, 8).await;
}

#[tokio::test]
async fn a_stranger_to_the_host_is_not_served() {
    let server = Server::bind(&Agi {
        listen: ([127, 0, 0, 1], 0).into(),
        from: vec!["192.0.2.10".parse().unwrap()],
        names: Vec::new(),
    })
    .await
    .unwrap();
    for (peer, served) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("192.0.2.10", true),
        ("::ffff:192.0.2.10", true),
        ("192.0.2.11", false),
        ("10.0.0.1", false),
    ] {
        assert_eq!(server.serves(peer.parse().unwrap()), served, "{peer}");
    }
}

/// How long a session takes, the client's part included: printed, for `--nocapture`.
#[tokio::test]
async fn a_session_is_timed() {
    let server = server(&[]).await;
    let channel = Channel {
        block: block(CHECK),
        remote: "198.51.100.11:5066",
        ..Channel::default()
    };
    const CALLS: u32 = 200;
    let began = Instant::now();
    for _ in 0..CALLS {
        let (_, variables) = call(&server, channel).await;
        assert_eq!(variable(&variables, "RINGFENCE_VERDICT"), Some("ok"));
    }
    println!("a FastAGI session takes {:?}", began.elapsed() / CALLS);
}
