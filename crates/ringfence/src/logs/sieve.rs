//! Takes out of Asterisk's log what strangers forged between real lines.
//!
//! A name with line ends cuts a security event in two: its head, whatever lines the name forged, and a rest with the real
//! sender. Two things a stranger cannot do tell them apart: write between lines of another message, since Asterisk writes each
//! message at once; and know the number of the thread that writes security events, which is the same for as long as Asterisk
//! runs. So whatever stands between two events of that thread is one message, the later lines of which are forged if any of
//! them is a rest or an event of another thread.
//!
//! Which thread that is, the first event tells. In a log that grows it must be the first line after a pause: what a stranger
//! forges into a line of another kind, such as a name of IAX2, always has the beginning of that line before it.

use std::net::SocketAddr;

use super::asterisk::{Sort, sender, sort, up_to_account};

/// Bytes that are held while it is not known whether they were forged.
const HELD: usize = 8 * 1024;
/// Events in a row after which another thread is believed: Asterisk was started anew. A name has no room for as many.
const NEW_THREAD: u32 = 8;

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Sieved {
    /// A line that Asterisk wrote; its number is that with which it came.
    Line(u64, String),
    /// Lines that a name forged.
    Forged {
        /// The number of the first.
        line: u64,
        /// How many, the broken event's included.
        lines: u64,
        /// Whose name it was, if that is certain.
        source: Option<SocketAddr>,
    },
}

/// The lines since the last event that is certain, within bounds.
#[derive(Debug, Default)]
pub struct Sieve {
    /// The thread that writes security events.
    thread: Option<String>,
    /// Another thread that claims to, and how many times in a row.
    claims: (String, u32),
    held: Vec<(u64, String)>,
    size: usize,
    /// Whether something in it is forged.
    broken: bool,
    /// Of a log that grows: whether the next line is the first after a pause.
    fresh: Option<bool>,
}

impl Sieve {
    /// For a log that grows, so that pauses are known: see [`flush`](Self::flush).
    pub fn live() -> Self {
        Self {
            fresh: Some(true),
            ..Self::default()
        }
    }

    /// Takes in a line; `out` is called with what is certain by now.
    pub fn push(&mut self, number: u64, line: String, mut out: impl FnMut(Sieved)) {
        let size = line.len();
        let claims = self.fresh.is_none_or(|fresh| fresh);
        self.fresh = self.fresh.map(|_| false);
        match sort(&line) {
            Sort::Event { thread } => {
                if self.believes(thread, claims) {
                    self.close(true, &mut out);
                } else {
                    self.broken = true;
                }
            }
            Sort::Cut { thread } => {
                if self.thread.is_none() && claims {
                    self.thread = Some(thread.to_owned());
                }
                if self.thread.as_deref() == Some(thread) {
                    self.close(true, &mut out);
                }
                self.broken = true;
            }
            Sort::Rest { .. } => self.broken = true,
            Sort::Other => {}
        }
        self.size += size;
        self.held.push((number, line));
        if self.size > HELD {
            self.close(false, &mut out);
        }
    }

    /// Nothing came for a while, so that the last message is whole.
    pub fn flush(&mut self, mut out: impl FnMut(Sieved)) {
        self.close(true, &mut out);
        self.fresh = self.fresh.map(|_| true);
    }

    /// Whether the thread is the one that writes security events; `claims`: whether it may become that.
    fn believes(&mut self, thread: &str, claims: bool) -> bool {
        if self.thread.is_none() && !claims {
            return false;
        }
        let known = self.thread.get_or_insert_with(|| thread.to_owned());
        if known == thread {
            self.claims.1 = 0;
            return true;
        }
        if !claims {
            return false;
        }
        if self.claims.0 != thread {
            self.claims = (thread.to_owned(), 0);
        }
        self.claims.1 += 1;
        if self.claims.1 >= NEW_THREAD {
            thread.clone_into(known);
            self.claims.1 = 0;
            return true;
        }
        false
    }

    /// Ends the message that is held, which is `whole` unless there was no room for all of it.
    fn close(&mut self, whole: bool, out: &mut impl FnMut(Sieved)) {
        self.size = 0;
        let held = std::mem::take(&mut self.held);
        if !std::mem::take(&mut self.broken) {
            for (number, line) in held {
                out(Sieved::Line(number, line));
            }
            return;
        }
        let (first, lines) = (held.first().map_or(0, |(n, _)| *n), held.len() as u64);
        let mended = mend(&held, self.thread.as_deref()).filter(|_| whole);
        let source = mended.as_ref().map(|(source, _)| *source);
        out(Sieved::Forged {
            line: first,
            lines,
            source,
        });
        if let Some((_, event)) = mended {
            out(Sieved::Line(first, event));
        }
    }
}

/// The broken event without its name: one that was cut must have its end here, and all that may be it names one sender.
fn mend(held: &[(u64, String)], thread: Option<&str>) -> Option<(SocketAddr, String)> {
    let ((_, head), rest) = held.split_first()?;
    let Sort::Cut { thread: own } = sort(head) else {
        return None;
    };
    if thread != Some(own) {
        return None;
    }
    let mut ends = rest.iter().filter_map(|(_, line)| {
        let at = line.rfind("\",SessionID=\"")?;
        Some((sender(line)?, line.get(at + 2..)?))
    });
    let (source, mut tail) = ends.next()?;
    for (other, end) in ends {
        if other != source {
            return None;
        }
        tail = end;
    }
    let event = format!("{},AccountID=\"\",{tail}", up_to_account(head));
    Some((source, event))
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
