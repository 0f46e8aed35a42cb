//! `msnd db`: where the schema stands, migrations, online backup.

use super::{
    ConfigArgs, Failure,
    backend::{self, block_on},
    output,
};
use crate::store::{
    SchemaStatus,
    sqlite::{self, OpenError},
};
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
The server applies missing migrations when it starts, so `migrate` is for those who want to do it
at another time. A database from a newer msnd is refused, never changed. A backup has the schema
of the database it is made from.

Examples:
  msnd db backup /backup/msnd-$(date +%F).sqlite
  msnd db status --data-dir /var/lib/msnd";

/// Look after the database: schema and backup
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DbArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply missing migrations; makes the database if there is none
    Migrate,
    /// Say where the database is and which migrations it has; changes nothing
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a consistent copy to FILE, which must not exist; the server may run meanwhile
    Backup {
        /// Where to
        file: PathBuf,
    },
}

/// Does it.
pub(super) fn run(args: &DbArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    match &args.action {
        Action::Migrate => report(&block_on(backend::migrate(&config))?, false),
        Action::Status { json } => report(&block_on(backend::schema(&config))?, *json),
        Action::Backup { file } => block_on(async {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let folder = folder.display();
                return Err(anyhow!("there is no folder {folder}; make it, or name another").into());
            }
            // Opening it as a store would migrate it.
            let SchemaStatus { database, applied, known } = backend::schema(&config).await?;
            if applied > known {
                let newer = OpenError::Newer { database, applied, known };
                return Err(anyhow::Error::new(newer).into());
            }
            sqlite::backup(&config.database_file(), file)
                .await
                .with_context(|| format!("no backup was written to {}", file.display()))?;
            output::print(&format!("wrote {}\n", file.display()))
        }),
    }
}

fn report(status: &SchemaStatus, json: bool) -> Result<(), Failure> {
    let SchemaStatus { database, applied, known } = status;
    let (state, advice) = match applied.cmp(known) {
        std::cmp::Ordering::Less => ("older", "`msnd db migrate` or the next start brings it up"),
        std::cmp::Ordering::Equal => ("current", "nothing to do"),
        std::cmp::Ordering::Greater => ("newer", "only a newer msnd can use it"),
    };
    if json {
        return output::print_json(&json!({
            "database": database,
            "applied": applied,
            "known": known,
            "state": state,
        }));
    }
    output::print(&output::table(&[
        ["database".into(), database.clone()],
        ["schema".into(), format!("{applied}; this msnd knows {known}")],
        ["state".into(), format!("{state}: {advice}")],
    ]))
}
