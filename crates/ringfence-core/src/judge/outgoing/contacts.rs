//! The contacts that a registrar lists in its 200: all of the account's, not only the one that was
//! asked for (RFC 3261, section 10.3, step 8).

use super::super::noting::contact_uri;
use super::Judge;
use crate::bench::{Bench, Tables, Turn};
use crate::known::NOT_GRANTED;
use crate::scan::{CONTACTS, Kind, Scan, Span, lower, text};
use crate::search::{closing_quote, digest_of, find, find_parameter, number_of, quad_of};

/// Most contacts of a response that are looked at.
const LISTED: u32 = 256;

/// Looks at one contact.
struct Listed;

impl<B: Bench> Turn<B> for Listed {
    #[inline(always)]
    fn turn(bench: &mut B, tables: Tables<'_>, scan: &mut Scan) -> bool {
        let mut judge = Judge {
            bench,
            tables,
            scan,
        };
        judge.next_contact()
    }
}

impl<B: Bench> Judge<'_, B> {
    /// Finds what was granted to the contact of the request, to its sender's host and port, and at
    /// least. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn contacts(&mut self) -> u32 {
        self.scan.known.granted = [NOT_GRANTED; 3];
        self.scan.contact = 0;
        self.scan.known.place = self.scan.contact_field(0).pack();
        if self.scan.contact_count() == 0 {
            return 0;
        }
        self.bench.turns::<Listed>(self.tables, self.scan, LISTED);
        if self.scan.contact_count() > CONTACTS as u32 {
            // There are more than were looked at: the least of all is not known.
            self.scan.known.granted[2] = NOT_GRANTED;
        }
        0
    }

    /// Looks at the next contact; whether it was the last.
    #[inline(always)]
    fn next_contact(&mut self) -> bool {
        let value = Span::unpack(self.scan.known.place);
        if value.is_empty() {
            self.scan.contact += 1;
            let n = self.scan.contact;
            if n >= self.scan.contact_count() || n >= CONTACTS as u32 {
                return true;
            }
            self.scan.known.place = self.scan.contact_field(n).pack();
            return false;
        }
        let (uri, behind) = contact_uri::<B>(self.scan, value);
        let end = self.contact_end(behind);
        self.scan.known.place = Span {
            from: end + 1,
            to: value.to,
        }
        .pack();
        let parameters = Span {
            from: behind.from,
            to: end,
        };
        let Some(granted) = self.expires(parameters) else {
            return false;
        };
        let least = self.scan.known.granted[2];
        if granted < least {
            self.scan.known.granted[2] = granted;
        }
        let own = self.scan.known.record.words[4];
        if own == digest_of::<B>(self.scan, uri) | 1 {
            self.scan.known.granted[0] = granted;
        } else if self.is_sender(uri) {
            self.scan.known.granted[1] = granted;
        }
        false
    }

    /// Where a contact ends: at a comma that is in no quoted value.
    #[inline(always)]
    fn contact_end(&mut self, behind: Span) -> u32 {
        let mark = find::<B>(self.scan, behind, b',', b'"');
        if mark >= behind.to || self.scan.byte(mark) == b',' {
            return mark;
        }
        // One quoted value, such as that of +sip.instance.
        let inside = Span {
            from: mark + 1,
            to: behind.to,
        };
        let from = closing_quote::<B>(self.scan, inside) + 1;
        let rest = Span {
            from,
            to: behind.to,
        };
        find::<B>(self.scan, rest, b',', b',')
    }

    /// Seconds that a contact holds for: its own, else those of the response.
    #[inline(always)]
    fn expires(&mut self, parameters: Span) -> Option<u32> {
        let own = find_parameter::<B>(self.scan, parameters, const { text(b"expires") }, 7);
        let value = if own.is_empty() {
            self.scan.span(Kind::Expires)
        } else {
            Span {
                from: own.from + 1,
                to: own.to,
            }
        };
        number_of::<B>(self.scan, value).filter(|seconds| *seconds != NOT_GRANTED)
    }

    /// Whether the host and port of a URI are the sender's.
    #[inline(always)]
    fn is_sender(&mut self, uri: Span) -> bool {
        let at = find::<B>(self.scan, uri, b'@', b'@');
        let from = if at < uri.to {
            at + 1
        } else {
            let secure = lower(self.scan.word(uri.from)) as u32 == const { text(b"sips") as u32 };
            uri.from + if secure { 5 } else { 4 }
        };
        let host = Span { from, to: uri.to };
        let Some((address, end)) = quad_of::<B>(self.scan, host) else {
            return false;
        };
        let mut port = 5060;
        if self.scan.byte(end) == b':' {
            let rest = Span {
                from: end + 1,
                to: uri.to,
            };
            port = number_of::<B>(self.scan, rest).unwrap_or(0);
        }
        let sender = super::response::facts_port(&self.scan.known.record.words);
        self.scan.verdict.source.as_v4() == Some(address) && port == u32::from(sender)
    }
}
