//! Times of the small pieces of work in `benches/work`, and what they allocate:
//! `cargo bench --bench micro`, with a part of a name behind `--` for some of them. Judges nothing.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../work/mod.rs"]
mod work;

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use work::{Case, encoding, fan_out, framing, visibility};

/// The same with so many others that making them takes a while: whoever else is online, or is not
/// let see the person, costs nothing.
const CROWDED: &[Case] = &[
    Case { name: "status_to_100_of_20000", items: 100, set_up: || fan_out::status(100, 20_000, 0) },
    Case { name: "with_1000_blocked", items: 100, set_up: || fan_out::status(100, 20_000, 1000) },
    Case {
        name: "status_to_10000_of_20000",
        items: 10_000,
        set_up: || fan_out::status(10_000, 20_000, 0),
    },
];

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = framing::CASES)]
fn framing(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = encoding::CASES)]
fn encoding(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = visibility::CASES)]
fn visibility(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = fan_out::CASES.iter().chain(CROWDED))]
fn fan_out(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

fn measure(bencher: Bencher<'_, '_>, case: &Case) {
    bencher.counter(ItemsCount::new(case.items)).bench_local((case.set_up)());
}
