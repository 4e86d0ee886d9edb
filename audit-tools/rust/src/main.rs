//! `tapeaudit`: checks evidence bundles, published trees and ledger folders of Immutape.
#![forbid(unsafe_code)]

mod program;

fn main() -> std::process::ExitCode {
    program::command::run(std::env::args_os().skip(1)).into()
}
