//! The `lessor-load` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    lessor_load::cli::main(std::env::args_os())
}
