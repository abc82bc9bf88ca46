use super::*;
use crate::config::Config;

/// A plan for data that was never fetched, which is due within two minutes, and how long it is until then.
fn left(countries: &mut Countries) -> Duration {
    let config = Config::parse("[country]\nsource = \"dbip\"\n", "r.toml").unwrap();
    let state = tempfile::tempdir().unwrap();
    countries.plan(&config.country, &Shelf::of(state.path()));
    let (_, due) = countries.plan.as_ref().unwrap();
    let (at, due) = due.unwrap();
    let told = at.duration_since(Timestamp::now()).as_secs();
    let left = due - Instant::now();
    assert!(told.abs_diff(left.as_secs() as i64) <= 1, "{told} {left:?}");
    left
}

#[test]
fn a_failure_that_cannot_be_written_down_waits_as_well() {
    let mut countries = Countries::default();
    let soon = Duration::from_secs(120);
    assert!(left(&mut countries) <= soon);
    countries.running = true;
    countries.ended(&Err(UpdateError::NoToken));
    assert!(!countries.running);
    assert!(left(&mut countries) > Duration::from_secs(3500));
    // Somebody else who is at it changes nothing.
    countries.ended(&Err(UpdateError::Busy));
    assert!(left(&mut countries) > Duration::from_secs(3500));
    countries.ended(&Ok(Outcome::Unchanged));
    assert!(left(&mut countries) <= soon);
}

#[test]
fn without_a_thread_an_update_is_planned_again() {
    let mut countries = Countries::default();
    left(&mut countries);
    // More than there are addresses.
    let huge = thread::Builder::new().stack_size(1 << 60);
    let begun = countries.begin(huge, || Ok(Outcome::Unchanged));
    assert!(begun.is_err());
    assert!(!countries.running && countries.plan.is_none());

    countries
        .begin(thread::Builder::new(), || Ok(Outcome::Unchanged))
        .unwrap();
    assert!(countries.running);
    let done = countries.outcomes.blocking_recv().unwrap();
    assert!(matches!(done, Ok(Outcome::Unchanged)));
}
