//! How many files the process may have open, and whether that is enough for its options.

use crate::config::Config;
use rlimit::Resource;

/// Open files that are neither a client's connection nor one of the database's readers: listeners,
/// log, certificate, the database's writer, a backup, and room to breathe.
const FILES_RESERVE: u64 = 64;
/// Connections of the admin API, on its socket and on TCP.
const FILES_ADMIN: u64 = 2 * crate::admin::CONNECTIONS_MAX as u64;
/// Open files of one reader: the database and its write-ahead log.
const FILES_PER_READER: u64 = 2;

/// Raises the limit as far as the system lets us, and says so in the log if it is too low then.
pub(super) fn raise_limit(config: &Config) {
    let limit = rlimit::increase_nofile_limit(u64::MAX).or_else(|error| {
        tracing::warn!("cannot raise the limit of open files: {error}");
        Resource::NOFILE.get_soft()
    });
    if let Ok(limit) = limit
        && let Some(warning) = warning(config, limit)
    {
        tracing::warn!("{warning}");
    }
}

fn warning(config: &Config, limit: u64) -> Option<String> {
    let connections = u64::try_from(config.limits.connections_max).unwrap_or(u64::MAX);
    let own = FILES_RESERVE + FILES_ADMIN + FILES_PER_READER * u64::from(config.store.readers);
    if connections.saturating_add(own) <= limit {
        return None;
    }
    Some(format!(
        "limits.connections_max is {connections}, but this process may have only {limit} files \
         open and needs {own} of them for itself: raise the limit (LimitNOFILE in a systemd unit, \
         ulimits.nofile in a compose file, `ulimit -Hn` in a shell) or set limits.connections_max \
         to at most {}",
        limit.saturating_sub(own).max(1)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_files_are_told_with_both_numbers() {
        let mut config = Config::default();
        config.limits.connections_max = 20_000;
        assert_eq!(warning(&config, 20_200), None);
        let text = warning(&config, 20_199).unwrap();
        for part in ["connections_max is 20000,", "only 20199 files", "at most 19999"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(warning(&config, 10).unwrap().ends_with("at most 1"));
    }
}
