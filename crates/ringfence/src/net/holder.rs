//! Which program holds a socket.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{NetError, tcp};

/// The name of the program that listens where `address` would be listened on; none where nobody does, or it may not be seen
/// who. It takes root to see the sockets of others. Source: sock_diag and /proc.
///
/// # Errors
/// When the kernel cannot be asked for listening sockets.
pub fn listener(address: SocketAddr) -> Result<Option<String>, NetError> {
    let in_the_way = |held: &SocketAddr| {
        held.port() == address.port()
            && (held.ip() == address.ip().to_canonical()
                || held.ip().is_unspecified()
                || address.ip().is_unspecified())
    };
    let inodes: Vec<u64> = tcp::listening()?
        .iter()
        .filter(|socket| in_the_way(&tcp::session(socket).local))
        .map(|socket| u64::from(socket.inode))
        .collect();
    let holds = |process: &PathBuf| sockets(process).any(|inode| inodes.contains(&inode));
    let holder = processes(Path::new("/proc")).find(holds);
    Ok(holder.and_then(|process| name(&process)))
}

/// The directories of all processes.
pub(super) fn processes(proc: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// The name of a process, as the kernel shows it.
pub(super) fn name(process: &Path) -> Option<String> {
    let name = fs::read_to_string(process.join("comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// The inodes of all sockets that a process holds. None of one that ended meanwhile, or that may not be looked into.
pub(super) fn sockets(process: &Path) -> impl Iterator<Item = u64> {
    let files = fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    files.filter_map(|file| {
        let target = fs::read_link(file.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        inode.strip_suffix(']')?.parse().ok()
    })
}

/// Whether the kernel says what files a process holds.
pub(super) fn can_be_looked_into(process: &Path) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let refused = |path: PathBuf| {
        fs::read_link(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    !files.flatten().any(|file| refused(file.path()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_named() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let own = name(Path::new("/proc/self"));
        assert!(own.is_some());
        assert_eq!(listener(address).unwrap(), own);
        let any = SocketAddr::new([0, 0, 0, 0].into(), address.port());
        assert_eq!(listener(any).unwrap(), own);
        let other = SocketAddr::new([127, 0, 0, 2].into(), address.port());
        assert_eq!(listener(other).unwrap(), None);
    }
}
