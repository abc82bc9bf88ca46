//! Downloads: country data, threat lists and answers of programming interfaces, over HTTP and HTTPS.
//!
//! [`fetch()`] brings a URL into a file: asked conditionally, resumed where a download was cut, bounded in time and
//! size, and looked at before anybody believes it. [`text`] brings a small answer into memory. [`unpack()`] takes the
//! data out of `.gz`, `.zip` and `.tar.gz`, whichever it is by its content.
//!
//! All of it blocks. A daemon runs it in a thread of its own, whose outcome comes back over a channel: a thread, since
//! a process that ends waits for no thread, while a runtime waits for its blocking tasks.
//!
//! Secrets stand in [`Secret`](crate::config::Secret)s and are in no error and in no file that is written here.

mod ask;
mod checksum;
mod client;
mod error;
mod get;
mod known;
mod later;
mod look;
mod part;
mod progress;
#[cfg(test)]
mod tests;
mod tls;
mod unpack;

pub use ask::{Ask, Expect, Limits};
pub use checksum::sha256_in;
pub use error::FetchError;
pub use get::{Got, fetch, text};
pub use known::Known;
pub use progress::{Bar, Progress, Silent, progress};
pub(crate) use tls::tls;
pub use unpack::{Unpacked, Want, unpack, unpacked};
