# Everyday commands; `just` lists them. None is needed: each is one plain line.

_default:
    @just --list

# Format, lints and documentation, as the guard of main wants them.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# The whole test suite, or the tests whose name contains a word.
test *words:
    .ci/test {{words}}

# Kills the server in the middle of edits, so many times.
crash rounds="300" seed="100":
    MSND_CRASH_ROUNDS={{rounds}} MSND_CRASH_SEED={{seed}} .ci/test crash:: -- --ignored

# A million conversations one after the other: tells memory before and after.
soak:
    .ci/test a_million_conversations -- --ignored --nocapture

# Everything that guards main.
ci:
    .ci/run

# A server with its data in ./msnd-data, on ports that need no root.
run *flags:
    cargo run --locked -- run --set passport.https_bind=0.0.0.0:8443 {{flags}}

# Commands on that server's database: `just db status`.
db *words:
    cargo run --locked -- db {{words}}

# The load generator: what msnd reaches of the smallest program that moves the same bytes.
load *words:
    cargo bench --locked --bench load -- {{words}}

# Times and allocations of framing, encoding, visibility and fan-out; of some by a part of the name.
bench *words:
    cargo bench --locked --bench micro -- {{words}}

# Instructions of the same against benches/guard/figures.txt; `just guard --renew` after a wanted change.
guard *flags:
    .ci/guard {{flags}}

# The crate's documentation, with private items.
docs:
    cargo doc --no-deps --locked --document-private-items --open

# The container image.
image tag="msnd":
    docker build --tag {{tag}} .

# Known weaknesses in dependencies; asks the network.
audit:
    cargo deny --locked check
