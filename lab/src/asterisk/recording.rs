//! A recorded session: what was sent and received, read by read.

use std::collections::HashMap;
use std::io;
use std::path::Path;

/// A recorded session.
#[derive(Debug, Clone)]
pub struct Recording {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// The recorder sent this.
    Sent(String),
    /// Asterisk sent this.
    Received(Vec<u8>),
}

impl Recording {
    /// Reads `NAME.session.jsonl` and `NAME.rx` of a folder.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn load(folder: &Path, name: &str) -> io::Result<Self> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, name.to_owned());
        let bytes = std::fs::read(folder.join(format!("{name}.rx")))?;
        let timeline = std::fs::read_to_string(folder.join(format!("{name}.session.jsonl")))?;
        let (mut rest, mut steps) = (bytes.as_slice(), Vec::new());
        for line in timeline.lines() {
            let step: serde_json::Value = serde_json::from_str(line)?;
            if let Some(sent) = step["data"].as_str() {
                steps.push(Step::Sent(sent.to_owned()));
            } else if let Some(length) = step["len"].as_u64() {
                let length = usize::try_from(length).map_err(|_| wrong())?;
                let (read, behind) = rest.split_at_checked(length).ok_or_else(wrong)?;
                steps.push(Step::Received(read.to_vec()));
                rest = behind;
            }
        }
        if rest.is_empty() {
            Ok(Self { steps })
        } else {
            Err(wrong())
        }
    }

    /// Reads `NAME.rx` of a folder: what was received, without when it was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn received(folder: &Path, name: &str) -> io::Result<Self> {
        let bytes = std::fs::read(folder.join(format!("{name}.rx")))?;
        let steps = vec![Step::Received(bytes)];
        Ok(Self { steps })
    }

    /// Every block that was received without an answer's ActionID, the greeting and the goodbye left out.
    pub fn events(&self) -> Vec<u8> {
        let received = self.steps.iter().filter_map(|step| match step {
            Step::Received(bytes) => Some(bytes.as_slice()),
            Step::Sent(_) => None,
        });
        let all = received.collect::<Vec<_>>().concat();
        let greeting = all.iter().position(|byte| *byte == b'\n');
        let rest = all
            .get(greeting.map_or(0, |end| end + 1)..)
            .unwrap_or_default();
        let event =
            |block: &&[u8]| block.starts_with(b"Event:") && field(block, "ActionID").is_none();
        blocks(rest).filter(event).collect::<Vec<_>>().concat()
    }

    /// What was received for each action, by its name in lower case.
    pub fn answers(&self) -> HashMap<String, Vec<u8>> {
        let mut answers: HashMap<String, Vec<u8>> = HashMap::new();
        let mut asked = None;
        for step in &self.steps {
            match step {
                Step::Sent(block) => asked = field(block.as_bytes(), "Action"),
                Step::Received(bytes) => {
                    if let Some(action) = &asked {
                        let answer = answers.entry(action.to_ascii_lowercase()).or_default();
                        answer.extend_from_slice(bytes);
                    }
                }
            }
        }
        answers
    }
}

/// The blocks of a stream with their empty lines; what is behind the last is left out.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (block, behind) = rest.split_at_checked(end + 4)?;
        rest = behind;
        Some(block)
    })
}

/// The first value of a key in a block.
pub(super) fn field(block: &[u8], key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(block);
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(key)
            .then(|| value.trim().to_owned())
    })
}
