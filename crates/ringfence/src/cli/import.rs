//! `ringfence import`: bans and lists of the firewall that was there before.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{FAILED, Format, Global, remote, terminal};
use crate::coexist::{self, Fail2ban, Item, Take, Taken};
use crate::control::{Answer, Change, Entry, List, Request, ask};
use crate::tables;

/// Ends of bans that lie no further apart are the same: the other firewall counts in seconds, by a clock of its own.
const SAME: SignedDuration = SignedDuration::from_secs(5);
/// Entries of a list in one request: as many as surely fit.
const TOGETHER: usize = 200;

/// Take over bans and lists of another firewall
///
/// What is banned there stays banned for the time that it has left; what is trusted there is permitted, with a comment
/// that says where from. The other firewall is read and never changed. An import can be repeated.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence import fail2ban --dry-run\n  \
    ringfence import freepbx\n  ringfence import csf --format json\n\n\
    Exit codes: 0 all that can be was taken over, 1 something failed, 2 usage."
)]
pub struct Args {
    #[command(subcommand)]
    from: From,
}

/// The other firewall.
#[derive(Debug, Subcommand)]
enum From {
    /// Bans of fail2ban, and whom it ignores
    #[command(
        after_long_help = "Examples:\n  ringfence import fail2ban --jail asterisk\n  \
        ringfence import fail2ban --database /root/old/fail2ban.sqlite3\n\n\
        A ban without an end, and one of a net, goes to the deny list."
    )]
    Fail2ban {
        /// Take of this jail alone; may be given more than once
        #[arg(long, value_name = "NAME")]
        jail: Vec<String>,
        /// Read this database, and do not ask the server
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
        /// The server's socket [default: fail2ban's own]
        #[arg(long, value_name = "FILE")]
        server_socket: Option<PathBuf>,
        /// Its configuration directory [default: fail2ban's own]
        #[arg(long, value_name = "DIR")]
        configuration: Option<PathBuf>,
        /// Only show what would be taken over
        #[arg(long)]
        dry_run: bool,
    },
    /// Networks of FreePBX's trusted zone, and its blacklist
    #[command(after_long_help = "Example:\n  ringfence import freepbx --dry-run")]
    Freepbx {
        /// Only show what would be taken over
        #[arg(long)]
        dry_run: bool,
    },
    /// What ConfigServer Firewall allows and denies
    #[command(after_long_help = "Example:\n  ringfence import csf --dry-run")]
    Csf {
        /// Only show what would be taken over
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does it.
///
/// # Errors
/// When the other firewall cannot be read, or no daemon answers.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let now = Timestamp::now();
    let (taken, dry) = match args.from {
        From::Fail2ban {
            jail,
            database,
            server_socket,
            configuration,
            dry_run,
        } => {
            let from = Fail2ban {
                socket: server_socket,
                database,
                configuration,
                jails: jail,
            };
            (coexist::fail2ban(&from, now)?, dry_run)
        }
        From::Freepbx { dry_run } => (coexist::freepbx()?, dry_run),
        From::Csf { dry_run } => (coexist::csf(Path::new("/"), now)?, dry_run),
    };
    let mut done = Done::default();
    if !dry {
        done.take_over(&taken.items, &remote::socket(global))?;
    }
    show(&taken, dry, &done, global.format)?;
    Ok(ExitCode::from(if done.failed.is_empty() {
        0
    } else {
        FAILED
    }))
}

/// What became of it.
#[derive(Default)]
struct Done {
    /// Addresses that are banned for as long or longer already.
    longer: usize,
    failed: Vec<String>,
}

impl Done {
    fn take_over(&mut self, items: &[Item], socket: &Path) -> Result<()> {
        let banned = banned(socket)?;
        let (mut permit, mut deny) = (Vec::new(), Vec::new());
        for item in items {
            let (range, left, list) = match &item.take {
                Take::Permit(range, left) => (range, left, &mut permit),
                Take::Deny(range, left) => (range, left, &mut deny),
                Take::Ban(address, left) => {
                    let until = Timestamp::now().checked_add(*left)?;
                    let known = banned.get(&tables::subject(*address));
                    if known.is_some_and(|known| until.duration_since(*known) <= SAME) {
                        self.longer += 1;
                        continue;
                    }
                    let request = Request::Ban {
                        address: address.to_string(),
                        seconds: Some(left.as_secs().max(1)),
                    };
                    self.note(&address.to_string(), first(socket, &request)?);
                    continue;
                }
            };
            list.push(Entry {
                range: range.to_string(),
                comment: item.comment.clone(),
                seconds: left.map(|left| left.as_secs().max(1)),
            });
        }
        // Whom it lets in first: a list that keeps out must not cut off who is let in a moment later.
        for (list, entries) in [(List::Permit, permit), (List::Deny, deny)] {
            for some in entries.chunks(TOGETHER) {
                let change = Change::AddAll {
                    entries: some.to_vec(),
                };
                let answer = first(socket, &Request::List { list, change })?;
                let what = some.first().map(|entry| entry.range.clone());
                self.note(&what.unwrap_or_default(), answer);
            }
        }
        Ok(())
    }

    fn note(&mut self, what: &str, answer: Answer) {
        if !answer.ok {
            self.failed.push(format!("{what}: {}", answer.text));
        }
    }
}

/// The bans of now, each with its end.
fn banned(socket: &Path) -> Result<HashMap<IpAddr, Timestamp>> {
    let bans = first(socket, &Request::Bans)?;
    if !bans.ok {
        bail!("{}", bans.text);
    }
    let each = bans.data.as_array().into_iter().flatten();
    let whole = each
        .filter(|ban| ban["port"].is_null() && matches!(ban["prefix_len"].as_u64(), Some(32 | 64)));
    let known = whole.filter_map(|ban| {
        let address = ban["address"].as_str()?.parse().ok()?;
        Some((address, ban["until"].as_str()?.parse().ok()?))
    });
    Ok(known.collect())
}

fn first(socket: &Path, request: &Request) -> Result<Answer> {
    let mut answers = ask(socket, request)?;
    Ok(answers
        .next()
        .context("the daemon ended without an answer")??)
}

fn show(taken: &Taken, dry: bool, done: &Done, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if format == Format::Json {
        let items: Vec<Value> = taken.items.iter().map(data).collect();
        let answer = json!({
            "way": taken.way, "dry_run": dry, "items": items, "left_out": taken.left_out,
            "banned_longer": done.longer, "failed": done.failed,
        });
        return writeln!(out, "{}", terminal::json(&answer.to_string()));
    }
    writeln!(out, "read from {}:", terminal::line(&taken.way))?;
    for item in &taken.items {
        writeln!(out, "  {}", terminal::line(&line(item)))?;
    }
    for left_out in &taken.left_out {
        writeln!(out, "  left out: {}", terminal::line(left_out))?;
    }
    for failed in &done.failed {
        writeln!(io::stderr(), "ringfence: {}", terminal::line(failed))?;
    }
    let count = taken.items.len();
    if dry {
        return writeln!(
            out,
            "{count} entries would be taken over; nothing was changed"
        );
    }
    if done.longer > 0 {
        writeln!(
            out,
            "{} of them are banned for as long or longer already",
            done.longer
        )?;
    }
    writeln!(
        out,
        "{count} entries, {} failures. The other firewall goes on as before: `ringfence doctor` says how to stand it down",
        done.failed.len()
    )
}

fn line(item: &Item) -> String {
    let comment = &item.comment;
    match &item.take {
        Take::Ban(address, left) => format!("ban {address} for {} s ({comment})", left.as_secs()),
        Take::Permit(range, None) => format!("permit {range} ({comment})"),
        Take::Permit(range, Some(left)) => {
            format!("permit {range} for {} s ({comment})", left.as_secs())
        }
        Take::Deny(range, None) => format!("deny {range} ({comment})"),
        Take::Deny(range, Some(left)) => {
            format!("deny {range} for {} s ({comment})", left.as_secs())
        }
    }
}

fn data(item: &Item) -> Value {
    let (take, what, left) = match &item.take {
        Take::Ban(address, left) => ("ban", address.to_string(), Some(*left)),
        Take::Permit(range, left) => ("permit", range.to_string(), *left),
        Take::Deny(range, left) => ("deny", range.to_string(), *left),
    };
    json!({ "take": take, "what": what, "seconds": left.map(|left| left.as_secs()), "comment": item.comment })
}
