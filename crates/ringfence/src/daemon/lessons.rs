//! What the kernel tells of what it learned, a word at a time.

use anyhow::Result;
use std::time::Instant;

use ringfence_core::address::Address;
use ringfence_core::class::Class;
use ringfence_core::trust::{Lesson, What};
use tracing::{debug, info, warn};

use super::state::Daemon;
use crate::config::Period;
use crate::store::Name;
use crate::tables;
use crate::trust::Refused;

impl Daemon {
    /// Takes in a lesson.
    pub fn learn(&mut self, lesson: &Lesson) -> Result<()> {
        let clock = self.clock()?;
        let Some(what) = What::from_number(lesson.what) else {
            return Ok(());
        };
        let address = tables::ip(Address::from_words(lesson.address));
        let (port, name) = (lesson.port, Name::of_words(&lesson.name));
        match what {
            What::Registered => {
                let granted = std::time::Duration::from_secs(lesson.granted.into());
                let granted = Period::from(granted);
                info!("{name} registered from {address} port {port} for {granted}");
                let source = tables::subject(address);
                self.trust.drops.note_registered(source, name);
                self.open_media(address);
            }
            What::Solicited => {
                info!("{address} answers what this host asks of it");
                self.open_media(address);
            }
            What::Refused | What::Nobody => {
                self.witness.twice.packet(address, Instant::now());
                let refused = Refused {
                    time: clock.wall_of(lesson.time).unwrap_or(clock.wall),
                    address,
                    port,
                    name,
                    status: lesson.status,
                    class: Class::from_number(lesson.class).map_or("", Class::name),
                    nobody: what == What::Nobody,
                };
                self.learn_refusal(&refused);
                if (lesson.stranger, lesson.named) == (1, 1)
                    && let Some(known) = self.trust.strangers.note(address, refused.time)
                {
                    warn!("{}", known.text());
                }
            }
        }
        Ok(())
    }

    pub(super) fn learn_refusal(&mut self, refused: &Refused) {
        let noted = self.trust.refusals.note(refused);
        let Refused { name, address, .. } = refused;
        let (port, status) = (refused.port, refused.status);
        let why = if refused.nobody {
            "no such account"
        } else {
            "its credentials are wrong"
        };
        if noted.first && self.logged.says(Instant::now()).is_some() {
            info!("{address} port {port} was refused as {name} ({status}): {why}");
        } else {
            debug!("{address} port {port} was refused as {name} ({status}): {why}");
        }
        if let Some(sources) = noted.guessed {
            warn!(
                "the password of {name} is being guessed from {sources} or more addresses within ten minutes: see that \
                 it is long, and `ringfence why` for who was refused"
            );
        }
    }
}
