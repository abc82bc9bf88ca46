//! Reads `[nfqueue]`.

use std::num::NonZero;

use super::keys::NFQUEUE;
use super::nfqueue::Nfqueue;
use super::reader::{Reader, Section};

/// Queues at most.
const QUEUES: u16 = 64;

/// The section, or its defaults.
pub(super) fn nfqueue(reader: &mut Reader<'_>, top: &Section<'_>) -> Nfqueue {
    let mut nfqueue = Nfqueue::default();
    let Some(table) = top
        .get("nfqueue")
        .and_then(|item| reader.table(&NFQUEUE, item))
    else {
        return nfqueue;
    };
    let last = u32::from(u16::MAX - QUEUES);
    let number = |reader: &mut Reader<'_>, key, most: u32, least| {
        let found = table
            .get(key)
            .and_then(|item| reader.number(item, least..=most));
        found.and_then(|number| u16::try_from(number).ok())
    };
    if let Some(first) = number(reader, "first", last, 0) {
        nfqueue.first = first;
    }
    if let Some(queues) = number(reader, "queues", u32::from(QUEUES), 1) {
        nfqueue.queues = NonZero::new(queues);
    }
    if let Some(length) = table
        .get("length")
        .and_then(|item| reader.number(item, 64..=1_000_000))
    {
        nfqueue.length = length;
    }
    if let Some(fail) = table.get("fail").and_then(|item| reader.word(item)) {
        nfqueue.fail = fail;
    }
    nfqueue
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, EngineChoice, Fail, Nfqueue};

    #[test]
    fn all_of_it() {
        let text = "engine = \"nfqueue\"\n[nfqueue]\nfirst = 100\nqueues = 2\nlength = 1024\nfail = \"closed\"\n";
        let config = Config::parse(text, "ringfence.toml").unwrap();
        assert_eq!(config.engine, EngineChoice::Nfqueue);
        let nfqueue = Nfqueue {
            first: 100,
            queues: 2.try_into().ok(),
            length: 1024,
            fail: Fail::Closed,
        };
        assert_eq!(config.nfqueue, nfqueue);
        assert_eq!(Config::default().engine, EngineChoice::Auto);
    }

    #[test]
    fn numbers_have_bounds() {
        for (text, told) in [
            ("[nfqueue]\nfirst = 65535", "`first`"),
            ("[nfqueue]\nqueues = 0", "`queues`"),
            ("[nfqueue]\nlength = 1", "`length`"),
            ("[nfqueue]\nfail = \"ajar\"", "write \"open\" or \"closed\""),
            ("engine = \"ebpf\"", "`engine`"),
        ] {
            let error = Config::parse(text, "ringfence.toml")
                .unwrap_err()
                .to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
