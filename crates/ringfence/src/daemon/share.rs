//! Bans and counts for others: what they are given, and the server and files that give it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use ringfence_core::bench::list_flags;
use ringfence_core::reason::{Action, Reason};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::state::Daemon;
use crate::config::{self, AddressRange};
use crate::control::Answer;
use crate::share::{
    Counts, Known, Packets, Published, SharedBan, Skipped, Written, bind, select, write,
};
use crate::tables::ip;

/// How long it takes until an address that is taken is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What belongs here, whatever it is banned for.
const BELONGS: u32 =
    list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY | list_flags::OWN;

/// What others are given.
pub(super) struct Share {
    config: config::Share,
    publish: Arc<watch::Sender<Arc<Published>>>,
    server: Option<JoinHandle<()>>,
    /// What went wrong with the server or the files the last time.
    trouble: Arc<Mutex<String>>,
    written: Arc<Mutex<Written>>,
    last: Option<Instant>,
    skipped: Skipped,
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Share {
    /// Gives nothing to anybody yet.
    pub(super) fn new() -> Self {
        Self {
            config: config::Share::default(),
            publish: Arc::new(watch::channel(Arc::default()).0),
            server: None,
            trouble: Arc::default(),
            written: Arc::default(),
            last: None,
            skipped: Skipped::default(),
        }
    }

    /// Begins and ends what the configuration asks for; what did not change goes on.
    pub(super) fn keep(&mut self, config: &config::Share) {
        let place = |config: &config::Share| (config.http, config.allow.clone());
        if place(&self.config) != place(config) {
            if let Some(server) = self.server.take() {
                server.abort();
            }
            lock(&self.trouble).clear();
            self.server = config.http.map(|at| self.serve(at, config.allow.clone()));
        }
        if self.config.files != config.files {
            self.written = Arc::default();
        }
        if self.config != *config {
            self.config = config.clone();
            self.last = None;
        }
    }

    fn serve(&self, at: SocketAddr, allow: Vec<AddressRange>) -> JoinHandle<()> {
        let (published, trouble) = (self.publish.subscribe(), Arc::clone(&self.trouble));
        tokio::spawn(async move {
            loop {
                match bind(at, allow.clone()).await {
                    Ok(bound) => {
                        lock(&trouble).clear();
                        info!("bans and counts are shared at http://{at}/");
                        return bound.serve(published).await;
                    }
                    Err(error) => complain(
                        &trouble,
                        format!("nothing is shared at {at}: {error}; it is tried again"),
                    ),
                }
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    fn is_due(&self) -> bool {
        let wanted = self.config.http.is_some() || self.config.files.is_some();
        // The daemon looks at whole steps of its own: one that is nearly due is.
        let every = self.config.every.saturating_sub(Duration::from_secs(1));
        wanted && self.last.is_none_or(|last| last.elapsed() >= every)
    }

    fn publish(&mut self, bans: Vec<SharedBan>, skipped: Skipped, counts: Counts) {
        (self.last, self.skipped) = (Some(Instant::now()), skipped);
        let (publish, directory) = (Arc::clone(&self.publish), self.config.files.clone());
        let (written, trouble) = (Arc::clone(&self.written), Arc::clone(&self.trouble));
        // Of very many bans this takes a while: packets and people do not wait for it.
        tokio::task::spawn_blocking(move || {
            let published = Arc::new(Published::new(bans, counts));
            publish.send_replace(Arc::clone(&published));
            let Some(directory) = directory else {
                return;
            };
            // The one before is still at it, on a slow disk: the next has what is new.
            let Ok(mut written) = written.try_lock() else {
                return;
            };
            match write(&directory, &published, &mut written) {
                Ok(()) => {}
                Err(error) => {
                    let place = directory.display();
                    complain(
                        &trouble,
                        format!("cannot write to {place}, which [share] names: {error}"),
                    );
                }
            }
        });
    }

    /// A line, and the same for programs; none where nothing is shared.
    fn status(&self) -> Option<(String, Value)> {
        let http = self.config.http.map(|at| format!("at http://{at}/"));
        let files = self.config.files.as_ref();
        let files = files.map(|place| format!("in {}", place.display()));
        let places: Vec<_> = http.into_iter().chain(files).collect();
        if places.is_empty() {
            return None;
        }
        let (bans, kept) = (self.publish.borrow().len(), self.skipped.all());
        let trouble = lock(&self.trouble).clone();
        let mut line = format!(
            "shared {}: {bans} bans, {kept} kept back",
            places.join(" and ")
        );
        if !trouble.is_empty() {
            line.push_str(&format!("; {trouble}"));
        }
        let data = json!({ "bans": bans, "kept_back": self.skipped, "trouble": trouble });
        Some((line, data))
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells of trouble, once until it is another.
fn complain(trouble: &Mutex<String>, text: String) {
    let mut last = lock(trouble);
    if *last != text {
        warn!("{text}");
        *last = text;
    }
}

impl Daemon {
    /// Brings what others are given up to date, where it is time to.
    pub(super) fn tend_share(&mut self) -> Result<()> {
        if self.share.is_due() {
            let (bans, skipped) = self.shared_bans(self.config.share.proved_only);
            let counts = self.verdicts()?;
            self.share.publish(bans, skipped, counts);
        }
        Ok(())
    }

    /// How sharing goes, for the status.
    pub(super) fn share_status(&self) -> Option<(String, Value)> {
        self.share.status()
    }

    /// The bans for an export.
    pub(super) fn export_bans(&mut self, unproved: bool) -> Result<Answer> {
        self.scan_bans()?;
        let proved_only = self.config.share.proved_only && !unproved;
        let (bans, skipped) = self.shared_bans(proved_only);
        Ok(crate::control::export::bans(&bans, skipped))
    }

    /// The counts for an export.
    pub(super) fn export_counts(&self) -> Result<Answer> {
        let counts = self.verdicts()?;
        Ok(Answer::done(counts.json(), serde_json::to_value(&counts)?))
    }

    fn shared_bans(&self, proved_only: bool) -> (Vec<SharedBan>, Skipped) {
        let now = Timestamp::now();
        let listed = self.fence.lists().iter();
        let listed = listed.filter(|(_, listed)| listed.flags & BELONGS != 0);
        let listed = listed.filter_map(|((address, length), _)| range(ip(*address), *length));
        let known = &self.trust.known;
        let registered = known.registrations.values();
        let registered = registered.filter(|row| row.until > now);
        let standing = known.standings.values().filter(|row| {
            let until = [row.known_until, row.solicited_until];
            until.into_iter().flatten().any(|until| until > now)
        });
        let trusted = registered.map(|row| row.address);
        let trusted = trusted.chain(standing.map(|row| row.address));
        let known = Known::new(listed.chain(trusted.map(AddressRange::from)));
        select(self.bans.values(), &known, proved_only, now)
    }

    fn verdicts(&self) -> Result<Counts> {
        let mut counts = Counts {
            mode: self.config.mode.to_string(),
            bans: u64::try_from(self.bans.len())?,
            ..Counts::default()
        };
        for (number, service) in (0..).zip(self.fence.counts()?.iter()) {
            for reason in Reason::ALL {
                let packets = service.get(*reason as usize).copied().unwrap_or(0);
                if packets == 0 {
                    continue;
                }
                let packets = match reason.action() {
                    Action::Pass => Packets {
                        pass: packets,
                        drop: 0,
                    },
                    Action::Drop => Packets {
                        pass: 0,
                        drop: packets,
                    },
                };
                counts.add(self.names.service(number), reason.name(), packets);
            }
        }
        Ok(counts)
    }
}

/// The range of a prefix over the mapped form; none for the prefixes around all of IPv4, which say nothing of it.
fn range(address: IpAddr, length: u8) -> Option<AddressRange> {
    let length = match address {
        IpAddr::V4(_) => length.checked_sub(96)?,
        IpAddr::V6(_) => length,
    };
    let net = ipnet::IpNet::new(address, length).ok()?;
    AddressRange::new(net.network(), net.broadcast()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Prefix;

    #[test]
    fn prefixes_over_the_mapped_form_become_ranges_of_their_family() {
        let of = |text: &str, length| {
            let prefix = Prefix::new(crate::tables::address(text.parse().unwrap()), length);
            range(ip(prefix.address), prefix.length).map(|range| range.to_string())
        };
        assert_eq!(of("192.0.2.77", 120).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(of("192.0.2.77", 128).as_deref(), Some("192.0.2.77"));
        assert_eq!(of("2001:db8::1", 64).as_deref(), Some("2001:db8::/64"));
        assert_eq!(of("0.0.0.0", 96).as_deref(), Some("0.0.0.0/0"));
    }

    #[tokio::test]
    async fn a_page_follows_the_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut share = Share::new();
        assert!(share.status().is_none() && !share.is_due());
        let config = config::Share {
            http: Some(taken.local_addr().unwrap()),
            files: Some(directory.path().join("share")),
            ..config::Share::default()
        };
        share.keep(&config);
        assert!(share.is_due());
        share.publish(Vec::new(), Skipped::default(), Counts::default());
        assert!(!share.is_due());
        let file = directory.path().join("share/bans.json");
        let wait = async {
            while !file.exists() || share.status().unwrap().1["trouble"] == "" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap();
        let (line, _) = share.status().unwrap();
        assert!(line.contains("nothing is shared at 127.0.0.1:"), "{line}");
        share.keep(&config::Share::default());
        assert!(share.status().is_none());
    }
}
