//! Parses the command line, runs the command, and ends with its exit code.

fn main() -> std::process::ExitCode {
    orderd::cli::run(std::env::args_os())
}
