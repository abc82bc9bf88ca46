//! Bans: of the kernel, of the store and of the operator.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban as KernelBan, Cause};
use ringfence_core::event::Event;
use serde_json::json;

use super::event::ip;
use super::state::Daemon;
use crate::control::{Answer, listing};
use crate::engine::xdp::boot_time;
use crate::store::Ban;
use crate::tables;

/// Bans that are taken into the store at a time. A flood of forged sources makes many more: they hold in the kernel, and
/// the rest is taken at the next look.
const LEARNED: usize = 10_000;

impl Daemon {
    /// Bans of the store go to the kernel, those of the kernel to the store.
    pub(super) fn load_bans(&mut self) -> Result<()> {
        let now = Timestamp::now();
        let mut stored = self.store.bans()?;
        stored.retain(|ban| ban.until > now);
        self.bans = stored.into_iter().map(|ban| (ban.address, ban)).collect();
        // The kernel's first: it may have renewed a ban while no daemon ran.
        if let Err(error) = self.scan_bans() {
            self.complain(&error);
        }
        for ban in self.bans.values().cloned().collect::<Vec<_>>() {
            self.ban_in_kernel(&ban, now)?;
        }
        Ok(())
    }

    fn ban_in_kernel(&mut self, ban: &Ban, now: Timestamp) -> Result<()> {
        let left = u64::try_from(ban.until.duration_since(now).as_nanos()).unwrap_or(0);
        let cause = match ban.reason.as_str() {
            "signature" => Cause::Signature,
            "rate" => Cause::Rate,
            _ => Cause::Manual,
        };
        let value = KernelBan {
            until: boot_time()?.saturating_add(left),
            cause: cause as u8,
            reserved: [0],
            signature: 0,
            reserved_more: [0; 4],
        };
        Ok(self
            .fence
            .ban(tables::address(ban.address).subject(), &value)?)
    }

    /// Takes the kernel's bans into the store, and forgets those that are over.
    pub fn scan_bans(&mut self) -> Result<()> {
        let (boot, now) = (boot_time()?, Timestamp::now());
        let mut learned = Vec::new();
        for (subject, ban) in self.fence.scan_bans(boot)? {
            if learned.len() == LEARNED {
                break;
            }
            learned.extend(self.learn(subject, &ban, boot, now)?);
        }
        self.keep(learned)?;
        for over in self.store.expire_bans(now)? {
            self.bans.remove(&over.address);
        }
        Ok(())
    }

    /// What the store does not know yet of a ban of the kernel.
    fn learn(
        &self,
        subject: Address,
        kernel: &KernelBan,
        boot: u64,
        now: Timestamp,
    ) -> Result<Option<Ban>> {
        let address = ip(subject);
        let left = Duration::from_nanos(kernel.until.saturating_sub(boot));
        let until = now.checked_add(left).unwrap_or(Timestamp::MAX);
        // The kernel renews a ban while the source goes on: the store follows in steps of some seconds.
        let known = self.bans.get(&address);
        if known.is_some_and(|known| until.duration_since(known.until).as_secs() < 5) {
            return Ok(None);
        }
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        Ok(Some(Ban {
            address,
            prefix_len,
            reason: Cause::from_number(kernel.cause)
                .map_or("manual", Cause::name)
                .to_owned(),
            since: known.map_or(now, |known| known.since),
            until,
            times: match known {
                Some(known) => known.times,
                None => self
                    .store
                    .past_bans_of(address, prefix_len)?
                    .saturating_add(1),
            },
            evidence: known.and_then(|known| known.evidence.clone()),
            note: String::new(),
        }))
    }

    /// Notes bans, and then stores them: one that cannot be stored is known nonetheless.
    fn keep(&mut self, bans: Vec<Ban>) -> Result<()> {
        let stored = self.store.put_bans(&bans);
        self.bans
            .extend(bans.into_iter().map(|ban| (ban.address, ban)));
        Ok(stored?)
    }

    pub(super) fn bans_of_event(&mut self, event: &Event, now: u64) -> Result<()> {
        let time = u64::try_from(self.config.ban.time.as_nanos()).unwrap_or(u64::MAX);
        let ban = KernelBan {
            until: event.time.saturating_add(time),
            cause: event.banned,
            reserved: [0],
            signature: event.signature,
            reserved_more: [0; 4],
        };
        let learned = self.learn(event.source.subject(), &ban, now, Timestamp::now())?;
        let length = usize::from(event.evidence_length).min(event.evidence.len());
        let evidence = Some(event.evidence[..length].to_vec());
        let learned = learned.map(|ban| Ban { evidence, ..ban });
        self.keep(learned.into_iter().collect())
    }

    pub(super) fn ban(&mut self, address: &str, seconds: Option<u64>) -> Result<Answer> {
        let address = subject(address)?;
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        let now = Timestamp::now();
        let time = seconds.map_or(self.config.ban.time, Duration::from_secs);
        let times = self
            .store
            .past_bans_of(address, prefix_len)?
            .saturating_add(1);
        let ban = Ban {
            address,
            prefix_len,
            reason: "manual".into(),
            since: now,
            until: now.checked_add(time)?,
            times,
            evidence: None,
            note: String::new(),
        };
        self.store.put_ban(&ban)?;
        self.ban_in_kernel(&ban, now)?;
        let text = format!("{address} is banned until {}", ban.until.strftime("%FT%TZ"));
        self.bans.insert(address, ban);
        Ok(Answer::done(text, json!({ "address": address })))
    }

    pub(super) fn unban(&mut self, address: &str) -> Result<Answer> {
        let address = subject(address)?;
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        let stored = self.store.lift_ban(address, prefix_len, Timestamp::now())?;
        let held = self.fence.unban(tables::address(address).subject())?;
        self.bans.remove(&address);
        let lifted = stored || held;
        let what = if lifted {
            "is no longer banned"
        } else {
            "was not banned"
        };
        Ok(Answer::done(
            format!("{address} {what}"),
            json!({ "address": address, "lifted": lifted }),
        ))
    }

    pub(super) fn show_bans(&mut self) -> Result<Answer> {
        self.scan_bans()?;
        Ok(listing::bans(self.bans.values()))
    }
}

/// What a ban of this address is kept under: IPv6 addresses stand for their /64.
fn subject(text: &str) -> Result<IpAddr> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| anyhow!("`{text}` is not an IP address; bans fall on single addresses"))?;
    Ok(ip(tables::address(address.to_canonical()).subject()))
}
