//! Parses the command line, runs the command, and ends with its exit code.

fn main() -> std::process::ExitCode {
    let code = orderd::cli::run(std::env::args_os());
    orderd::logging::flush();
    code
}
