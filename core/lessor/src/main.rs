//! The `lessor` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    lessor::cli::main(std::env::args_os())
}
