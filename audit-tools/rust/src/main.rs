//! `tapeaudit`: checks evidence bundles, published trees and ledger folders of Immutape.
#![forbid(unsafe_code)]

mod program;

fn main() -> std::process::ExitCode {
    let done = program::batch::run(std::io::stdin().lock(), &mut std::io::stdout().lock());
    match done {
        Ok(true) => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::from(2),
    }
}
