# Side by side, about 20 minutes: orderd, the floor, PostgreSQL, Redis and SQLite; writes docs/performance.md's figures.
# Wants Debian's postgresql, redis-server and libsqlite3-dev, and a machine with nothing else to do.
compare *args:
    cargo build --release
    cargo run --release -p orderd-compare -- run --write {{args}}

# The measurements of orderd alone that take minutes and gigabytes: recovery, memory, endurance, checkpoints, delivery.
compare-long *args:
    cargo build --release
    cargo run --release -p orderd-compare -- delivery --write {{args}}
    cargo run --release -p orderd-compare -- memory --write {{args}}
    cargo run --release -p orderd-compare -- checkpoint-start --write {{args}}
    cargo run --release -p orderd-compare -- checkpoint-p99 --write {{args}}
    cargo run --release -p orderd-compare -- recovery --write {{args}}
    cargo run --release -p orderd-compare -- drain --write {{args}}
    cargo run --release -p orderd-compare -- endurance --write {{args}}

# One measurement of `orderd-compare`, for instance `just measure recovery --plans 1000000`.
measure *args:
    cargo build --release
    cargo run --release -p orderd-compare -- {{args}}
