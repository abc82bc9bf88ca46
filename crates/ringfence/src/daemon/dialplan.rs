//! What the dial plan is told of its callers: what the judge would say of a call from that address.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::bans::around;
use super::beside::{Reply, Word};
use super::state::Daemon;
use crate::asterisk::agi::{Judge, Verdict};
use crate::country::country_name;
use crate::opinion::{Asks, Question, Transport};
use crate::tables;
use crate::trust::Snapshot;

/// A caller that is asked about.
pub(super) struct Caller {
    address: IpAddr,
    name: Option<String>,
    reply: Reply,
}

/// Where questions of the dial plan are put.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) words: mpsc::Sender<Word>,
}

impl Judge for Desk {
    async fn judge(&self, address: IpAddr, name: Option<String>) -> Option<Verdict> {
        let (reply, answer) = oneshot::channel();
        let caller = Caller {
            address,
            name,
            reply,
        };
        self.words.send(Word::Caller(caller)).await.ok()?;
        answer.await.ok()?
    }
}

impl Daemon {
    /// Answers the dial plan.
    pub(super) fn answer_caller(&mut self, caller: Caller) {
        let Caller {
            address,
            name,
            reply,
        } = caller;
        let verdict = self.caller(address).map(|verdict| match name {
            Some(name) => {
                let resolved = self.resolved.trunks();
                let known = resolved.get(&name).map_or(&[][..], Vec::as_slice);
                verdict.named(&name, known, address)
            }
            None => verdict,
        });
        // The dial plan may have gone on without.
        let _ = reply.send(verdict);
    }

    fn caller(&mut self, address: IpAddr) -> Option<Verdict> {
        if let Err(error) = self.tell_opinions(address) {
            debug!("{error:#}");
            return None;
        }
        let opinions = self.opinions.made.as_mut()?;
        if opinions.is_own(address) {
            return Some(Verdict {
                ok: true,
                reason: "local".into(),
                country: opinions.country(address).code().into(),
                country_name: country_name(opinions.country(address)).into(),
            });
        }
        let opinion = opinions.opinion(&Question {
            source: address,
            port: None,
            transport: Transport::Udp,
            asks: Asks::Invite,
            account: "",
            agent: "",
        });
        Some(Verdict {
            ok: opinion.ok,
            reason: opinion.reason.name().into(),
            country: opinion.country.code().into(),
            country_name: country_name(opinion.country).into(),
        })
    }

    /// Tells the judge that gives opinions what holds of one address now.
    pub(super) fn tell_opinions(&mut self, address: IpAddr) -> anyhow::Result<()> {
        let clock = self.clock()?;
        let at = tables::address(address);
        let mut snapshot = Snapshot::default();
        for place in [at, at.subject()] {
            if let Some(standing) = self.fence.standing(place)? {
                snapshot.standings.push((place, *standing));
            }
        }
        let bans = around(&self.bans, address).filter(|ban| ban.until > clock.wall);
        if let Some(opinions) = &mut self.opinions.made {
            opinions.set_bans(bans);
            opinions.set_trust(&snapshot, clock.boot);
        }
        Ok(())
    }
}
