# What this project is worked on with: `just` lists it.

set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list --unsorted

# Everything that a change has to pass (.ci/run does the same after installing what it needs)
check: lint test test-programs doc

# Format and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# All tests of the daemon, or those whose name has `filter` in it
test *filter:
    cargo test --release --locked {{filter}}

# The tests of connectors, console, examples and comparison (about 15 minutes), or those of one: `just test-programs -p orderd-console`
test-programs *args:
    tests/programs {{args}}

# PostgreSQL as the store: the build that has it, in a server that the tests start
test-postgres *filter="postgres:: in_postgresql":
    cargo clippy --package orderd --all-targets --features postgres --locked -- -D warnings
    cargo test --package orderd --features postgres --locked -- {{filter}}

# Those that need neither root nor a server and are quick, without optimization: under two minutes
test-fast:
    cargo test --lib
    cargo test --test suite -- --skip schema:: --skip disk_full:: --skip power_cut:: --skip os_faults:: --skip packaging:: \
        --skip file_modes:: --skip kill_restart::

# The deliberate bugs in the code, or those with one of these in their names, each against the test that catches it
# (about 20 minutes; those of the disk are caught by `cargo test`)
bugs *names:
    verification/bugs/run {{names}}

# Seeds of the delivery simulation, for instance `just delivery --seeds 10000`
delivery *args:
    cargo run --release -p orderd-verification --bin delivery -- {{args}}

# Seeds of the simulation, for instance `just sim --seeds 100000`
sim *args:
    cargo run --release -p orderd-verification --bin sim -- {{args}}

# Crash states, for instance `just states --states 2000000` (about 10 minutes)
states *args:
    cargo run --release -p orderd-verification --bin states -- {{args}}

# Every bit, length, sector and file of a store damaged, one after the other (about 10 minutes), or a part: --part 2/16
damage *args:
    cargo run --release -p orderd-verification --bin damage -- {{args}}

# The fuzzers, one after the other, each for so many seconds; what they find new is kept in fuzz/corpus (needs nightly
# and `cargo install --locked cargo-fuzz`). Memory is safe here already, so no sanitizer slows them down.
fuzz seconds="60":
    for target in checkpoint configuration cursor frame line plan segment store; do \
        mkdir -p fuzz/corpus/$target; \
        cargo +nightly fuzz run -s none $target fuzz/corpus/$target fuzz/seeds/$target -- \
            -max_total_time={{seconds}} -rss_limit_mb=512 -timeout=5 -print_final_stats=1; \
    done

# Small changes to the code, one at a time, that no unit test notices; `-F src/journal/writer.rs` for those of one file
# (needs `cargo install --locked cargo-mutants`; hours for all). It works in memory, so that a sync costs nothing.
mutants *args:
    TMPDIR=/dev/shm cargo mutants --package orderd --output target {{args}}

# The documentation of the code, without warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The daemon, on ./config.toml
run *args:
    cargo run --release -- serve {{args}}

# Load for the daemon that `just run` started
bench *args:
    cargo run --release -- bench {{args}}

# Manual pages and shell completions, into target/dist
man: build
    target/release/orderd man target/dist/man
    mkdir -p target/dist/completions
    target/release/orderd completions bash > target/dist/completions/orderd.bash
    target/release/orderd completions zsh > target/dist/completions/_orderd
    target/release/orderd completions fish > target/dist/completions/orderd.fish

# The release binary
build:
    cargo build --release

# The Debian packages orderd, orderd-postgres, orderd-connectors and orderd-console, into target/debian
deb profile="release":
    packaging/build-debs {{profile}}

# The packages under a real systemd in a container: installed, used, upgraded, purged (takes root; installs what it needs)
deb-test profile="dev":
    tests/packages/run {{profile}}

# What systemd thinks of the units
unit:
    for unit in packaging/orderd.service packaging/backup/orderd-backup.service packaging/console/orderd-console.service \
        packaging/connectors/*.service; do \
        systemd-analyze security --offline=yes --threshold=20 "$unit" | tail -n 1; \
    done

# Side by side, about 20 minutes: orderd, the floor, PostgreSQL, Redis and SQLite; writes docs/performance.md's figures.
# Wants Debian's postgresql, redis-server and libsqlite3-dev, and a machine with nothing else to do.
compare *args:
    cargo build --release
    cargo run --release -p orderd-compare -- run --write {{args}}

# The measurements of orderd alone that take minutes and gigabytes: recovery, memory, endurance, checkpoints, delivery,
# fairness.
compare-long *args:
    cargo build --release
    cargo run --release -p orderd-compare -- delivery --write {{args}}
    cargo run --release -p orderd-compare -- delivering --write {{args}}
    cargo run --release -p orderd-compare -- fairness --write {{args}}
    cargo run --release -p orderd-compare -- subscription --write {{args}}
    cargo run --release -p orderd-compare -- memory --write {{args}}
    cargo run --release -p orderd-compare -- checkpoint-start --write {{args}}
    cargo run --release -p orderd-compare -- checkpoint-p99 --write {{args}}
    cargo run --release -p orderd-compare -- recovery --write {{args}}
    cargo run --release -p orderd-compare -- drain --write {{args}}
    cargo run --release -p orderd-compare -- endurance --write {{args}}

# One measurement of `orderd-compare`, for instance `just measure recovery --plans 1000000`.
measure *args:
    cargo build --release
    cargo build --release -p orderd-console
    cargo run --release -p orderd-compare -- {{args}}

# The console, for the daemon of `just run`
console *args:
    cargo run --release -p orderd-console -- {{args}}

# The pictures of docs/console.md (about ten minutes)
console-pictures:
    cargo test -p orderd-console pictures -- --ignored
