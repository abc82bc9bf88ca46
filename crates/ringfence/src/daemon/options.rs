//! How the daemon is started.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Config, EngineChoice, Mode};

/// How the daemon is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration file; None is the usual one if it exists.
    pub config: Option<PathBuf>,
    /// Interfaces in place of the configured ones.
    pub interfaces: Vec<String>,
    /// What judges packets, in place of the configured.
    pub engine: Option<EngineChoice>,
    /// The mode in place of the configured one.
    pub mode: Option<Mode>,
    /// For how long to enforce unless it is confirmed; the mode is enforce then.
    pub confirm: Option<Duration>,
    /// Start also where it locks the administrator out.
    pub yes: bool,
    /// The control socket in place of the configured one.
    pub socket: Option<PathBuf>,
    /// The BPF file system in place of the configured one.
    pub bpffs: Option<PathBuf>,
    /// The state directory in place of the configured one.
    pub state: Option<PathBuf>,
    /// The country data in place of the configured one.
    pub country_db: Option<PathBuf>,
}

/// The usual configuration file.
pub const CONFIG: &str = "/etc/ringfence/ringfence.toml";

impl Options {
    /// The configuration that they lead to.
    pub fn load(&self) -> Result<Config, crate::config::LoadError> {
        let usual = PathBuf::from(CONFIG);
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None if usual.exists() => Config::load(&usual)?,
            None => Config::default(),
        };
        if !self.interfaces.is_empty() {
            config.interfaces.clone_from(&self.interfaces);
        }
        config.engine = self.engine.unwrap_or(config.engine);
        config.mode = self.mode.unwrap_or(config.mode);
        let put = |place: &mut PathBuf, given: &Option<PathBuf>| {
            if let Some(given) = given {
                place.clone_from(given);
            }
        };
        put(&mut config.control.socket, &self.socket);
        put(&mut config.bpffs, &self.bpffs);
        put(&mut config.state, &self.state);
        if let Some(file) = &self.country_db {
            config.country.use_file(file.clone());
        }
        Ok(config)
    }
}
