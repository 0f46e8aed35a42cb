//! Log set-up: human text or JSON, always to standard error, filtered by `log.level`. Knows no
//! event by name.

use crate::config::{self, LogFormat, log_filter};
use std::io::{self, IsTerminal as _};
use tracing::Subscriber;
use tracing_subscriber::{
    Layer as _, Registry, fmt, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is no filter. [`config::load`] refuses such values too.
    #[error("`log.level`: {0}")]
    Filter(String),
    /// Somebody has set up logging already, which can be done once in a process.
    #[error("logging is set up already")]
    Twice,
}

/// Starts logging for the whole process. Colours only on a terminal, and not if `NO_COLOR` is set.
///
/// # Errors
/// [`TelemetryError`]; nothing has changed then.
pub fn init(log: &config::Log) -> Result<(), TelemetryError> {
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    subscriber(log, colours, io::stderr)?.try_init().map_err(|_| TelemetryError::Twice)
}

fn subscriber<W>(
    log: &config::Log,
    colours: bool,
    writer: W,
) -> Result<impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync, TelemetryError>
where
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = log_filter(&log.level).map_err(TelemetryError::Filter)?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(Registry::default().with(lines.with_filter(filter)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written when an account signs in and a detail is mentioned.
    fn written(level: &str, format: LogFormat) -> String {
        let log = config::Log { level: level.into(), format, ..config::Log::default() };
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(&log, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(user = "alice@example.test", "signed in");
            tracing::debug!("a detail");
        });
        let bytes = lines.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_has_time_level_and_fields_on_one_line() {
        let text = written("info", LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" INFO ") && text.contains("user=\"alice@example.test\""), "{text}");
        assert!(text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && !text.contains('\x1b'));
    }

    #[test]
    fn json_is_one_object_a_line_with_fields_at_the_top() {
        let text = written("info", LogFormat::Json);
        let event: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(event["user"], "alice@example.test");
        assert_eq!(event["message"], "signed in");
        assert_eq!(event["level"], "INFO");
    }

    #[test]
    fn the_filter_decides() {
        assert_eq!(written("info,msnd::telemetry=debug", LogFormat::Text).lines().count(), 2);
        assert_eq!(written("off", LogFormat::Text), "");
        let log = config::Log { level: "loud".into(), ..config::Log::default() };
        assert!(matches!(init(&log), Err(TelemetryError::Filter(_))));
    }
}
