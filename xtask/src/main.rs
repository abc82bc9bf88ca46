//! Build, test and measure Ringfence.

use clap::Parser;

mod bench;
mod country_data;
mod ebpf;
mod lint;
mod package;
mod shell;
mod smoke;
mod test;

/// Every step of building, testing and measuring Ringfence.
#[derive(Parser)]
enum Command {
    Bench(bench::Args),
    CountryData(country_data::Args),
    Ebpf(ebpf::Args),
    /// Formatting and clippy, for all but the BPF programs.
    Lint,
    Package(package::Args),
    Smoke(smoke::Args),
    Test(test::Args),
}

fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    std::env::set_current_dir(shell::root())?;
    match command {
        Command::Bench(args) => bench::run(args),
        Command::CountryData(args) => country_data::run(args),
        Command::Ebpf(args) => ebpf::run(args),
        Command::Lint => lint::run(),
        Command::Package(args) => package::run(args),
        Command::Smoke(args) => smoke::run(args),
        Command::Test(args) => test::run(args),
    }
}
