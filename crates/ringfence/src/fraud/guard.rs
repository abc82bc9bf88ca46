//! The guard: calls in, alarms out.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::alarm::{Alarm, Why};
use super::call::{Block, Call, Channel, kept};
use super::limits::{Endpoint, HOUR, MINUTE};
use super::number::Numbers;
use crate::asterisk::ami::Message;
use crate::config::{Fraud, FraudAction, FraudLimits, Mode, User};

/// Endpoints that are remembered; beyond, the one that was quiet longest is forgotten.
const ENDPOINTS: usize = 4096;
/// Calls that are remembered; beyond, the oldest is forgotten.
const CALLS: usize = 16_384;
/// How long a call whose end nobody told counts, in seconds.
const LONGEST_CALL: i64 = 12 * HOUR;
/// How often such calls are looked for, in seconds.
const SWEEP: i64 = 10 * MINUTE;
/// How long what follows a cut event may be forged, in milliseconds.
const DOUBT: i64 = 250;

/// Watches over the calls that endpoints begin.
#[derive(Debug)]
pub struct Guard {
    fraud: Fraud,
    numbers: Numbers,
    zone: TimeZone,
    endpoints: HashMap<String, Endpoint>,
    calls: HashMap<Channel, Up>,
    /// When calls were last looked for that nobody ended.
    swept: i64,
    /// In milliseconds: when an event was last cut.
    cut: Option<i64>,
    digests: RandomState,
}

/// A call that is up.
#[derive(Debug)]
struct Up {
    call: Call,
    emergency: bool,
    /// Whether it counts, or may still be forged.
    counted: bool,
    since: i64,
}

impl Guard {
    /// A guard that knows of no call yet. Office hours are those of `zone`, which is the system's:
    /// `TimeZone::system()`.
    pub fn new(fraud: &Fraud, emergency: &[User], zone: TimeZone) -> Self {
        Self {
            fraud: fraud.clone(),
            numbers: Numbers::new(fraud, emergency),
            zone,
            endpoints: HashMap::new(),
            calls: HashMap::new(),
            swept: 0,
            cut: None,
            digests: RandomState::new(),
        }
    }

    /// Goes on by another configuration; what was counted stays.
    pub fn configure(&mut self, fraud: &Fraud, emergency: &[User]) {
        self.fraud = fraud.clone();
        self.numbers = Numbers::new(fraud, emergency);
    }

    /// Takes in a block of the manager interface, of whatever kind: all of them, in their order. An alarm, if the block
    /// makes an endpoint pass a limit.
    ///
    /// Of an endpoint and a reason there is one alarm a minute; where calls are to be hung up there is one for each
    /// call, with [`FraudAction::Hangup`] alone after the first.
    pub fn note(&mut self, message: &Message, now: Timestamp) -> Option<Alarm> {
        match Block::of(message) {
            Block::Begins(call) => self.begins(call, now),
            Block::Ends(channel) => {
                self.ends(&channel);
                None
            }
            Block::Is(channel) => self.is(&channel, now),
            Block::Cut => {
                self.cut = Some(now.as_millisecond());
                None
            }
            Block::Nothing => None,
        }
    }

    /// Forgets which calls are up, because their ends may have been missed: after a new connection to Asterisk. Emergency
    /// calls may be up still, so that they are kept until Asterisk [says](Self::settle) that they are over.
    pub fn forget_calls(&mut self) {
        self.calls.retain(|_, up| up.emergency);
        for endpoint in self.endpoints.values_mut() {
            endpoint.up = 0;
        }
    }

    /// Takes in what Asterisk answers to CoreShowChannels, asked for at a moment: calls that began before and are not
    /// among its channels have ended, whatever became of the events that said so.
    pub fn settle(&mut self, answer: &[Message], asked: Timestamp) {
        let names = answer.iter().filter_map(|message| message.some("Channel"));
        let up: HashSet<String> = names.map(kept).collect();
        let asked = asked.as_second();
        let over = |channel: &Channel, call: &Up| call.since < asked && !up.contains(&channel.name);
        let calls = self.calls.iter();
        let over: Vec<Channel> = calls
            .filter(|(channel, call)| over(channel, call))
            .map(|(channel, _)| channel.clone())
            .collect();
        for channel in over {
            self.ends(&channel);
        }
    }

    /// Whether an emergency call of an endpoint is up, so that it must be neither banned nor removed.
    pub fn in_emergency(&self, endpoint: &str) -> bool {
        self.endpoints
            .get(endpoint)
            .is_some_and(|endpoint| endpoint.emergencies > 0)
    }

    fn begins(&mut self, call: Call, now: Timestamp) -> Option<Alarm> {
        // A phone that calls for help does not write lines into its name.
        let emergency = !call.forged && self.numbers.emergency(&call.destination);
        let known = self.calls.get(&call.channel);
        // Who has no limits is protected all the same.
        if !emergency && self.is_exempt(&call) || known.is_some_and(|up| up.counted) {
            return None;
        }
        let protects = emergency && self.endpoints.contains_key(&call.endpoint);
        let counted = protects || !self.doubts(now);
        self.make_room(now.as_second());
        let up = Up {
            call: call.clone(),
            emergency,
            counted,
            since: now.as_second(),
        };
        self.calls.insert(call.channel.clone(), up);
        if counted {
            self.count(&call, emergency, now)
        } else {
            None
        }
    }

    /// A channel that shows itself at another time than it began in was not forged.
    fn is(&mut self, channel: &Channel, now: Timestamp) -> Option<Alarm> {
        if self.doubts(now) {
            return None;
        }
        let up = self.calls.get_mut(channel)?;
        if std::mem::replace(&mut up.counted, true) {
            return None;
        }
        let (call, emergency) = (up.call.clone(), up.emergency);
        self.count(&call, emergency, now)
    }

    fn ends(&mut self, channel: &Channel) {
        let Some(up) = self.calls.remove(channel).filter(|up| up.counted) else {
            return;
        };
        if let Some(endpoint) = self.endpoints.get_mut(&up.call.endpoint) {
            let calls = match up.emergency {
                true => &mut endpoint.emergencies,
                false => &mut endpoint.up,
            };
            *calls = calls.saturating_sub(1);
        }
    }

    fn count(&mut self, call: &Call, emergency: bool, now: Timestamp) -> Option<Alarm> {
        let limits = self.limits(now);
        let second = now.as_second();
        if emergency {
            self.endpoint(&call.endpoint, second).emergencies += 1;
            return None;
        }
        let digest = self.digests.hash_one(&call.destination);
        let range = self.numbers.expensive(&call.destination).map(str::to_owned);
        let endpoint = self.endpoint(&call.endpoint, second);
        let over = |count: usize, limit: u32| u32::try_from(count).is_ok_and(|n| n > limit);
        // Each is noted, whatever the others say; the gravest is told.
        endpoint.up = endpoint.up.saturating_add(1);
        let attempts = endpoint.attempts.note((), second, MINUTE, limits.attempts);
        let destinations =
            endpoint
                .destinations
                .note_once(digest, second, HOUR, limits.destinations);
        let expensive = range.and_then(|range| {
            let count = endpoint.expensive.note((), second, HOUR, limits.expensive);
            over(count, limits.expensive).then_some(Why::Expensive {
                limit: limits.expensive,
                range,
            })
        });
        let reasons = [
            expensive,
            (endpoint.up > limits.concurrent).then_some(Why::Concurrent(limits.concurrent)),
            over(destinations, limits.destinations)
                .then_some(Why::Destinations(limits.destinations)),
            over(attempts, limits.attempts).then_some(Why::Attempts(limits.attempts)),
        ];
        let reasons = reasons.into_iter().flatten();
        let mut first = None;
        let mut told = None;
        for why in reasons {
            if endpoint.tells(&why, second) {
                told.get_or_insert_with(|| why.clone());
            }
            first.get_or_insert(why);
        }
        let shadow = self.fraud.mode == Mode::Shadow;
        let hangs_up = !shadow && self.fraud.action.contains(&FraudAction::Hangup);
        let (why, action) = match (told, first) {
            (Some(why), _) => (why, self.actions(&call.endpoint)),
            (None, Some(why)) if hangs_up => (why, vec![FraudAction::Hangup]),
            _ => return None,
        };
        Some(Alarm {
            endpoint: call.endpoint.clone(),
            channel: call.channel.name.clone(),
            destination: call.destination.clone(),
            why,
            action,
            shadow,
        })
    }

    /// What is to be done: nothing that would end an emergency call.
    fn actions(&self, endpoint: &str) -> Vec<FraudAction> {
        let emergency = self.in_emergency(endpoint);
        let allowed = |action: &FraudAction| {
            !emergency || !matches!(action, FraudAction::Ban | FraudAction::Remove)
        };
        let all = self.fraud.action.iter().copied();
        all.filter(allowed).collect()
    }

    fn is_exempt(&self, call: &Call) -> bool {
        let incoming = |context: &String| {
            let rest = call.context.strip_prefix(context.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.fraud.exempt.contains(&call.endpoint)
            // Who writes lines into its name may have written the context.
            || !call.forged && self.fraud.incoming.iter().any(incoming)
    }

    fn doubts(&self, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        self.cut
            .is_some_and(|cut| (-DOUBT..=DOUBT).contains(&now.saturating_sub(cut)))
    }

    fn limits(&self, now: Timestamp) -> FraudLimits {
        let local = now.to_zoned(self.zone.clone());
        let day = local.weekday().to_monday_zero_offset();
        let day = usize::try_from(day).unwrap_or_default();
        let (hour, minute) = (local.hour().unsigned_abs(), local.minute().unsigned_abs());
        let minute = u16::from(hour) * 60 + u16::from(minute);
        let hours = &self.fraud.hours;
        if hours.is_empty() || hours.iter().any(|hours| hours.hold(day, minute)) {
            self.fraud.open
        } else {
            self.fraud.closed
        }
    }

    fn endpoint(&mut self, name: &str, now: i64) -> &mut Endpoint {
        if self.endpoints.len() >= ENDPOINTS && !self.endpoints.contains_key(name) {
            // One with a call up goes last: an emergency call must not be forgotten for others' calls.
            let quiet = self
                .endpoints
                .iter()
                .min_by_key(|(_, e)| (e.emergencies > 0, e.up > 0, e.seen));
            if let Some(quiet) = quiet.map(|(name, _)| name.clone()) {
                self.endpoints.remove(&quiet);
                self.calls.retain(|_, up| up.call.endpoint != quiet);
            }
        }
        let endpoint = self.endpoints.entry(name.to_owned()).or_default();
        endpoint.seen = now;
        endpoint
    }

    /// Forgets calls that nobody ended, and where there are too many one that may be forged, or the oldest.
    fn make_room(&mut self, now: i64) {
        let mut old: Vec<Channel> = Vec::new();
        if !(0..SWEEP).contains(&now.saturating_sub(self.swept)) {
            self.swept = now;
            let lost = |up: &Up| !(0..LONGEST_CALL).contains(&now.saturating_sub(up.since));
            let lost = self.calls.iter().filter(|(_, up)| lost(up));
            old.extend(lost.map(|(channel, _)| channel.clone()));
        }
        if old.is_empty() && self.calls.len() >= CALLS {
            let calls = self.calls.iter();
            let oldest = calls.min_by_key(|(_, up)| (up.counted, up.emergency, up.since));
            old.extend(oldest.map(|(channel, _)| channel.clone()));
        }
        for channel in old {
            self.ends(&channel);
        }
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.endpoints.len(), self.calls.len())
    }
}
