use std::time::Duration;

use jiff::SignedDuration;

use super::super::member::{FIRST, SPREAD};
use super::*;
use crate::config::Config;
use crate::feeds::Whose;
use crate::feeds::{About, Belongings, Caught, Nets, Standing};
use crate::fetch::FetchError;

fn feeds(text: &str) -> Vec<Feed> {
    Config::parse(text, "r.toml").unwrap().feeds
}

const TWO: &str = "[[feed]]\nname = \"a\"\nurl = \"https://lists.example.com/a\"\n\
    [[feed]]\nname = \"b\"\nkind = \"voipbl\"\naction = \"ban\"\nexpiry = \"1d\"\n";

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn later(hours: i64) -> Timestamp {
    start()
        .checked_add(SignedDuration::from_hours(hours))
        .unwrap()
}

fn nets(all: &[&str]) -> Nets {
    all.iter()
        .map(|text| text.parse::<IpNet>().unwrap())
        .collect()
}

fn good(feed: &Feed, all: &[&str], checked: Timestamp) -> Outcome {
    let nets = nets(all);
    let about = About {
        entries: nets.len(),
        ..About::new(feed, checked)
    };
    Outcome {
        nets: Some(nets),
        result: Ok(about),
    }
}

fn failed() -> Outcome {
    Outcome {
        nets: None,
        result: Err(FeedError::Fetch(FetchError::Unreached {
            url: "https://voipbl.org".into(),
            why: "no answer".into(),
        })),
    }
}

fn merged(keeper: &mut Keeper, belongings: &Belongings) -> (bool, Vec<News>) {
    let work = keeper.work().expect("something changed");
    keeper.finish(work.run(belongings))
}

#[test]
fn feeds_are_asked_for_after_a_while_a_few_at_a_time_and_again() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    assert_eq!(keeper.keep(&all, start()).len(), 2);
    assert!(keeper.due(start(), 2).is_empty(), "the fence stands first");
    let soon = after(start(), FIRST + SPREAD);
    assert_eq!(keeper.due(soon, 1).len(), 1);
    assert_eq!(keeper.due(soon, 1).len(), 0, "one at a time");
    assert_eq!(keeper.due(soon, 2).len(), 1);
    keeper.updated(&all[0], good(&all[0], &["1.2.3.4/32"], soon), soon);
    let jitter = Duration::from_secs(360);
    assert!(
        keeper
            .due(after(soon, all[0].interval - Duration::from_secs(1)), 9)
            .is_empty()
    );
    assert_eq!(
        keeper.due(after(soon, all[0].interval + jitter), 9).len(),
        1
    );
    assert!(
        keeper.keep(&all, soon).is_empty(),
        "what did not change goes on"
    );
}

#[test]
fn a_failure_waits_longer_each_time_and_as_long_as_asked() {
    let feed = &feeds(TWO)[1];
    let error = |after| {
        FeedError::Fetch(FetchError::Later {
            url: String::new(),
            status: 429,
            after: Duration::from_secs(after),
        })
    };
    let pauses: Vec<_> = (1..8)
        .map(|n| pause(feed, &error(0), n).as_secs() / 60)
        .collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 240]);
    assert_eq!(pause(feed, &error(7200), 1).as_secs(), 7200);
    assert_eq!(pause(feed, &FeedError::Empty, 1), feed.kind.terms().least);
    assert_eq!(pause(feed, &error(0), u32::MAX), feed.interval);
}

#[test]
fn a_feed_that_fails_is_kept_told_and_at_last_over() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    keeper.keep(&all, start());
    keeper.updated(&all[1], good(&all[1], &["1.2.3.4/32"], start()), start());
    let belongings = Belongings::new([]);
    assert_eq!(merged(&mut keeper, &belongings), (true, Vec::new()));
    assert!(keeper.updated(&all[1], failed(), later(1)).is_empty());
    let news = keeper.updated(&all[1], failed(), later(13));
    assert!(
        matches!(&news[..], [News::Failing { name, since, .. }] if name == "b" && *since == later(1))
    );
    assert!(
        keeper.updated(&all[1], failed(), later(14)).is_empty(),
        "once"
    );
    assert_eq!(keeper.rows()[1].standing, Standing::Failing);
    assert!(keeper.expire(later(24)).is_empty());
    assert_eq!(keeper.merged().len(), 1);
    let news = keeper.expire(later(25));
    assert!(
        matches!(&news[..], [News::Over { name, error }] if name == "b" && error.contains("no answer"))
    );
    assert!(keeper.expire(later(26)).is_empty(), "once");
    assert_eq!(merged(&mut keeper, &belongings), (true, Vec::new()));
    assert!(keeper.merged().is_empty());
    assert_eq!(keeper.rows()[1].standing, Standing::Over);
    keeper.updated(
        &all[1],
        good(&all[1], &["1.2.3.4/32"], later(27)),
        later(27),
    );
    assert!(merged(&mut keeper, &belongings).0);
    assert_eq!(keeper.rows()[1].standing, Standing::Good);
}

#[test]
fn a_phone_that_registers_later_is_cut_out_and_told_once() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    keeper.keep(&all, start());
    keeper.updated(
        &all[0],
        good(&all[0], &["198.51.100.0/24", "10.0.0.0/8"], start()),
        start(),
    );
    merged(&mut keeper, &Belongings::new([]));
    let phone: IpAddr = [198, 51, 100, 7].into();
    let belongings = Belongings::new([(phone.into(), Whose::Registered)]);
    assert!(keeper.merged().holds_ours(&belongings));
    keeper.again();
    let (changed, news) = merged(&mut keeper, &belongings);
    assert!(changed && keeper.merged().find(phone).is_none());
    assert!(keeper.merged().find([198, 51, 100, 8].into()).is_some());
    let caught = Caught::Belongs(Whose::Registered);
    let entries = vec![("198.51.100.0/24".parse().unwrap(), caught)];
    assert_eq!(
        news,
        [News::Ours {
            name: "a".into(),
            entries
        }]
    );
    keeper.again();
    assert_eq!(merged(&mut keeper, &belongings), (false, Vec::new()));
    let row = &keeper.rows()[0];
    assert_eq!(
        row.left_out,
        [("registered".to_owned(), 1), ("reserved".to_owned(), 1)].into()
    );
    assert_eq!(
        keeper.listed(phone).len(),
        1,
        "that it is listed is not hidden"
    );
}

#[test]
fn what_was_begun_under_an_earlier_configuration_is_of_no_use() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    keeper.keep(&all, start());
    keeper.updated(&all[0], good(&all[0], &["1.2.3.4/32"], start()), start());
    let work = keeper.work().unwrap();
    assert!(keeper.work().is_none(), "one at a time");
    keeper.keep(&all[1..], start());
    let belongings = Belongings::new([]);
    assert_eq!(keeper.finish(work.run(&belongings)), (false, Vec::new()));
    merged(&mut keeper, &belongings);
    assert!(keeper.merged().is_empty());
    assert!(keeper.updated(&all[0], failed(), start()).is_empty());
    assert_eq!(keeper.name(1), Some("b"));
    assert_eq!(
        keeper.wake(&["a".to_owned()], false, start()),
        Err("a".into())
    );
    assert_eq!(keeper.wake(&[], true, start()), Ok(vec!["b".into()]));
    assert!(keeper.rows()[0].updating, "somebody waits for it");
    assert!(keeper.due(start(), 9)[0].1, "by force");
    keeper.updated(&all[1], failed(), start());
    assert!(!keeper.rows()[0].updating);
    assert_eq!(keeper.rows()[0].standing, Standing::Waiting);
}

#[test]
fn an_update_is_told_what_is_held() {
    let mut keeper = Keeper::default();
    let all = &feeds(TWO)[1..];
    keeper.keep(all, start());
    assert_eq!(keeper.due(later(1), 9)[0].2, None);
    keeper.updated(&all[0], good(&all[0], &["1.2.3.4/32"], later(1)), later(1));
    assert_eq!(keeper.due(later(10), 9)[0].2, Some(later(1)));
    keeper.updated(&all[0], failed(), later(10));
    assert_eq!(keeper.expire(later(30)).len(), 1);
    assert_eq!(keeper.due(later(30), 9)[0].2, None, "it was let go of");
}

#[test]
fn force_that_is_asked_for_during_an_update_comes_right_after_it() {
    let mut keeper = Keeper::default();
    let all = &feeds(TWO)[1..];
    keeper.keep(all, start());
    assert!(!keeper.due(later(1), 9)[0].1);
    keeper.wake(&[], true, later(1)).unwrap();
    keeper.updated(&all[0], good(&all[0], &["1.2.3.4/32"], later(1)), later(1));
    assert!(keeper.rows()[0].updating, "somebody waits for it");
    assert!(keeper.due(later(1), 9)[0].1, "by force");
    keeper.updated(&all[0], good(&all[0], &["1.2.3.4/32"], later(1)), later(1));
    assert!(keeper.due(later(2), 9).is_empty(), "once");
    assert!(!keeper.due(later(9), 9)[0].1);
}

#[test]
fn what_could_not_be_begun_is_done_later() {
    let mut keeper = Keeper::default();
    let all = &feeds(TWO)[1..];
    keeper.keep(all, start());
    keeper.wake(&[], true, start()).unwrap();
    assert_eq!(keeper.due(start(), 9).len(), 1);
    keeper.not_begun(&all[0], true, start());
    assert!(keeper.due(start(), 9).is_empty(), "not at once");
    let due = keeper.due(after(start(), MINUTE), 9);
    assert!(due[0].1, "by force, as it was asked for");
    assert!(keeper.work().is_some() && keeper.work().is_none());
    keeper.give_back();
    assert!(keeper.work().is_some());
}

#[test]
fn another_interval_or_action_leaves_entries_in_force() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    keeper.keep(&all, start());
    keeper.updated(
        &all[0],
        good(&all[0], &["1.2.3.4/32", "1.2.3.5/32"], start()),
        start(),
    );
    let belongings = Belongings::new([]);
    merged(&mut keeper, &belongings);
    let changed = |keys: &str| feeds(&TWO.replace("/a\"\n", &format!("/a\"\n{keys}\n")));
    let banned = changed("interval = \"2h\"\naction = \"ban\"");
    let new = keeper.keep(&banned, start());
    assert_eq!(new, banned[..1], "its shelf is looked at all the same");
    merged(&mut keeper, &belongings);
    let entry = keeper.merged().find([1, 2, 3, 4].into()).unwrap();
    assert_eq!(entry.action, FeedAction::Ban);
    assert_eq!(keeper.rows()[0].standing, Standing::Good);
    assert_eq!(keeper.due(later(1), 9)[0].2, Some(start()));
    // Fewer than there are, and another list, begin anew.
    for other in [changed("max = 1"), feeds(&TWO.replace("/a\"", "/c\""))] {
        let mut keeper = Keeper::default();
        keeper.keep(&all, start());
        keeper.updated(
            &all[0],
            good(&all[0], &["1.2.3.4/32", "1.2.3.5/32"], start()),
            start(),
        );
        keeper.keep(&other, start());
        merged(&mut keeper, &belongings);
        assert!(keeper.merged().is_empty());
    }
}

/// A small generator, so that the month is the same at each run.
struct Chance(u32);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % end
    }
}

/// A month of hours: lists change, fail and end, phones come and go, and nobody who is here is cut off.
#[test]
fn a_month_of_updates_cuts_off_nobody() {
    let mut keeper = Keeper::default();
    let all = feeds(TWO);
    keeper.keep(&all, start());
    let mut chance = Chance(1);
    let mut phones: Vec<u8> = Vec::new();
    let (mut most, mut over, mut told) = (0, 0, 0);
    for hour in 0..24 * 30 {
        let now = later(hour);
        phones.retain(|_| chance.below(10) > 0);
        phones.push(chance.below(256) as u8);
        let ours = phones.iter().map(|last| {
            let phone = IpAddr::from([198, 51, 100, *last]);
            (phone.into(), Whose::Registered)
        });
        let belongings = Belongings::new(ours);
        // One of them cannot be had on two days of five.
        for (place, (feed, ..)) in keeper.due(now, 9).into_iter().enumerate() {
            let fails = feed.name == "b" && hour / 24 % 5 >= 3 || chance.below(20) == 0;
            let outcome = if fails {
                failed()
            } else {
                let hosts = (0..200).map(|_| format!("198.51.100.{}/32", chance.below(256)));
                let more = ["198.51.0.0/16".to_owned(), "0.0.0.0/0".to_owned()];
                let list: Vec<_> = hosts.chain(more.into_iter().take(place + 1)).collect();
                good(
                    &feed,
                    &list.iter().map(String::as_str).collect::<Vec<_>>(),
                    now,
                )
            };
            told += keeper.updated(&feed, outcome, now).len();
        }
        over += keeper.expire(now).len();
        if keeper.merged().holds_ours(&belongings) {
            keeper.again();
        }
        if let Some(work) = keeper.work() {
            told += keeper.finish(work.run(&belongings)).1.len();
        }
        assert!(!keeper.merged().holds_ours(&belongings), "hour {hour}");
        for last in &phones {
            let phone = IpAddr::from([198, 51, 100, *last]);
            assert!(
                keeper.merged().find(phone).is_none(),
                "hour {hour}: {phone}"
            );
        }
        most = most.max(keeper.memory());
    }
    assert!(over >= 5, "a list that nobody stands by is over: {over}");
    assert!(told > 0 && told < 24 * 30 * 2, "{told}");
    assert!(most < 40_000, "{most} bytes");
}
