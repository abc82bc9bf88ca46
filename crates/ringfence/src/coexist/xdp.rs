//! The XDP program on an interface, as far as the kernel tells whose it is.

use aya::programs::loaded_programs;

/// The name of libxdp's dispatcher, which calls several programs in turn (libxdp(3)).
pub const DISPATCHER: &str = "xdp_dispatcher";
/// The name of Ringfence's own program.
const OURS: &str = "ingress";

/// A loaded program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name, which the kernel cuts to 15 bytes.
    pub name: String,
    /// The tag of its instructions, as `bpftool prog` shows it in hexadecimal.
    pub tag: u64,
}

impl Program {
    /// Whether it may be Ringfence's.
    pub fn is_ours(&self) -> bool {
        self.name == OURS
    }
}

/// What the kernel tells of a program by its number; none where there is none, or it may not be seen, which takes
/// CAP_SYS_ADMIN.
pub fn attached_program(id: u32) -> Option<Program> {
    let program =
        loaded_programs().find_map(|program| program.ok().filter(|program| program.id() == id))?;
    Some(Program {
        name: String::from_utf8_lossy(program.name()).into_owned(),
        // Read in the machine's byte order, while its bytes are what is shown.
        tag: u64::from_be_bytes(program.tag().to_ne_bytes()),
    })
}
