//! Build, test and measure Ringfence.

use clap::Parser;

mod country_data;

/// Every step of building, testing and measuring Ringfence.
#[derive(Parser)]
enum Command {
    CountryData(country_data::Args),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::CountryData(args) => country_data::run(args),
    }
}
