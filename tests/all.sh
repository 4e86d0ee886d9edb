#!/usr/bin/env bash
# Everything a change must pass: installs what it needs, then formats, lints, licences, tests, auditor.
# Long layers (mutation, long crash runs) belong to .ci/nightly.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$1"; }
skips=()
skip() { skips+=("$1"); }
have() { command -v "$1" >/dev/null 2>&1; }

say "tools"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo -n "$@"; else return 1; fi; }
missing=()
for pair in gcc:gcc python3:python3 openssl:openssl setpriv:util-linux tmux:tmux go:golang-go age:age ssh-keygen:openssh-client node:nodejs npm:npm chromium:chromium; do
    have "${pair%%:*}" || missing+=("${pair##*:}")
done
[ -d /usr/share/gocode/src/golang.org/x/mod ] || missing+=(golang-golang-x-mod-dev)
if [ "${#missing[@]}" -gt 0 ]; then
    { as_root apt-get update -qq && as_root apt-get install -y -qq "${missing[@]}"; } || echo "could not install: ${missing[*]}"
fi
have cargo || { echo "cargo is needed: https://rustup.rs"; exit 1; }
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
have cargo-deny || cargo install cargo-deny --version 0.20.2 --locked --quiet || echo "cargo-deny could not be installed"
# Real servers and clients for the recorder. Without them their tests leave themselves out, and are counted; where CI is set
# they may not: a run that says nothing of real software has not passed.
bash tests/mcp/install || [ -z "${CI:-}" ] || { echo "real MCP servers and clients are needed where CI is set"; exit 1; }
# Programs of others that judge our proofs; the same holds for them.
bash tests/oracles/install || [ -z "${CI:-}" ] || { echo "programs of others that judge proofs are needed where CI is set"; exit 1; }

say "format"
cargo fmt --check

say "lints"
cargo clippy --locked --all-targets --quiet -- -D warnings

say "features"
cargo check --locked --no-default-features --quiet
cargo check --locked --all-features --quiet

say "licences, bans, sources"
if have cargo-deny; then
    cargo deny --log-level error check bans licenses sources
    db="${CARGO_HOME:-$HOME/.cargo}/advisory-dbs"
    if [ -d "$db" ]; then
        cargo deny --log-level error check --disable-fetch advisories
    else
        skip "advisories not checked: no advisory database on this machine"
    fi
else
    skip "cargo deny could not be installed"
fi

say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

say "the Rust auditor, for the tests that ask a second one"
(cd audit-tools/rust && cargo build --locked --release --quiet)

say "tests"
# Each test that leaves something out adds a line here: see support::skipped.
left_out="$(mktemp)"
trap 'rm -f "$left_out"' EXIT
export IMMUTAPE_SKIPS="$left_out"
cargo test --locked

# The auditors share no code with the program, and none with each other. Where CI is set none of them may be left out.
must() { if [ -n "${CI:-}" ]; then echo "$1 is needed where CI is set"; exit 1; fi; skip "$2: no $1"; }
auditors=()

say "auditor in Python"
if have python3; then
    python3 -m unittest discover -s audit-tools/python -p 'test_*.py'
    auditors+=("python=python3 audit-tools/python/tapeaudit.py --batch")
else
    must python3 "the Python auditor"
fi

say "auditor in Rust"
(
    cd audit-tools/rust
    cargo fmt --check
    cargo clippy --locked --release --all-targets --quiet -- -D warnings
    cargo test --locked --release --quiet
)
auditors+=("rust=audit-tools/rust/target/release/tapeaudit --batch")

say "auditor in the browser"
if have node; then
    node --test audit-tools/web/test/
    auditors+=("web=node audit-tools/web/tapeaudit.mjs --batch")
else
    must node "the auditor in the browser"
fi
if have node && have chromium; then node audit-tools/web/test/browser.mjs; else must chromium "the page in a real browser"; fi

say "one question, four answers"
if [ "${#auditors[@]}" = 3 ]; then
    cargo build --locked --quiet --bin immutape
    own="program=target/debug/immutape verify --batch"
    # The golden bundles are what their maker makes, to the byte.
    python3 audit-tools/agree/golden.py target/golden-again
    diff -r target/golden-again tests/golden/6-evidence
    python3 audit-tools/agree/agree.py --golden tests/golden/6-evidence "${auditors[@]}" "$own"
    # One seed for a push; the nightly layer takes new ones.
    python3 audit-tools/agree/agree.py --seed 309359294 "${auditors[@]}" "$own"
    python3 audit-tools/agree/trees.py --seed 3 --cases 300 --program target/debug/immutape "${auditors[@]}" "$own"
    # Larger than what anybody may hold of it; the nightly layer takes five gigabytes.
    python3 audit-tools/agree/large.py --program target/debug/immutape "${auditors[@]}" "$own"
    audit-tools/agree/planted "${auditors[@]}"
else
    skip "verifiers were not compared: one of them is missing"
fi

say "skipped"
while IFS= read -r line; do skip "$line"; done < <(sort -u "$left_out")
for why in ${skips[@]+"${skips[@]}"}; do printf '%s\n' "$why"; done
printf '\nall green, %d skipped\n' "${#skips[@]}"
