//! The small pieces of work that are measured: `benches/micro` takes their time, `benches/guard`
//! counts their instructions. Uses the public interface only, and knows nothing of who measures.

pub(crate) mod encoding;
pub(crate) mod fan_out;
pub(crate) mod framing;
pub(crate) mod visibility;

use msnd::{
    hub::Person,
    model::{AccountId, Address, Name},
};
use std::{fmt, sync::Arc};

/// One piece of work.
pub(crate) struct Case {
    /// Unique, without spaces.
    pub(crate) name: &'static str,
    /// What one round handles: frames, lines, look-ups, deliveries.
    pub(crate) items: usize,
    /// Makes everything that rounds need.
    pub(crate) set_up: fn() -> Round,
}

/// Does the work once. A round leaves everything as the next one needs it.
pub(crate) type Round = Box<dyn FnMut()>;

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Somebody with a handle and a name.
fn person(number: u32) -> Arc<Person> {
    let address = Address::parse(&format!("user{number}@example.test")).unwrap();
    Person::new(AccountId(u64::from(number)), address, Name::new("Ordinary Name").unwrap())
}
