//! Frames larger than a page, which the kernel has in pieces.

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use crate::{Both, POLICY, frames, privileged};

/// A frame that a report shows by its beginning.
struct Frame(Vec<u8>);

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(300)];
        write!(f, "{} bytes: {shown:02x?}", self.0.len())
    }
}

/// A frame with a message, its headers padded and its body filled up to some 60,000 bytes.
fn large() -> impl Strategy<Value = Frame> {
    let methods = prop_oneof![
        Just("REGISTER"),
        Just("INVITE"),
        Just("OPTIONS"),
        Just("BYE")
    ];
    let hosts = prop_oneof![Just("sip.example.com"), Just("192.0.2.10")];
    let agents = prop_oneof![Just("Yealink"), Just("friendly-scanner")];
    let port = prop_oneof![Just(5060u16), Just(5070), Just(9)];
    let sizes = (0usize..3000, prop_oneof![0usize..4000, 4000usize..60_000]);
    let shape = (any::<bool>(), 0..4);
    (methods, hosts, agents, port, 0u16..12, sizes, shape).prop_map(
        |(method, host, agent, port, n, (padding, body), (six, kind))| {
            let padded = format!("{agent}\r\nSubject: {}", "x".repeat(padding));
            let mut text = frames::request(method, host, "1001", &padded, n.into());
            text.truncate(text.len() - "Content-Length: 0\r\n\r\n".len());
            text.extend(format!("Content-Length: {body}\r\n\r\n").bytes());
            text.resize(text.len() + body, b'b');
            let ips: [IpAddr; 2] = if six {
                [
                    [0x2600, 0, 0, n, 0, 0, 0, 1].into(),
                    [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10].into(),
                ]
            } else {
                [[8, 8, 4, n as u8].into(), [192, 0, 2, 10].into()]
            };
            let (from, to) = (SocketAddr::new(ips[0], 5060), SocketAddr::new(ips[1], port));
            Frame(match kind {
                0 => frames::tcp(from, to, 99, 2, b""),
                1 => frames::tcp(from, to, 100, 0x18, &text),
                _ => frames::udp(from, to, &text),
            })
        },
    )
}

/// Judges generated frames on both, the kernel's first piece as long as `linear` says.
fn compare(cases: u32, linear: impl Strategy<Value = Option<u32>>) {
    let both = RefCell::new(Both::new(POLICY));
    let mut runner = TestRunner::new(Cases {
        cases,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Cases::default()
    });
    let generated = (large(), linear, 0u64..400);
    let ran = runner.run(&generated, |(Frame(frame), linear, wait)| {
        let linear = linear.map(|linear| linear.min(frame.len() as u32));
        let mut both = both.borrow_mut();
        both.wait(wait);
        both.judge_in_pieces(&frame, linear);
        Ok(())
    });
    ran.expect("both benches agree");
}

#[test]
fn frames_larger_than_a_page_get_the_same_verdict() {
    if privileged() {
        compare(600, Just(None));
    }
}

#[test]
fn a_first_piece_with_the_headers_is_enough() {
    if !privileged() {
        return;
    }
    let frame = frames::ip([8, 8, 8, 8].into(), [192, 0, 2, 10].into(), 17, &[0; 100]);
    let mut both = Both::new(POLICY);
    if both.kernel.run_in_pieces(&frame, 60).is_err() {
        println!("skipped: needs Linux 6.18, which divides frames as a test says");
        return;
    }
    compare(600, (74u32..4000).prop_map(Some));
}

#[test]
fn headers_may_lie_in_any_piece() {
    if !privileged() {
        return;
    }
    let frame = frames::ip([8, 8, 8, 8].into(), [192, 0, 2, 10].into(), 17, &[0; 100]);
    let mut both = Both::new(POLICY);
    if both.kernel.run_in_pieces(&frame, 60).is_err() {
        println!("skipped: needs Linux 6.18, which divides frames as a test says");
        return;
    }
    compare(300, (0u32..74).prop_map(Some));
}
