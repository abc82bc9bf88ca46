//! What running leaves behind: state, and tables of nftables.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Outcome;

/// What must last, unless the configuration says otherwise.
pub const STATE: &str = "/var/lib/ringfence";

/// Where the daemon listens, unless the configuration says otherwise.
const RUNTIME: &str = "/run/ringfence";

/// Our tables of nftables.
const TABLES: [&str; 2] = ["ringfence", "ringfence_host"];

/// Deletes our tables of nftables; their names, where they were there. Without `nft` there is none.
pub fn drop_tables() -> Vec<&'static str> {
    let delete = |table: &&str| {
        Command::new("nft")
            .args(["delete", "table", "inet", table])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    TABLES.into_iter().filter(delete).collect()
}

/// Removes the directory of the daemon's socket, if nothing is left in it.
pub fn remove_runtime() {
    // Whatever is in it is not ours, and it goes with the next boot.
    let _ = fs::remove_dir(RUNTIME);
}

/// Removes a state directory and all in it.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_state(directory: &Path) -> io::Result<Outcome> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::Absent),
        done => done.map(|()| Outcome::Removed),
    }
}
