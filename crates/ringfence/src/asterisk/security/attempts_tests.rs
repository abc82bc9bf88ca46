//! Bounds, repeats and the order in which several tell of one attempt.

use super::*;

fn sight(what: What, told: Told, source: &str, session: Option<&str>) -> Sight {
    Sight {
        what,
        told,
        source: source.parse().unwrap(),
        transport: None,
        local: None,
        account: None,
        session: session.map(str::to_owned),
        service: "PJSIP".into(),
    }
}

fn answer(text: &str) -> What {
    What::AnswerRefused(Some(Proof::of(text)))
}

const A: &str = "203.0.113.7:5060";

#[test]
fn an_answer_counts_once_however_often_it_comes() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut see = |what| {
        let finding = attempts.see(&sight(what, Told::Event, A, Some("s")), now);
        finding.map(|f| f.counts_as)
    };
    assert_eq!(see(answer("1")), Some(CountsAs::Failure));
    assert_eq!(see(answer("1")), None);
    assert_eq!(see(answer("2")), Some(CountsAs::Failure));
    assert_eq!(see(answer("1")), None);
}

#[test]
fn notice_and_event_of_one_attempt_count_once_whichever_comes_first() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut order = |tellers: &[Told], session| {
        let findings = tellers.iter().enumerate().filter_map(|(n, told)| {
            let what = answer(&n.to_string());
            attempts.see(&sight(what, *told, A, Some(session)), now)
        });
        findings.count()
    };
    use Told::{Event, Notice};
    assert_eq!(order(&[Notice, Event, Notice, Event], "a"), 2);
    assert_eq!(order(&[Event, Event, Notice, Notice], "b"), 2);
    assert_eq!(order(&[Notice, Notice, Notice, Event], "c"), 3);
    assert_eq!(order(&[Event, Notice, Notice], "d"), 2);
}

#[test]
fn a_challenge_counts_for_nothing_and_names_the_account_of_what_follows() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut challenged = sight(What::Challenged, Told::Event, A, Some("s"));
    challenged.account = Some("1006".into());
    assert_eq!(attempts.see(&challenged, now), None);
    let refused = sight(What::AnswerRefused(None), Told::Notice, A, Some("s"));
    let failure = attempts.see(&refused, now).unwrap();
    assert_eq!(failure.account.as_deref(), Some("1006"));
    assert_eq!(attempts.finish(), []);
}

#[test]
fn a_probe_settles_unless_credentials_follow() {
    let (mut attempts, start) = (Attempts::default(), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    let unknown = |session| sight(What::UnknownAccount, Told::Event, A, Some(session));
    for session in ["a", "b", "a", "c"] {
        assert_eq!(attempts.see(&unknown(session), start), None);
    }
    assert_eq!(attempts.settled(after(4)), []);
    let failed = sight(answer("1"), Told::Event, A, Some("b"));
    let failure = attempts.see(&failed, after(4)).unwrap();
    assert_eq!(failure.counts_as, CountsAs::Failure);
    let accepted = sight(What::Accepted { password: true }, Told::Event, A, Some("c"));
    assert!(attempts.see(&accepted, after(4)).is_some());
    let settled = attempts.settled(after(5));
    assert_eq!(settled.len(), 1, "{settled:?}");
    assert_eq!(settled[0].counts_as, CountsAs::Probe);
    assert_eq!(settled[0].session.as_deref(), Some("a"));
    assert_eq!(attempts.see(&unknown("a"), after(6)), None);
    assert_eq!(attempts.settled(after(20)), [], "once a session");
}

#[test]
fn another_sender_with_the_same_session_is_another_attempt() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    for source in [A, "203.0.113.8:5060"] {
        let finding = attempts.see(&sight(answer("1"), Told::Event, source, Some("s")), now);
        assert_eq!(finding.unwrap().source.to_string(), source);
    }
}

#[test]
fn behind_an_access_list_each_further_answer_is_refused_once() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut see = |what| {
        let finding = attempts.see(&sight(what, Told::Event, A, Some("s")), now);
        finding.map(|f| f.counts_as)
    };
    assert_eq!(see(What::AccessList), Some(CountsAs::Refused));
    assert_eq!(see(What::AccessList), None);
    assert_eq!(see(answer("1")), None, "the same attempt");
    assert_eq!(see(answer("1")), None);
    assert_eq!(see(answer("2")), Some(CountsAs::Refused));
}

#[test]
fn a_flood_of_sessions_holds_no_more_memory_and_loses_no_probe() {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut probes = 0;
    for n in 0..3 * SESSIONS {
        let session = n.to_string();
        let unknown = sight(What::UnknownAccount, Told::Event, A, Some(&session));
        assert_eq!(attempts.see(&unknown, now), None);
        assert!(attempts.sessions.len() <= SESSIONS && attempts.order.len() <= SESSIONS);
        assert!(attempts.waiting.len() <= SESSIONS);
        if n % 100 == 0 {
            probes += attempts.settled(now).len();
        }
    }
    probes += attempts.settled(now + SETTLES).len();
    assert_eq!(probes, 3 * SESSIONS);
    assert!(attempts.waiting.is_empty());
    attempts.settled(now + HELD);
    assert!(attempts.sessions.is_empty() && attempts.order.is_empty());
}
