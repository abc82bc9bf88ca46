//! Who looks after the table in nftables: keeps its sets as the judge has it, and the table as it was made.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nftables::types::NfFamily;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::desk::Desk;
use super::rules::{COUNTERS, HOLD, QUEUE, TABLE};
use super::sets::{Elements, Sets, Subjects};
use super::statistics::{self, Lost};
use super::target;
use crate::engine::{FenceError, boot_time};
use crate::nft::{Nft, NftError};

/// How often the sets follow the judge.
const FOLLOW: Duration = Duration::from_secs(2);
/// Every so manieth time, the table is looked at.
const LOOK: u32 = 5;
/// Elements last at most so long without the daemon, in ns.
const LONGEST: u64 = 365 * 86_400 * 1_000_000_000;

/// Keeps the table until it goes.
pub struct Keeper {
    table: Arc<Mutex<Table>>,
    end: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// How the table is made.
#[derive(Clone)]
pub struct Plan {
    /// What changes the table that stands, and what makes it anew.
    pub batches: [Vec<Value>; 2],
    /// The first queue and the last, where the chains of queues are filled by the target of iptables.
    pub target: Option<(u16, u16)>,
}

/// The table as it was made last.
pub struct Table {
    nft: Nft,
    plan: Option<Plan>,
    /// How `nft` lists it.
    outline: Vec<Value>,
    sets: Sets,
    /// What the counters of tables before this one came to, and those of this one.
    counted: [[u64; COUNTERS.len()]; 2],
    queues: (u16, u16),
    lost: Lost,
    restored: u64,
    /// What is to be told to people.
    alarms: Vec<String>,
}

impl Keeper {
    /// Starts one for a table that is not made yet.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(nft: Nft, queues: (u16, u16), desk: Arc<Mutex<Desk>>) -> std::io::Result<Self> {
        let table = Arc::new(Mutex::new(Table {
            nft,
            plan: None,
            outline: Vec::new(),
            sets: Sets::default(),
            counted: Default::default(),
            queues,
            lost: Lost::default(),
            restored: 0,
            alarms: Vec::new(),
        }));
        let end = Arc::new((Mutex::new(false), Condvar::new()));
        let (kept, ended) = (table.clone(), end.clone());
        let thread = Builder::new()
            .name("nftables".to_owned())
            .spawn(move || look_after(&kept, &desk, &ended))?;
        Ok(Self {
            table,
            end,
            thread: Some(thread),
        })
    }

    /// Makes the table, in the place of the one that stood.
    ///
    /// # Errors
    /// Then the one that stood, stands.
    pub fn make(&self, plan: Plan, desk: &Mutex<Desk>) -> Result<(), FenceError> {
        let wanted = wanted(desk, now());
        let mut table = self.table();
        let changed = match table.plan {
            Some(_) => table.changed()?,
            None => None,
        };
        table.make(plan, &wanted)?;
        if let Some(what) = changed {
            table.tell_changed(what);
        }
        Ok(())
    }

    /// The table.
    pub fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.end.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It tells nothing at its end.
            let _ = thread.join();
        }
    }
}

impl Table {
    fn make(&mut self, plan: Plan, wanted: &Elements) -> Result<(), FenceError> {
        let now = now();
        let [change, anew] = &plan.batches;
        let filled = |batch: &Vec<Value>| [batch.clone(), Sets::anew(wanted, now)].concat();
        if let Err(error) = self.run(filled(change)) {
            debug!("{error}; the table is made anew");
            // Counters begin again with it.
            let [before, these] = &mut self.counted;
            for (before, these) in before.iter_mut().zip(these) {
                *before += std::mem::take(these);
            }
            self.run(filled(anew))?;
        }
        if let Some(queues) = plan.target {
            for (chain, bypass) in [(QUEUE, true), (HOLD, false)] {
                target::queue_all(TABLE, chain, queues, bypass).map_err(FenceError::NoQueues)?;
            }
        }
        self.sets.hold(wanted, now, true);
        self.plan = Some(plan);
        self.outline = self.listed()?.unwrap_or_default();
        Ok(())
    }

    fn run(&self, batch: Vec<Value>) -> Result<(), NftError> {
        self.nft.run_text(&json!({ "nftables": batch }).to_string())
    }

    /// The table as `nft` lists it, less what changes by itself; its counters are noted.
    fn listed(&mut self) -> Result<Option<Vec<Value>>, NftError> {
        let Some(mut listed) = self.nft.outline(NfFamily::INet, TABLE)? else {
            return Ok(None);
        };
        for object in &mut listed {
            if let Some(counter) = object.get("counter") {
                let place = COUNTERS.iter().position(|name| counter["name"] == *name);
                if let (Some(place), Some(count)) = (place, counter["packets"].as_u64()) {
                    self.counted[1][place] = count;
                }
            }
            settle(object);
        }
        // Their order is nobody's promise; that of rules in a chain is kept.
        listed.sort_by_key(|object| {
            object
                .get("rule")
                .map_or_else(|| object.to_string(), chain_of)
        });
        Ok(Some(listed))
    }

    fn follow(&mut self, wanted: &Elements) -> Result<(), NftError> {
        let now = now();
        let changes = self.sets.changes(wanted, now);
        if changes.is_empty() {
            self.sets.hold(wanted, now, false);
            return Ok(());
        }
        let anew = match self.run(changes) {
            Ok(()) => false,
            // Most likely one ended a moment ago.
            Err(error) => {
                debug!("{error}");
                self.run(Sets::anew(wanted, now))?;
                true
            }
        };
        self.sets.hold(wanted, now, anew);
        Ok(())
    }

    fn look(&mut self, wanted: &Elements) -> Result<(), FenceError> {
        if let Some(lost) = statistics::lost(self.queues) {
            let more = lost.all().saturating_sub(self.lost.all());
            if more > 0 {
                self.alarm(format!(
                    "{more} packets found the queues of nftables full and met no judge; more queues, or a larger \
                     `length` in [nfqueue], may help"
                ));
            }
            self.lost = lost;
        }
        match self.plan.clone() {
            Some(plan) => self.restore(plan, wanted),
            None => Ok(()),
        }
    }

    /// Makes the table where it is not as it was made last, and tells.
    fn restore(&mut self, plan: Plan, wanted: &Elements) -> Result<(), FenceError> {
        let Some(what) = self.changed()? else {
            return Ok(());
        };
        self.make(plan, wanted)?;
        self.tell_changed(what);
        Ok(())
    }

    /// What became of the table by somebody else's doing, if something did.
    fn changed(&mut self) -> Result<Option<&'static str>, NftError> {
        let listed = self.listed()?;
        Ok(match listed {
            Some(listed) if listed == self.outline => None,
            Some(_) => Some("changed"),
            None => Some("removed"),
        })
    }

    fn tell_changed(&mut self, what: &str) {
        self.restored += 1;
        self.alarm(format!(
            "the table `inet {TABLE}` was {what} by somebody else; it was made again. To be rid of it, run \
             `ringfence stop`"
        ));
    }

    fn alarm(&mut self, what: String) {
        warn!("{what}");
        // Whoever takes them away may not.
        if self.alarms.len() < 8 {
            self.alarms.push(what);
        }
    }

    /// Looks after it no longer: it is to be removed.
    pub fn forget(&mut self) {
        self.plan = None;
    }

    /// What people should be told since it was asked last.
    pub fn take_alarms(&mut self) -> Vec<String> {
        std::mem::take(&mut self.alarms)
    }

    /// What happened to packets and to the table beside the judge.
    pub fn remarks(&self) -> Vec<String> {
        let [before, these] = &self.counted;
        let count = |name: &str| {
            let place = COUNTERS.iter().position(|it| *it == name);
            place.map_or(0, |place| before[place] + these[place])
        };
        let mut remarks = Vec::new();
        let mut remark = |count: u64, what: &str| {
            if count > 0 {
                remarks.push(format!("{count} {what}"));
            }
        };
        remark(
            count("flood"),
            "packets of floods dropped by nftables before they were judged",
        );
        remark(
            count("unjudged"),
            "packets passed unjudged, while nobody judged or the queues were full",
        );
        remark(
            count("banned"),
            "packets of banned sources dropped by nftables while nobody judged",
        );
        remark(
            count("denied"),
            "packets of denied sources dropped by nftables",
        );
        remark(self.lost.all(), "packets found the queues full");
        remark(
            self.restored,
            "times the table was changed by somebody else and made again",
        );
        remarks
    }
}

/// Takes away what changes without anybody's doing.
fn settle(object: &mut Value) {
    match object {
        Value::Object(object) => {
            for name in ["handle", "packets", "bytes"] {
                object.remove(name);
            }
            object.values_mut().for_each(settle);
        }
        Value::Array(values) => values.iter_mut().for_each(settle),
        _ => {}
    }
}

fn chain_of(rule: &Value) -> String {
    format!("rule {}", rule["chain"])
}

fn now() -> u64 {
    boot_time().unwrap_or(0)
}

/// What the sets are to hold.
fn wanted(desk: &Mutex<Desk>, now: u64) -> Elements {
    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
    let latest = now.saturating_add(LONGEST);
    let mut wanted = Elements::new();
    for (subject, ban) in desk.judge.bans_after(now) {
        if let Some(key) = Subjects::of_ban(subject) {
            wanted.insert(key, ban.until.min(latest));
        }
    }
    for (address, standing) in desk.judge.standings() {
        if standing.registered_until > now {
            let until = wanted.entry(Subjects::of_known(*address)).or_default();
            *until = standing.registered_until.min(latest).max(*until);
        }
    }
    wanted
}

fn look_after(table: &Mutex<Table>, desk: &Mutex<Desk>, end: &(Mutex<bool>, Condvar)) {
    let mut turn = 0u32;
    let mut complaint = String::new();
    let mut ended = end.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*ended {
        let waited = end.1.wait_timeout(ended, FOLLOW);
        ended = waited.unwrap_or_else(PoisonError::into_inner).0;
        if *ended {
            return;
        }
        turn = turn.wrapping_add(1);
        let wanted = wanted(desk, now());
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.plan.is_none() {
            continue;
        }
        let done = match turn % LOOK {
            0 => table.look(&wanted),
            _ => table.follow(&wanted).map_err(FenceError::from),
        };
        match done {
            Ok(()) => complaint.clear(),
            Err(error) => {
                // Once until something else goes wrong.
                let error = error.to_string();
                if error != complaint {
                    table.alarm(error.clone());
                    complaint = error;
                }
            }
        }
    }
}
