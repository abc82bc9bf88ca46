//! The dial plan asks about a caller.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ringfence_lab::{Lab, needs_root};

use crate::{guard, policy, said, until};

/// Asks as Asterisk does, for the channel's own address; what was set.
fn ask(lab: &Lab, address: &str) -> Option<Vec<String>> {
    let server: SocketAddr = "127.0.0.1:4573".parse().unwrap();
    let block = "agi_network: yes\nagi_network_script: lookup\nagi_request: agi://127.0.0.1/lookup\n\
                 agi_channel: PJSIP/1001-00000001\nagi_language: en\nagi_type: PJSIP\nagi_uniqueid: 1.1\n\
                 agi_version: 22.10.1\nagi_callerid: 1001\nagi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 1\n\n";
    lab.pbx
        .inside(|| {
            let stream = TcpStream::connect_timeout(&server, Duration::from_secs(1)).ok()?;
            stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            (&stream).write_all(block.as_bytes()).ok()?;
            let (mut set, mut lines) = (Vec::new(), BufReader::new(&stream).lines());
            while let Some(Ok(line)) = lines.next() {
                let answer = if let Some(variable) = line.strip_prefix("GET FULL VARIABLE ") {
                    // What stands before the function comes back with its value.
                    let variable = variable.trim_matches('"');
                    let (mark, function) = variable.split_once("${").unwrap_or((variable, ""));
                    let value = if function.starts_with("CHANNEL(pjsip,remote_addr)") {
                        address
                    } else {
                        ""
                    };
                    format!("200 result=1 ({mark}{value})\n")
                } else {
                    set.push(line);
                    "200 result=1\n".to_owned()
                };
                (&stream).write_all(answer.as_bytes()).ok()?;
            }
            Some(set)
        })
        .unwrap()
}

#[test]
fn strangers_are_told_from_those_who_may_call() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = guard(&lab, &policy("[agi]\n"));
    let has = |set: &[String], words: &str| set.iter().any(|line| line.contains(words));
    until(&fence, "the dial plan is answered", || {
        ask(&lab, "198.51.100.11:5066").is_some_and(|set| has(&set, "RINGFENCE_VERDICT \"ok\""))
    });
    let begun = Instant::now();
    let phone = ask(&lab, "198.51.100.11:5066").unwrap();
    eprintln!("one question took {:?}", begun.elapsed());
    assert!(has(&phone, "STRANGER \"false\""), "{phone:?}");
    assert!(has(&phone, "RINGFENCE_COUNTRY \"GB\""), "{phone:?}");
    assert!(
        has(&phone, "RINGFENCE_COUNTRY_NAME \"United Kingdom\""),
        "{phone:?}"
    );
    let stranger = ask(&lab, "203.0.113.200:5060").unwrap();
    assert!(
        has(&stranger, "RINGFENCE_VERDICT \"stranger\""),
        "{stranger:?}"
    );
    assert!(
        has(&stranger, "RINGFENCE_REASON \"country\""),
        "{stranger:?}"
    );
    assert!(has(&stranger, "STRANGER \"true\""), "{stranger:?}");
    // What is said by command holds at once.
    said(&fence, &["ban", "198.51.100.11"]);
    let banned = ask(&lab, "198.51.100.11:5066").unwrap();
    assert!(has(&banned, "RINGFENCE_REASON \"banned\""), "{banned:?}");
    let status = said(&fence, &["status"]);
    assert!(
        status.contains("the dial plan asked about callers"),
        "{status}"
    );
}
