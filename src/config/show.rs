//! Prints the options in force as TOML that can be read again, each with where it came from.
//! Secrets are masked.

use super::{Config, Loaded, text::is_secret};
use std::fmt::Write as _;
use toml::{Table, Value};

/// What stands in place of a secret.
const MASK: &str = "***";

impl Loaded {
    /// All options by section; a comment behind a value names the file, variable or flag that set
    /// it.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.config.masked() {
            let Value::Table(keys) = keys else { continue };
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{gap}[{section}]");
            for (key, value) in keys {
                let _ = write!(text, "{key} = {value}");
                let _ = match self.origins.get(&format!("{section}.{key}")) {
                    Some(origin) => writeln!(text, "  # {origin}"),
                    None => writeln!(text),
                };
            }
        }
        text
    }
}

impl Config {
    /// All options by section and key, secrets masked.
    #[must_use]
    pub fn masked(&self) -> Table {
        // Every option is a plain value; a path that is not UTF-8 never gets this far.
        let mut sections = Table::try_from(self).unwrap_or_default();
        for (section, keys) in &mut sections {
            for (key, value) in keys.as_table_mut().into_iter().flatten() {
                if is_secret(&format!("{section}.{key}")) {
                    mask(value);
                }
            }
        }
        sections
    }
}

/// Masks texts; in lists of tables every field but the one that tells entries apart.
fn mask(value: &mut Value) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(mask),
        Value::Table(fields) => fields
            .iter_mut()
            .filter(|(name, _)| name.as_str() != "id")
            .for_each(|(_, value)| mask(value)),
        _ => *value = MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn challenge_keys_are_masked_and_their_ids_shown() {
        let shown = Loaded { config: Config::default(), origins: BTreeMap::default() }.show();
        assert!(shown.contains("PROD0038W!61ZTF9"));
        assert!(!shown.contains("VT6PX"), "{shown}");
        assert!(shown.contains("\nbind = \"0.0.0.0:1863\"\n"), "{shown}");
        toml::from_str::<Config>(&shown).unwrap();
    }
}
