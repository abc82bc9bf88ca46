//! Where an SSH server says that it listens. Source: sshd_config(5), sshd(8), dropbear(8).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The configuration of OpenSSH's server.
pub(super) const CONFIG: &str = "/etc/ssh/sshd_config";

/// Bytes read of a file.
const LONGEST: usize = 256 * 1024;

/// The ports that the command line of the process in this directory of /proc and the configuration name, that of `.d`
/// beside it included. None where they name no port.
pub(super) fn ports(process: &Path, config: &Path) -> Vec<u16> {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .filter_map(|word| str::from_utf8(word).ok())
        .collect();
    let mut ports = of_arguments(&words);
    for file in files(config) {
        let text = fs::read(&file).unwrap_or_default();
        let text = text.get(..LONGEST).unwrap_or(&text);
        ports.extend(of_config(&String::from_utf8_lossy(text)));
    }
    ports
}

/// The file, and those of the directory of the same name with `.d`.
fn files(config: &Path) -> Vec<PathBuf> {
    let mut directory = config.to_owned().into_os_string();
    directory.push(".d");
    let parts = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = parts
        .map(|part| part.path())
        .filter(|path| path.extension().is_some_and(|it| it == "conf"))
        .collect();
    files.push(config.to_owned());
    files
}

/// `-p 2222`, `-p2222`, and dropbear's `-p 192.0.2.1:2222`.
fn of_arguments(words: &[&str]) -> Vec<u16> {
    let following = words.windows(2).filter_map(|pair| match pair {
        ["-p", port] => Some(*port),
        _ => None,
    });
    let joined = words.iter().filter_map(|word| word.strip_prefix("-p"));
    following.chain(joined).filter_map(port).collect()
}

/// `Port 2222`, `ListenAddress 192.0.2.1:2222` and `ListenAddress [2001:db8::1]:2222`.
fn of_config(text: &str) -> Vec<u16> {
    let of_line = |line: &str| {
        let words = line.split(|c: char| c.is_ascii_whitespace() || c == '=');
        let mut words = words.filter(|word| !word.is_empty());
        let key = words.next()?.to_ascii_lowercase();
        let value = words.next()?.trim_matches('"');
        match key.as_str() {
            "port" => value.parse().ok(),
            "listenaddress" if value.contains(['[', '.']) || value.matches(':').count() == 1 => {
                port(value).filter(|_| value.contains(':'))
            }
            _ => None,
        }
    };
    text.lines().filter_map(of_line).collect()
}

/// A port alone, or at the end of an address.
fn port(text: &str) -> Option<u16> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.port());
    }
    text.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_name_a_port() {
        let text = "# Port 1\nPort 2222\n  port=2223\nListenAddress 192.0.2.1:2224\n\
                    ListenAddress [2001:db8::1]:2225\nListenAddress host.example:2226\n\
                    ListenAddress 2001:db8::1\nListenAddress 0.0.0.0\nPort none\nPortable 9\n";
        assert_eq!(of_config(text), [2222, 2223, 2224, 2225, 2226]);
    }

    #[test]
    fn what_cannot_be_looked_into_is_read_about() {
        let dir = tempfile::tempdir().unwrap();
        let process = dir.path().join("1");
        fs::create_dir(&process).unwrap();
        let line = ["dropbear", "-p", "192.0.2.1:2022", "-p2023", ""].join("\0");
        fs::write(process.join("cmdline"), line).unwrap();
        let config = dir.path().join("sshd_config");
        fs::write(&config, "Port 22\n").unwrap();
        let more = dir.path().join("sshd_config.d");
        fs::create_dir(&more).unwrap();
        fs::write(more.join("a.conf"), "Port 2024\n").unwrap();
        fs::write(more.join("b.txt"), "Port 2025\n").unwrap();
        assert_eq!(ports(&process, &config), [2022, 2023, 2024, 22]);
        assert!(ports(Path::new("/nonexistent"), Path::new("/nonexistent")).is_empty());
    }
}
