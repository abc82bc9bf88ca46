//! Mutated configuration files, for `RINGFENCE_FUZZ_SECONDS` (3 by default): each is read or
//! refused with mistakes, and nothing panics.

use std::time::{Duration, Instant};

use ringfence::config::Config;

const SEED: &str = r#"
mode      = "shadow"
countries = ["GB", "IE"]
permit    = ["198.51.100.7", "2001:db8::/32", "192.0.2.1-192.0.2.9"]
tripwires = ["admin", "9000-9099"]
emergency = ["112", "911"]

[trust]
failures  = "5/10m"
solicited = "10m"

[ban]
times  = ["10m", "1h"]
subnet = 3

[[trunk]]
name  = "provider"
hosts = ["sip.provider.example", "203.0.113.0/28"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060-5070"]
from    = { REGISTER = "countries", INVITE = "anyone" }
domains = ["sip.example.com", "*.example.net"]
rate    = { REGISTER = "5/10s burst 10" }

[[service]]
name    = "ssh"
kind    = "plain"
ports   = ["tcp/22"]
from    = "permitted"
"#;

#[test]
fn mutated_files() {
    assert!(Config::parse(SEED, "seed").is_ok());
    let seconds = std::env::var("RINGFENCE_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let words: Vec<&str> = SEED.split_inclusive([' ', '\n', '"', '/', '.']).collect();
    let mut state = 0x5eed_u64;
    let mut below = |most: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % most
    };
    while Instant::now() < end {
        let mut text: Vec<&str> = words.clone();
        for _ in 0..=below(5) {
            if text.len() < 2 {
                break;
            }
            let at = below(text.len());
            match below(5) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, words[below(words.len())]),
                2 => text[at] = words[below(words.len())],
                3 => text.truncate(at.max(1)),
                _ => {
                    let odd = [
                        "-1",
                        "99999999999999999999",
                        "\u{e9}",
                        "\0",
                        "[[",
                        "0",
                        "*",
                        "=",
                        "\"",
                    ];
                    text.insert(at, odd[below(odd.len())]);
                }
            }
        }
        if let Err(mistakes) = Config::parse(&text.concat(), "mutated.toml") {
            assert!(mistakes.to_string().contains("mutated.toml"));
        }
    }
}
