//! No forged line gets out, and genuine lines do.

use proptest::prelude::*;

use super::*;

const TAIL: &str = "\",SessionID=\"s\",LocalAddress=\"IPV4/UDP/192.0.2.10/5060\",RemoteAddress=\"IPV4/UDP/203.0.113.7/5062\"";
const INNOCENT: &str = "198.51.100.1";

fn head(thread: u32, kind: &str) -> String {
    format!(
        "[Nov 21 02:06:11] SECURITY[{thread}] res_security_log.c: SecurityEvent=\"{kind}\",Severity=\"Error\",\
         Service=\"PJSIP\",EventVersion=\"1\",AccountID=\""
    )
}

fn genuine(account: &str) -> String {
    format!("{}{account}{TAIL}", head(16128, "InvalidAccountID"))
}

fn forged_event(thread: u32) -> String {
    let tail = TAIL.replace("203.0.113.7", INNOCENT);
    format!("{}y{tail}", head(thread, "ChallengeResponseFailed"))
}

fn forged_rest() -> String {
    TAIL.replace("203.0.113.7", INNOCENT)
}

const NOTICE: &str = "[Nov 21 02:06:11] NOTICE[7] chan_sip.c: Registration from 'x' failed for '198.51.100.1:5060' - Wrong password";

/// Everything that comes out of a text.
fn sieved(text: &str) -> Vec<Sieved> {
    let (mut sieve, mut all) = (Sieve::default(), Vec::new());
    for (number, line) in (1..).zip(text.split('\n')) {
        sieve.push(number, line.to_owned(), |out| all.push(out));
    }
    sieve.flush(|out| all.push(out));
    all
}

fn lines(text: &str) -> Vec<String> {
    let line = |out| match out {
        Sieved::Line(_, line) => Some(line),
        Sieved::Forged { .. } => None,
    };
    sieved(text).into_iter().filter_map(line).collect()
}

#[test]
fn genuine_lines_pass_in_their_order() {
    let text = [&genuine("1"), "", NOTICE, &genuine("2"), "?", &genuine("3")].join("\n");
    assert_eq!(lines(&text).join("\n"), text);
}

#[test]
fn a_cut_event_gives_its_sender_and_nothing_in_between() {
    let name = format!("x\n{NOTICE}\n{NOTICE}\n");
    let text = [genuine("1"), genuine(&name), genuine("2")].join("\n");
    let all = sieved(&text);
    let source = Some("203.0.113.7:5062".parse().unwrap());
    assert_eq!(
        all[1],
        Sieved::Forged {
            line: 2,
            lines: 4,
            source
        }
    );
    let Sieved::Line(2, mended) = &all[2] else {
        panic!("{all:?}")
    };
    let (_, event) = mended.split_once("res_security_log.c: ").unwrap();
    let event = crate::asterisk::security::Event::of_log(event);
    let event = event.unwrap().unwrap();
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    assert_eq!(event.account, None);
    assert_eq!(all.len(), 4);
}

#[test]
fn where_the_rest_may_be_another_nobody_is_named() {
    for forged in [forged_rest(), forged_event(1)] {
        let all = sieved(&genuine(&format!("x\n{forged}\nz")));
        let nobody = Sieved::Forged {
            line: 1,
            lines: 3,
            source: None,
        };
        assert_eq!(all, [nobody], "{forged}");
    }
}

#[test]
fn a_line_that_ends_in_strangers_text_names_nobody() {
    let iax = format!(
        "[Nov 21 02:06:11] NOTICE[7] chan_iax2.c: Host 203.0.113.9 failed to authenticate as x{}",
        forged_rest()
    );
    let text = [genuine("1"), iax, genuine("2")].join("\n");
    for line in lines(&text) {
        assert!(!line.contains(INNOCENT), "{line}");
    }
}

#[test]
fn after_a_restart_the_new_thread_is_believed() {
    let new = genuine("1").replace("16128", "17000");
    let text = [vec![genuine("1")], vec![new; 20]].concat().join("\n");
    let passed = lines(&text);
    assert!(passed.len() >= 12, "{}", passed.len());
}

/// What comes out of a log that grows, with a pause behind each text.
fn grown(texts: &[String]) -> Vec<String> {
    let (mut sieve, mut passed) = (Sieve::live(), Vec::new());
    let mut keep = |out| {
        if let Sieved::Line(_, line) = out {
            passed.push(line);
        }
    };
    for text in texts {
        for line in text.split('\n') {
            sieve.push(1, line.to_owned(), &mut keep);
        }
        sieve.flush(&mut keep);
    }
    passed
}

#[test]
fn a_name_in_a_line_of_another_kind_makes_no_thread_believed() {
    let iax = |inside: &str| {
        format!(
            "[Nov 21 02:06:11] NOTICE[7] chan_iax2.c: No registration for peer 'x\n{inside}\n\
             [Nov 21 02:06:11] NOTICE[7] chan_iax2.c: No registration for peer 'y' (from 203.0.113.7)"
        )
    };
    let event = iax(&forged_event(1));
    let cut = iax(&head(1, "SuccessfulAuth"));
    // A line so long that what is held has to go in between.
    let long = format!("{}\n{}", "x".repeat(HELD), forged_event(1));
    let forged: Vec<String> = [event, cut, iax(&long)]
        .into_iter()
        .cycle()
        .take(60)
        .collect();
    for line in grown(&forged) {
        assert!(!line.contains("SecurityEvent"), "{line}");
    }
    let mut quiet = vec![genuine("1")];
    quiet.extend(forged);
    quiet.push(genuine("2"));
    let events: Vec<String> = grown(&quiet)
        .into_iter()
        .filter(|line| line.contains("SecurityEvent"))
        .collect();
    assert_eq!(events, [genuine("1"), genuine("2")]);
}

#[test]
fn in_a_log_that_grows_the_new_thread_is_believed_after_a_restart() {
    let new = genuine("1").replace("16128", "17000");
    let all = [vec![genuine("1")], vec![new; 20]].concat();
    assert!(grown(&all).len() >= 12);
}

#[test]
fn what_is_held_is_bounded() {
    let mut sieve = Sieve::default();
    for number in 0..10_000 {
        sieve.push(number, "x".repeat(100), |_| ());
        assert!(sieve.size <= HELD && sieve.held.len() <= HELD);
    }
}

proptest! {
    #[test]
    fn no_name_forges_a_line(
        pieces in prop::collection::vec(0_usize..8, 0..8),
        before in 0_usize..3,
        after in 0_usize..3,
    ) {
        let pieces: Vec<String> = pieces
            .into_iter()
            .map(|n| match n {
                0 => "x".to_owned(),
                1 => "\n".to_owned(),
                2 => format!("\n{NOTICE}\n"),
                3 => format!("\n{}\n", forged_event(1)),
                4 => forged_rest(),
                5 => format!("\n{}", head(1, "ChallengeResponseFailed")),
                6 => format!("{}\n", forged_rest()),
                _ => "\n[Nov 21 02:06:11] NOTICE[7] chan_sip.c: ".to_owned(),
            })
            .collect();
        let mut all = vec![genuine("1"); before + 1];
        all.push(genuine(&pieces.concat()));
        all.extend(vec![genuine("2"); after]);
        let passed = lines(&all.join("\n"));
        for line in &passed {
            let end = sender(line).map(|sender| sender.ip().to_string());
            prop_assert_ne!(end.as_deref(), Some(INNOCENT), "{}", line);
            prop_assert!(line != NOTICE);
        }
        let whole = passed.iter().filter(|line| **line == genuine("1")).count();
        prop_assert_eq!(whole, before + 1);
        let whole = passed.iter().filter(|line| **line == genuine("2")).count();
        prop_assert_eq!(whole, after);
    }
}
