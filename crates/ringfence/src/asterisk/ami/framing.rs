//! From the bytes of the stream to its blocks, whatever the reads were cut at.

use super::Message;

/// Bytes of an event that are kept; what is beyond is skipped up to its end.
const LONGEST: usize = 64 * 1024;

/// The same of a response: what a CLI command puts out is one block.
const LONGEST_RESPONSE: usize = 16 * 1024 * 1024;

/// What a piece of the stream was.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// The line that Asterisk greets with; what stands behind "Asterisk Call Manager/" is the protocol's version.
    Greeting(String),
    /// A block.
    Message(Message),
    /// A block that was longer than anything Asterisk sends, and was skipped.
    TooLong,
}

/// Cuts the stream into blocks: lines end in CRLF (or LF), a block in an empty line. It holds one block at most.
#[derive(Debug, Default)]
pub struct Framing {
    /// Lines of the block so far.
    lines: Vec<String>,
    /// The line so far.
    line: Vec<u8>,
    /// Bytes of the block so far.
    size: usize,
    greeted: bool,
    /// The block is too long: its end is waited for.
    skipping: bool,
}

impl Framing {
    /// For a stream that begins without a greeting, such as a recording from its middle.
    pub fn after_greeting() -> Self {
        Self {
            greeted: true,
            ..Self::default()
        }
    }

    /// Takes in what was read; `framed` is called with each piece that is whole.
    pub fn read(&mut self, bytes: &[u8], mut framed: impl FnMut(Framed)) {
        for byte in bytes {
            if *byte != b'\n' {
                self.size = self.size.saturating_add(1);
                if self.size > self.longest() {
                    self.skipping = true;
                    self.lines.clear();
                    // What an end looks like is still told by the line.
                    self.line.truncate(1);
                }
                self.line.push(*byte);
                continue;
            }
            self.end_line(&mut framed);
        }
    }

    /// Whether the stream stands in the middle of a block.
    pub fn within(&self) -> bool {
        self.size > 0
    }

    /// Whether the stream stands in the middle of a block that can be neither event nor response.
    pub fn within_rest(&self) -> bool {
        let first = match self.lines.first() {
            Some(line) => line.as_bytes(),
            None => &self.line,
        };
        let begins = |name: &[u8]| {
            let both = first.iter().zip(name);
            both.fold(true, |same, (a, b)| same && a.eq_ignore_ascii_case(b))
        };
        self.within() && !begins(b"Event:") && !begins(b"Response:")
    }

    fn longest(&self) -> usize {
        let first = self.lines.first();
        if first.is_some_and(|line| line.starts_with("Response:")) {
            LONGEST_RESPONSE
        } else {
            LONGEST
        }
    }

    fn end_line(&mut self, framed: &mut impl FnMut(Framed)) {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !line.is_empty() {
            if self.skipping {
                return;
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            if !self.greeted {
                self.greeted = true;
                if let Some(version) = text.strip_prefix("Asterisk Call Manager/") {
                    self.size = 0;
                    framed(Framed::Greeting(version.to_owned()));
                    return;
                }
            }
            self.lines.push(text);
            return;
        }
        self.size = 0;
        if std::mem::take(&mut self.skipping) {
            framed(Framed::TooLong);
        } else if !self.lines.is_empty() {
            let lines = std::mem::take(&mut self.lines);
            framed(Framed::Message(Message::from_lines(
                lines.iter().map(String::as_str),
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], cut: usize) -> Vec<Framed> {
        let (mut framing, mut all) = (Framing::default(), Vec::new());
        let (first, second) = bytes.split_at(cut);
        framing.read(first, |framed| all.push(framed));
        framing.read(second, |framed| all.push(framed));
        all
    }

    #[test]
    fn wherever_the_reads_are_cut_the_blocks_are_the_same() {
        let stream = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\n\r\n\
                       Event: A\r\nKey: v\r\n\r\nEvent: B\r\n\r\n";
        let expected = whole(stream, 0);
        assert_eq!(expected.len(), 4, "{expected:?}");
        assert_eq!(expected[0], Framed::Greeting("11.0.0".into()));
        for cut in 0..=stream.len() {
            assert_eq!(whole(stream, cut), expected, "cut at {cut}");
        }
    }

    #[test]
    fn the_middle_of_a_rest_is_told_from_the_middle_of_an_event() {
        let stood = |bytes: &[u8]| {
            let mut framing = Framing::after_greeting();
            framing.read(bytes, |_| ());
            (framing.within(), framing.within_rest())
        };
        assert_eq!(stood(b""), (false, false));
        assert_eq!(stood(b"Event: A\r\n\r\n"), (false, false));
        assert_eq!(stood(b"Eve"), (true, false));
        assert_eq!(stood(b"Event: A\r\nSess"), (true, false));
        assert_eq!(stood(b"Event: A\r\n\r\nSess"), (true, true));
        assert_eq!(stood(b"SessionID: 1\r\nEve"), (true, true));
    }

    #[test]
    fn what_a_command_puts_out_may_be_long() {
        let mut framing = Framing::after_greeting();
        let mut all = Vec::new();
        let line = format!("Output: {}\r\n", "x".repeat(1000));
        let block = format!("Response: Success\r\n{}\r\n", line.repeat(1000));
        framing.read(block.as_bytes(), |framed| all.push(framed));
        let [Framed::Message(message)] = all.as_slice() else {
            panic!("{} pieces", all.len());
        };
        assert_eq!(message.fields().count(), 1001);
    }

    #[test]
    fn a_block_without_end_holds_no_memory_and_the_next_is_read() {
        let (mut framing, mut all) = (Framing::default(), Vec::new());
        let mut keep = |framed| all.push(framed);
        framing.read(
            b"Asterisk Call Manager/9\r\nEvent: Long\r\nKey: ",
            &mut keep,
        );
        for _ in 0..1000 {
            framing.read(&[b'x'; 10_000], &mut keep);
            assert!(
                framing.line.capacity() <= 2 * LONGEST && framing.lines.is_empty()
                    || framing.size <= LONGEST
            );
        }
        framing.read(b"\r\nOther: 1\r\n\r\nEvent: Next\r\n\r\n", &mut keep);
        assert_eq!(all.len(), 3, "{all:?}");
        assert_eq!(all[1], Framed::TooLong);
        assert_eq!(
            all[2],
            Framed::Message(Message::from_lines(["Event: Next"]))
        );
    }
}
