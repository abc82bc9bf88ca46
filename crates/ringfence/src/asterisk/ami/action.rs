//! What is asked of Asterisk.

use super::AskError;

/// An action with its fields, as the manager interface names them. Its ActionID is the connection's business.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: String,
    fields: Vec<(String, String)>,
}

impl Action {
    /// An action without fields.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            fields: Vec::new(),
        }
    }

    /// The action with one field more. A line end in it is refused when the action is asked.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((key.into(), value.into()));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The block to send.
    ///
    /// # Errors
    /// When there is a line end or a NUL in it: it would be another action.
    pub(crate) fn block(&self, id: &str) -> Result<String, AskError> {
        let mut block = format!("Action: {}\r\nActionID: {id}\r\n", self.name);
        for (key, value) in &self.fields {
            block.push_str(&format!("{key}: {value}\r\n"));
        }
        let parts = self.fields.iter().flat_map(|(key, value)| [key, value]);
        let ends = |part: &String| part.contains(['\r', '\n', '\0']);
        if ends(&self.name) || parts.into_iter().any(ends) {
            return Err(AskError::LineEnd);
        }
        block.push_str("\r\n");
        Ok(block)
    }
}

/// Its name and keys; a value may be a secret.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.fields.iter().map(|(key, _)| key.as_str()).collect();
        write!(f, "Action {:?} with {keys:?}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_puts_an_action_into_a_value() {
        let action = |value: &str| Action::new("DBDel").with("Key", value).block("7");
        let block = "Action: DBDel\r\nActionID: 7\r\nKey: a b\r\n\r\n";
        assert_eq!(action("a b").unwrap(), block);
        for value in ["a\r\nAction: Command", "a\rb", "a\n", "\0"] {
            assert!(matches!(action(value), Err(AskError::LineEnd)), "{value:?}");
        }
        assert!(Action::new("A\r\n").block("7").is_err());
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", Action::new("Login").with("Key", "5f4d"));
        assert!(shown.contains("Key") && !shown.contains("5f4d"), "{shown}");
    }
}
