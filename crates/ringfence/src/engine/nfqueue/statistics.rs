//! What the kernel counts of queues. Source: net/netfilter/nfnetlink_queue.c, `seq_show`.

use std::fs;

/// What became of packets that no verdict was waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// The queue was full.
    pub full: u64,
    /// The socket was full.
    pub unheard: u64,
}

impl Lost {
    /// Both.
    pub fn all(self) -> u64 {
        self.full.saturating_add(self.unheard)
    }
}

/// What was lost of the queues from `first` to `last`, as the kernel counts it; None where it does not say.
pub fn lost((first, last): (u16, u16)) -> Option<Lost> {
    let text = fs::read_to_string("/proc/thread-self/net/netfilter/nfnetlink_queue").ok()?;
    Some(of_text(&text, (first, last)))
}

fn of_text(text: &str, (first, last): (u16, u16)) -> Lost {
    let mut lost = Lost::default();
    for line in text.lines() {
        let mut words = line
            .split_whitespace()
            .map(|word| word.parse::<u64>().unwrap_or(0));
        let number = words.next().unwrap_or(u64::MAX);
        if (u64::from(first)..=u64::from(last)).contains(&number) {
            // Behind the number: the holder, how many wait, the mode, the range.
            lost.full += words.nth(4).unwrap_or(0);
            lost.unheard += words.next().unwrap_or(0);
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = "\
 5060  12345     0 2 65531     7     2     1234  1
 5061  12345     0 2 65531     1     0     1234  1
 9999  12345     0 2 65531    50    50     1234  1
";
        let lost = of_text(text, (5060, 5061));
        assert_eq!(
            lost,
            Lost {
                full: 8,
                unheard: 2
            }
        );
        assert_eq!(of_text("", (0, 1)), Lost::default());
    }
}
