//! What holds and what does not, a line each.

use std::fmt::Display;

/// A running sum of checks.
#[derive(Default)]
pub struct Report {
    passed: u32,
    failed: u32,
}

impl Report {
    /// Notes whether something holds, and prints it with what was found.
    pub fn check(&mut self, what: impl Display, holds: bool, found: impl Display) {
        if holds {
            self.passed += 1;
            println!("PASS {what}: {found}");
        } else {
            self.failed += 1;
            println!("FAIL {what}: {found}");
        }
    }

    /// Prints the sum; whether all holds.
    pub fn end(&self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed != 0
    }
}
