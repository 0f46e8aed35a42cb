//! A map with accounts as keys. Their numbers are ours, given one after the other, so nobody can
//! choose them to collide: no keyed hash is needed, and one multiplication does.

use crate::model::AccountId;
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// By account.
pub(super) type ByAccount<V> = HashMap<AccountId, V, BuildHasherDefault<NumberHasher>>;

/// Spreads a number over all bits.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

/// 2^64 divided by the golden ratio: neighbours land far from each other.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        // The table takes its place from the low bits, of which a product has the worst.
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(SPREAD);
    }
}
