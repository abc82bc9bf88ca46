//! What is installed, and where.

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

/// Where the configuration stands, whatever the prefix.
pub const CONFIGURATION: &str = "/etc/ringfence/ringfence.toml";

const UNIT: &str = include_str!("../../../../packaging/ringfence.service");
const TMPFILES: &str = include_str!("../../../../packaging/ringfence.tmpfiles");
const DEFAULTS: &str = include_str!("../../../../assets/ringfence.toml");
/// The program, as the unit names it.
const PROGRAM: &str = "/usr/bin/ringfence";

/// What becomes of a file that is there already, and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is replaced.
    Part,
    /// It is the administrator's, and stays.
    Configuration,
}

/// One file of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it stands, from the root on.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// Whose it is.
    pub kind: Kind,
    /// What it holds.
    pub contents: Vec<u8>,
}

/// Every file but the program itself, which stands at `PREFIX/bin/ringfence`. `command` is the table of commands, of which man
/// pages and completions are made. With the prefix `/usr`, as packages have it, unit and tmpfiles stand below `/usr/lib`, else
/// below `/etc`.
///
/// # Errors
/// When the man pages cannot be made.
pub fn files(prefix: &Path, command: &clap::Command) -> io::Result<Vec<File>> {
    let share = prefix.join("share");
    let (units, tmpfiles) = match packaged(prefix) {
        true => ("/usr/lib/systemd/system", "/usr/lib/tmpfiles.d"),
        false => ("/etc/systemd/system", "/etc/tmpfiles.d"),
    };
    let program = prefix.join("bin/ringfence");
    let unit = UNIT.replace(PROGRAM, &program.to_string_lossy());
    let mut files = vec![
        part(
            Path::new(units).join("ringfence.service"),
            unit.into_bytes(),
        ),
        part(Path::new(tmpfiles).join("ringfence.conf"), TMPFILES.into()),
        File {
            path: CONFIGURATION.into(),
            // It may hold secrets.
            mode: 0o600,
            kind: Kind::Configuration,
            contents: DEFAULTS.into(),
        },
    ];
    let completions = [
        (Shell::Bash, "bash-completion/completions/ringfence"),
        (Shell::Zsh, "zsh/site-functions/_ringfence"),
        (Shell::Fish, "fish/vendor_completions.d/ringfence.fish"),
    ];
    for (shell, path) in completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), "ringfence", &mut script);
        files.push(part(share.join(path), script));
    }
    let manual = share.join("man/man1");
    files.extend(
        man_pages(command)?
            .into_iter()
            .map(|(name, page)| part(manual.join(name), page)),
    );
    Ok(files)
}

/// Whether this is the prefix of packages.
pub fn packaged(prefix: &Path) -> bool {
    prefix == Path::new("/usr")
}

fn part(path: PathBuf, contents: Vec<u8>) -> File {
    File {
        path,
        mode: 0o644,
        kind: Kind::Part,
        contents,
    }
}

/// The man pages of a command and of all below it, by name: `ringfence.1`, `ringfence-run.1`, and so on.
///
/// # Errors
/// None but those of writing to memory.
pub fn man_pages(command: &clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    fn walk(
        command: &clap::Command,
        name: &str,
        pages: &mut Vec<(String, Vec<u8>)>,
    ) -> io::Result<()> {
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        pages.push((format!("{name}.1"), page));
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            walk(below, &format!("{name}-{}", below.get_name()), pages)?;
        }
        Ok(())
    }
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    walk(&command, "ringfence", &mut pages)?;
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(prefix: &str) -> Vec<File> {
        let command = clap::Command::new("ringfence").subcommand(clap::Command::new("run"));
        files(Path::new(prefix), &command).unwrap()
    }

    fn text<'a>(files: &'a [File], path: &str) -> &'a str {
        let file = files.iter().find(|file| file.path == Path::new(path));
        str::from_utf8(&file.unwrap().contents).unwrap()
    }

    #[test]
    fn the_unit_starts_the_program_of_the_prefix() {
        let packaged = of("/usr");
        let unit = text(&packaged, "/usr/lib/systemd/system/ringfence.service");
        assert!(unit.contains("\nExecStart=/usr/bin/ringfence run\n"));
        let local = of("/usr/local");
        let unit = text(&local, "/etc/systemd/system/ringfence.service");
        assert!(unit.contains("\nExecStart=/usr/local/bin/ringfence run\n"));
        assert!(!unit.contains("/usr/bin/"), "{unit}");
        text(&local, "/usr/local/share/man/man1/ringfence.1");
        text(&local, "/usr/local/share/man/man1/ringfence-run.1");
        text(&local, "/usr/local/share/zsh/site-functions/_ringfence");
    }

    /// What is installed drops nothing.
    #[test]
    fn the_configuration_is_closed_and_in_shadow_mode() {
        let files = of("/usr");
        let file = files.iter().find(|it| it.path == Path::new(CONFIGURATION));
        let file = file.unwrap();
        assert_eq!((file.mode, file.kind), (0o600, Kind::Configuration));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ringfence.toml");
        std::fs::write(&path, &file.contents).unwrap();
        let config = crate::config::Config::load(&path).unwrap();
        assert_eq!(config.mode, crate::config::Mode::Shadow);
        assert_eq!(
            config.control.socket.parent(),
            Some(Path::new("/run/ringfence"))
        );
        let state = Path::new(super::super::STATE);
        assert_eq!(config.state, state, "it is what the unit grants");
    }
}
