//! Why nftables did not do as told.

use std::io;
use std::time::Duration;

/// Why nftables did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// There is no program.
    #[error("the program nft is not there; install the package nftables")]
    Missing,
    /// It may not.
    #[error(
        "nft may not change the firewall: {0}; run it as root, or with the capability CAP_NET_ADMIN"
    )]
    Privilege(String),
    /// The kernel has no nftables.
    #[error(
        "the kernel has no nftables: {0}; load the module nf_tables, or use a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET"
    )]
    Kernel(String),
    /// The batch or the question was refused; nothing was changed.
    #[error("nft refused: {0}")]
    Refused(String),
    /// It took too long and was killed.
    #[error("nft did not end within {} s and was killed; see whether the machine is overloaded", .0.as_secs())]
    Late(Duration),
    /// It could not be run.
    #[error("cannot run nft: {0}")]
    Run(#[from] io::Error),
    /// What it said is no answer, or what it was to be told no JSON.
    #[error("the JSON of nft cannot be read or written: {0}; nftables 1.0.2 or newer is needed")]
    Unreadable(serde_json::Error),
}

/// So much of what `nft` says is kept, in bytes.
const KEPT: usize = 500;

impl NftError {
    /// By what `nft` said on standard error when it failed.
    pub(super) fn from_said(said: &str) -> Self {
        let text = shortened(said);
        if said.contains("Operation not permitted") || said.contains("Permission denied") {
            return Self::Privilege(text);
        }
        let unsupported = ["Protocol not supported", "Address family not supported"];
        let unsupported = unsupported.iter().any(|words| said.contains(words));
        // Of a rule it means that one expression of it is not supported.
        let initial = said.contains("cache initialization failed")
            && (said.contains("Operation not supported") || said.contains("Invalid argument"));
        if unsupported || initial {
            return Self::Kernel(text);
        }
        Self::Refused(text)
    }
}

/// The lines of the message in one, without the place that JSON has none of, cut off where it grows long.
fn shortened(said: &str) -> String {
    let lines = said.lines().map(|line| {
        line.trim()
            .trim_start_matches("internal:0:0-0: ")
            .trim_start_matches("Error: ")
    });
    let told: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let mut text = told.join("; ");
    if text.is_empty() {
        return "it gave no reason".into();
    }
    if text.len() > KEPT {
        let end = (0..=KEPT).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nft_says_is_told_in_words_that_help() {
        for (said, expected) in [
            (
                "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n",
                "CAP_NET_ADMIN",
            ),
            (
                "Unable to initialize Netlink socket: Protocol not supported",
                "CONFIG_NF_TABLES",
            ),
            (
                "netlink: Error: cache initialization failed: Invalid argument",
                "nf_tables",
            ),
            (
                "internal:0:0-0: Error: Could not process rule: No such file or directory\n\n",
                "nft refused: Could not process rule: No such file or directory",
            ),
            (
                "internal:0:0-0: Error: Could not process rule: Operation not supported",
                "nft refused",
            ),
            ("", "it gave no reason"),
        ] {
            let told = NftError::from_said(said).to_string();
            assert!(told.contains(expected), "{said}: {told}");
        }
        let long = "é".repeat(10_000);
        assert!(NftError::from_said(&long).to_string().len() < 600);
    }
}
