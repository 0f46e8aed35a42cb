//! Reading a fixture from a file. What stands in it is the fixture's business.

use super::Failure;
use crate::{
    fixture::{self, FIXTURE_BYTES_MAX, FixtureUser},
    model::{Address, Name, roster::RosterLimits},
};
use std::{collections::HashMap, fs::File, io::Read as _, path::Path};
use zeroize::Zeroizing;

/// Reads and checks a fixture; `others` are people who are there already.
pub(super) fn read(
    path: &Path,
    limits: RosterLimits,
    others: &HashMap<Address, Name>,
) -> Result<Vec<FixtureUser>, Failure> {
    let refuse = |text: String| Failure::File { path: path.into(), text };
    let unreadable = |error| refuse(format!("cannot be read ({error}); name an existing file"));
    let file = File::open(path).map_err(unreadable)?;
    // Wiped afterwards: it may hold passwords. With room for all, since growing leaves copies.
    let expected = file.metadata().map_or(0, |metadata| metadata.len()).min(FIXTURE_BYTES_MAX);
    let room = usize::try_from(expected).unwrap_or_default().saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(FIXTURE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FIXTURE_BYTES_MAX {
        return Err(refuse(format!("longer than {FIXTURE_BYTES_MAX} bytes")));
    }
    let name = path.display().to_string();
    fixture::parse(&text, &name, limits, others).map_err(Failure::Fixture)
}
