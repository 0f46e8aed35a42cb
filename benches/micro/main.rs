//! Times of the small pieces of work in `benches/work`, and what they allocate:
//! `cargo bench --bench micro`, with a part of a name behind `--` for some of them. Judges nothing.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../work/mod.rs"]
mod work;

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use work::{Case, encoding, fan_out, framing, visibility};

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

#[divan::bench(args = fan_out::CASES.iter().chain(fan_out::CROWDED))]
fn fan_out(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

fn measure(bencher: Bencher<'_, '_>, case: &Case) {
    bencher.counter(ItemsCount::new(case.items)).bench_local((case.set_up)());
}
