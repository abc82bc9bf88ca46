//! Names come and go, change and fail.

use super::*;

fn config(hosts: &str) -> Config {
    let text = format!("[[trunk]]\nname = \"provider\"\nhosts = [{hosts}]\n");
    Config::parse(&text, "ringfence.toml").unwrap()
}

fn answer(address: &str) -> Result<Answer, Error> {
    Ok(Answer {
        addresses: vec![address.parse().unwrap()],
        valid_for: Duration::from_secs(60),
        whole: true,
        left_out: 0,
    })
}

#[tokio::test]
async fn a_failure_is_told_and_changes_nothing() {
    let host = Question::sip("sip.provider.example");
    let mut resolved = Resolved::new();
    resolved.keep(&config("\"sip.provider.example\", \"192.0.2.0/24\""), &[]);
    assert_eq!(
        resolved.status().0,
        ["trunk sip.provider.example: being looked up"]
    );
    let first = (host.clone(), answer("198.51.100.1"));
    resolved.sender.send(first).unwrap();
    assert!(resolved.heard().await);
    let failed = Err(Error::Nothing(host.name.clone()));
    assert!(!resolved.note(&host, &failed));
    assert_eq!(resolved.trunks()[&host.name].len(), 1);
    let (lines, data, _) = resolved.status();
    assert!(
        lines[0].ends_with("it stays at 198.51.100.1"),
        "{}",
        lines[0]
    );
    assert!(data[0]["failure"].is_string());
    assert!(resolved.note(&host, &answer("198.51.100.2")));
    assert!(resolved.status().1[0]["failure"].is_null());
    resolved.keep(&config("\"192.0.2.0/24\""), &[]);
    assert!(!resolved.note(&host, &failed));
    assert!(resolved.status().0.is_empty() && resolved.failures.is_empty());
}

#[test]
fn changes_that_follow_each_other_are_put_in_force_together() {
    let mut resolved = Resolved::new();
    let least = Duration::ZERO;
    assert_eq!(resolved.settle(least), least);
    let second = resolved.settle(least);
    assert!(
        second > Duration::from_secs(4) && second <= APART,
        "{second:?}"
    );
    assert!(resolved.settle(least) <= second);
}

#[tokio::test]
async fn names_on_lists_are_told_with_their_list_and_come_back_after_a_restart() {
    let config = Config::parse("permit = [\"boss.example\"]", "r.toml").unwrap();
    let said = NameEntry {
        list: ListKind::Deny,
        name: "bad.example".to_owned(),
        comment: String::new(),
        added: jiff::Timestamp::UNIX_EPOCH,
        expires: None,
    };
    let mut resolved = Resolved::new();
    resolved.keep(&config, std::slice::from_ref(&said));
    resolved.note(&Question::host("boss.example"), &answer("198.51.100.1"));
    resolved.note(&Question::host("bad.example"), &answer("198.51.100.1"));
    let said_of = std::slice::from_ref(&said);
    let named = resolved.named(&config, &Inputs::default(), said_of, &[]);
    resolved.tell_left_out(&named);
    let (lines, trunks, names) = resolved.status();
    assert_eq!(
        lines,
        [
            "deny bad.example: 198.51.100.1",
            "permit boss.example: 198.51.100.1",
            "deny bad.example: its address 198.51.100.1 is left out: it is permitted",
        ]
    );
    assert_eq!(
        (trunks, names[1]["list"].as_str()),
        (json!([]), Some("permit"))
    );
    let mut after = Resolved::new();
    after.keep(&config, &[said]);
    after.restore(&resolved.answers());
    let (addresses, seconds, failure) = after.shown("boss.example");
    assert_eq!((addresses.len(), seconds, failure), (1, 0, None));
}
