//! `cargo xtask country-data`: builds the country data that ships inside the binary.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ringfence::country::CountryData;

/// The repository takes no larger file.
const MOST_BYTES: usize = 4_000_000;

/// Builds the country data that ships inside the binary from MMDB or CSV files.
#[derive(clap::Args)]
pub struct Args {
    /// MMDB files, or CSV files of `first,last,CC`; of equal ranges the later file's holds
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// What the data is and where it came from
    #[arg(long)]
    source: String,
    /// The licence under which it may be passed on
    #[arg(long)]
    licence: String,
    /// The day the data was made [default: the date that an MMDB file states]
    #[arg(long)]
    date: Option<String>,
    /// The file to write
    #[arg(long, default_value = "assets/country/country.bin")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let mut data = CountryData::open_all(&args.inputs)?;
    if let Some(date) = args.date {
        let date = date
            .parse()
            .with_context(|| format!("--date {date}: expected YYYY-MM-DD"))?;
        data.date = Some(date);
    }
    let date = data
        .date
        .context("the files state no date: give --date YYYY-MM-DD")?;
    data.source = args.source;
    data.licence = Some(args.licence);
    data.compile()?;
    let bytes = data.encode()?;
    ensure!(
        bytes.len() <= MOST_BYTES,
        "{} bytes are more than {MOST_BYTES}",
        bytes.len()
    );
    std::fs::write(&args.output, &bytes)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    println!(
        "{}: {} IPv4 and {} IPv6 ranges of {date} in {} bytes",
        args.output.display(),
        data.ranges_v4.len(),
        data.ranges_v6.len(),
        bytes.len()
    );
    if !data.unknown_codes.is_empty() {
        println!("unlisted codes, taken as ZZ: {:?}", data.unknown_codes);
    }
    Ok(())
}
