//! What the kernel knows of this host's network, asked over netlink: interfaces and their addresses, routes, changes of
//! both, and TCP sessions.
//!
//! Everything concerns the network namespace of the calling thread. The functions that are `async` need a tokio runtime
//! with I/O; a current-thread one will do.

mod error;
mod holder;
mod interface;
mod listeners;
mod private;
mod route;
mod rtnl;
mod sockets;
mod ssh;
mod sshd;
mod tap;
mod tcp;
mod watch;

pub use error::NetError;
pub use holder::listener;
pub use interface::{Interface, LinkType, XdpAttachment, XdpMode, interfaces, own_addresses};
pub use listeners::{Listener, listeners};
pub use private::{is_private, private_ranges};
pub use route::{Route, default_gateways, default_route_interfaces, routes};
pub use sockets::{Heard, hearing};
pub use ssh::{ssh_connection, ssh_sessions, sshd_ports};
pub use tap::{Overheard, Tap};
pub use tcp::{TcpSession, destroy_tcp, tcp_sessions};
pub use watch::{Change, LinkChange, Watch};

#[cfg(test)]
pub(crate) mod testing;
