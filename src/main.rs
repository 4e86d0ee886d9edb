//! Hands the arguments to the command line door and returns its exit code; nothing else.

fn main() -> std::process::ExitCode {
    immutape::cli::run(std::env::args_os().collect()).into()
}
