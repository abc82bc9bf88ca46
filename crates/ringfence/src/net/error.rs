//! What can go wrong when the kernel is asked.

use std::io;

/// Why the kernel did not answer, or refused.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No netlink socket.
    #[error("cannot open a netlink socket for {what}: {source}; allow AF_NETLINK to this process")]
    Socket {
        /// What it was for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A request failed.
    #[error("cannot read {what} from the kernel: {source}")]
    Route {
        /// What was asked for.
        what: &'static str,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// A question about TCP sockets failed.
    #[error("cannot list TCP sockets: {source}; load the kernel modules tcp_diag and inet_diag")]
    Sessions {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel did not end a TCP session.
    #[error(
        "cannot end a TCP session: {source}; it takes the capability CAP_NET_ADMIN and a kernel with \
         CONFIG_INET_DIAG_DESTROY"
    )]
    Destroy {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel's answer is not what its interface promises.
    #[error("the kernel's answer about {what} cannot be read: {detail}")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What does not fit.
        detail: String,
    },
    /// The socket that changes are heard on has ended.
    #[error("changes of the network are no longer heard; restart the daemon")]
    Ended,
}
