//! The test laboratory of Ringfence: real components in network namespaces.
//!
//! [`Lab`] lays out the network, [`Kamailio`] is the telephone system, [`Phone`] a SIPp phone,
//! [`attack`] the tools that scanners use, [`Ringfence`] the fence under test, and
//! [`PacketCounter`] what was really on the wire. All traffic stays inside namespaces that the
//! laboratory made, and every run is bounded in count and time.
//!
//! `lab/setup.sh` installs what is run here. Everything but [`asterisk`] and [`provider`] needs root: a test begins with
//! [`needs_root`].

use std::path::{Path, PathBuf};

mod agent;
pub mod asterisk;
pub mod attack;
mod delivered;
mod error;
mod fence;
mod forge;
mod kamailio;
mod netns;
mod packets;
mod phone;
mod process;
pub mod provider;
mod record;
mod sipp;
mod sweep;
mod system;
mod topology;
mod wire;

pub use agent::{Agent, Peer};
pub use error::{Error, Result};
pub use fence::{ENGINE, Ringfence, program, without_signatures};
pub use forge::Forger;
pub use kamailio::{Asking, Kamailio, Manner, Request, Setup};
pub use netns::Netns;
pub use packets::{Packet, PacketCounter};
pub use phone::{CallReport, Calling, HangsUp, Office, Outside, Phone, Transport};
pub use process::Finished;
pub use record::{Frame, Recorder};
pub use sipp::SippReport;
pub use sweep::{PREFIX, sweep};
pub use system::{Service, System};
pub use topology::{Lab, PBX_V4, PBX_V6, Subnets};
pub use wire::Wire;

/// Whether the caller must skip: says so on standard output when the process is not root.
pub fn needs_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    !root
}

/// Where cargo builds, and `lab/setup.sh` keeps its Python environment.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    )
}
