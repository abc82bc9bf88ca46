//! Passwords that are easily guessed.

/// The fewest characters of a password that is worth the name.
const SHORTEST: usize = 8;

/// What is wrong with a password, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// There is none.
    Empty,
    /// It is the user's name.
    User,
    /// It has digits only.
    Digits,
    /// It has fewer than eight characters.
    Short,
}

impl Fault {
    /// Every one, the worst first.
    pub const ALL: [Self; 4] = [Self::Empty, Self::User, Self::Digits, Self::Short];

    /// In words, behind "the password".
    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::User => "is the name of the user",
            Self::Digits => "has digits only",
            Self::Short => "is shorter than eight characters",
        }
    }
}

/// What is wrong with the password of whoever goes by these names.
pub(super) fn fault(names: &[&str], password: &str) -> Option<Fault> {
    if password.is_empty() {
        Some(Fault::Empty)
    } else if names.iter().any(|name| name.eq_ignore_ascii_case(password)) {
        Some(Fault::User)
    } else if password.bytes().all(|byte| byte.is_ascii_digit()) {
        Some(Fault::Digits)
    } else if password.chars().count() < SHORTEST {
        Some(Fault::Short)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_told() {
        for (password, expected) in [
            ("", Some(Fault::Empty)),
            ("Alice-at-home", Some(Fault::User)),
            ("1001", Some(Fault::User)),
            ("9876543210", Some(Fault::Digits)),
            ("pw-1001", Some(Fault::Short)),
            ("pw-10011", None),
        ] {
            let found = fault(&["1001", "alice-at-home"], password);
            assert_eq!(found, expected, "{password}");
        }
    }
}
