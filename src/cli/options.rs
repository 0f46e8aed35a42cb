//! The flags with which every command that needs options finds them.

use crate::config::{Config, ConfigError, Flag, Loaded, Overrides, VARIABLE_PREFIX, trace};
use std::path::PathBuf;

/// Where options come from.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where options come from")]
pub struct ConfigArgs {
    /// Read options from FILE; without it from the file that MSND_CONFIG names, if any
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Keep database and certificate in DIR; short for --set data.dir=DIR
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<String>,
    /// Set one option, such as log.level=debug; can be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, value_parser = parse_set)]
    pub set: Vec<(String, String)>,
}

impl ConfigArgs {
    /// File, then environment, then these flags, over the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        self.load_over(Config::default())
    }

    /// File, then environment, then these flags, over `base`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load_over(&self, base: Config) -> Result<Loaded, ConfigError> {
        // `vars` would panic at a variable that is no text, whoever's it is.
        let env = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(VARIABLE_PREFIX))?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        trace(self.config.as_deref(), env, &Overrides { base, flags: self.flags() })
    }

    fn flags(&self) -> Vec<Flag> {
        let folder = self.data_dir.iter().map(|dir| Flag {
            name: "--data-dir".into(),
            key: "data.dir".into(),
            value: dir.clone(),
        });
        let set = self.set.iter().map(|(key, value)| Flag {
            name: "--set".into(),
            key: key.clone(),
            value: value.clone(),
        });
        folder.chain(set).collect()
    }
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
        None => Err("write it as section.key=value, such as log.level=debug".into()),
    }
}
