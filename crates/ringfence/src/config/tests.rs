//! The file as a whole: what is read, every mistake at once, and that the documentation agrees.

use std::time::Duration;

use proptest::prelude::*;

use super::keys::{Preset, TABLES, Table};
use super::*;

const FILE: &str = "ringfence.toml";
const COMMENTED: &str = include_str!("../../../../assets/ringfence.toml");
const MANUAL: &str = include_str!("../../../../docs/configuration.md");

/// The settings of the commented file: the lines that start with `#` and no space.
fn country(code: &str) -> CountryCode {
    code.parse().unwrap()
}

fn uncommented() -> String {
    let setting = |l: &&str| l.starts_with('#') && !l.starts_with("# ") && *l != "#";
    let line = |l: &str| format!("{}\n", &l[1..]);
    COMMENTED.lines().filter(setting).map(line).collect()
}

/// The TOML examples of the manual.
fn examples() -> Vec<String> {
    let fenced = MANUAL.split("```toml\n").skip(1);
    let mut examples: Vec<String> = fenced
        .filter_map(|rest| rest.split_once("```"))
        .map(|(t, _)| t.to_owned())
        .collect();
    examples.push(uncommented());
    examples
}

fn read(text: &str) -> Config {
    Config::parse(text, FILE).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(text: &str) -> Mistakes {
    match Config::parse(text, FILE) {
        Ok(config) => panic!("no mistake found in\n{text}\n{config:#?}"),
        Err(mistakes) => mistakes,
    }
}

/// The one mistake of a text, as it is shown.
fn mistake(text: &str) -> String {
    let mistakes = mistakes(text);
    assert_eq!(mistakes.iter().len(), 1, "{mistakes}");
    mistakes.to_string()
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(read(""), Config::default());
    assert_eq!(read("\u{feff}# nothing\r\n"), Config::default());
    assert_eq!(read(COMMENTED), Config::default());
    let sip = &Config::default().services[0];
    assert_eq!(sip.from, Admissions::all(Admission::Anyone));
}

#[test]
fn the_default_service_admits_by_country_once_there_are_some() {
    let config = read("countries = [\"IE\", \"GB\", \"IE\"]");
    assert_eq!(
        config.services[0].from,
        Admissions::all(Admission::Countries)
    );
    assert_eq!(config.countries, [country("GB"), country("IE")]);
    assert_eq!(config.countries_of(&config.services[0]), config.countries);
}

#[test]
fn every_example_is_sound() {
    assert!(examples().len() > 5);
    for example in examples() {
        read(&example);
    }
}

#[test]
fn the_useful_file_is_read_whole() {
    let config = read(&examples()[0]);
    assert_eq!(config.mode, Mode::Shadow);
    assert_eq!(config.permit[0].range.to_string(), "198.51.100.7");
    assert_eq!(
        config.trunks[0].hosts[0],
        Host::Name("sip.provider.example".into())
    );
    assert_eq!(config.trunks[0].hosts[1].to_string(), "203.0.113.0/28");
    let [sip, ssh] = config.services.as_slice() else {
        panic!("two services")
    };
    assert_eq!(sip.kind, Kind::Sip);
    assert_eq!(sip.domains, [Domain::Name("sip.example.com".into())]);
    assert_eq!(sip.limits, Limits::Classes(Rates::default()));
    assert_eq!(sip.budget.unwrap().to_string(), "1000/1s");
    assert_eq!(ssh.from, Admissions::all(Admission::Permitted));
    assert_eq!((ssh.limits, ssh.budget), (Limits::Flows(None), None));
}

#[test]
fn the_commented_file_shows_the_defaults() {
    let config = read(&uncommented());
    let default = Config::default();
    assert_eq!(
        (config.mode, config.ban, config.control),
        (default.mode, default.ban, default.control)
    );
    assert_eq!(
        (config.trust, config.emergency),
        (default.trust, default.emergency)
    );
    assert_eq!(config.tripwires.len(), 2);
    assert_eq!((config.state, config.bpffs), (default.state, default.bpffs));
    assert_eq!(config.events_per_second, default.events_per_second);
    assert_eq!(config.permit_private, default.permit_private);
    assert_eq!(config.permit[1].comment.as_deref(), Some("branch office"));
    let sip = &config.services[0];
    assert_eq!(
        (sip.limits, sip.budget),
        (default.services[0].limits, default.services[0].budget)
    );
    assert_eq!(sip.from.of(MessageClass::Invite), Admission::Anyone);
    assert_eq!(sip.from.of(MessageClass::Register), Admission::Countries);
    assert_eq!(sip.countries.as_deref(), Some([country("GB")].as_slice()));
    let (table, position) = &config.own_signatures[0];
    assert_eq!(table["id"].as_str(), Some("acme-probe"));
    assert_eq!(position.column, 1);
}

#[test]
fn own_values_replace_the_defaults() {
    let config = read(
        "mode = \"enforce\"\nprotect = [\"198.51.100.0/24\"]\nevents_per_second = 0x0A\n\
         [ban]\nenable = false\nafter = \"5/1m\"\ntimes = [\"1h30m\"]\n\
         [[service]]\nname = \"a\"\nkind = \"iax2\"\nfrom = \"anyone\"\nbudget = \"none\"\n\
         [service.rate]\nother = \"1/s burst 3\"\n",
    );
    assert_eq!((config.mode, config.events_per_second), (Mode::Enforce, 10));
    assert!(!config.ban.enable);
    assert_eq!(config.ban.times, [Duration::from_secs(5400)]);
    assert_eq!(config.ban.after.within, Duration::from_secs(60));
    let service = &config.services[0];
    assert_eq!(
        (service.ports[0].to_string().as_str(), service.budget),
        ("udp/4569", None)
    );
    let Limits::Classes(rates) = service.limits else {
        panic!("rates by class")
    };
    assert_eq!(rates.of(MessageClass::Other).to_string(), "1/1s burst 3");
    assert_eq!(rates.of(MessageClass::Invite).to_string(), "5/10s burst 10");
}

#[test]
fn a_mistake_names_its_place_and_the_cure() {
    assert_eq!(
        mistake("\n[[service]]\nname = \"sip\"\n  prots = [\"udp/5060\"]\n"),
        "ringfence.toml:4:3: unknown key `prots` in [[service]] `sip`; did you mean `ports`?"
    );
    for (text, expected) in [
        (
            "mode = \"Enforced\"",
            "1:8: `mode` cannot be `Enforced`; did you mean \"enforce\"?",
        ),
        ("mode = \"off\"", "write \"shadow\" or \"enforce\""),
        (
            "countries = [\"GB\", \"UK\"]",
            "1:20: `countries`: there is no country `UK`; write \"GB\"",
        ),
        (
            "countries = \"GB\"",
            "must be a list, not a text; write countries = [\"GB\"]",
        ),
        (
            "[ban]\nremember = 600",
            "2:12: `remember` must be a text, not a number; write \"600s\"",
        ),
        ("[ban]\nremember = \"600\"", "has no unit; write \"600s\""),
        ("[ban]\nremember = \"10min\"", "`min` is not a unit"),
        ("[ban]\nafter = \"30\"", "is not a rate"),
        ("events_per_second = 0", "from 1 to 10000"),
        ("events_per_second = -5", "out of range"),
        (
            "permit = [\"0.0.0.0/0\"]",
            "permits the whole Internet; write from = \"anyone\"",
        ),
        ("permit = [\"::/0\"]", "permits the whole Internet"),
        (
            "deny = [\"0.0.0.0-255.255.255.255\"]",
            "denies the whole Internet",
        ),
        (
            "permit = [\"192.0.2.7/24\"]",
            "write \"192.0.2.0/24\" for the network",
        ),
        ("permit = [{ comment = \"x\" }]", "has no `address`"),
        (
            "permit = [{ address = \"192.0.2.7\", coment = \"x\" }]",
            "did you mean `comment`?",
        ),
        ("state = \"ringfence\"", "not an absolute path"),
        ("interfaces = [\"eth 0\"]", "cannot be an interface"),
        ("[service]\nname = \"sip\"", "write [[service]] above"),
        ("service = []", "list of services is empty"),
        (
            "[[trunk]]\nname = \"a\"",
            "1:1: [[trunk]] `a` has no `hosts`; add hosts =",
        ),
        ("[[trunk]]\nhosts = [\"a.example\"]", "has no `name`"),
        (
            "[[trunk]]\nname = \"a\"\nhosts = []",
            "is empty; write at least one",
        ),
        (
            "[[trunk]]\nname = \"a\"\nhosts = [\"0.0.0.0/0\"]",
            "is the whole Internet",
        ),
        (
            "[[proxy]]\naddresses = [\"example.com\"]",
            "is not an IP address",
        ),
        (
            "[ban]\ncountries = [\"GB\"]",
            "`countries` belongs above the first [table]",
        ),
        (
            "domains = [\"a.example\"]",
            "`domains` belongs in [[service]]",
        ),
        (
            "[signatures]\nenable = [\"a\"]\ndisable = [\"a\"]",
            "both enabled and disabled",
        ),
        (
            "[[signature]]\nx = 99999999999999999999999999999999999999999",
            "in [[signature]]",
        ),
    ] {
        let shown = mistake(text);
        assert!(shown.contains(expected), "{text}\n{shown}");
    }
}

#[test]
fn trust_and_bans_are_read() {
    let config = read(
        "tripwires = [\"admin\", \"100\", \"9000-9099\", \"admin\"]\nemergency = [\"110\", \"110\"]\n\
         [trust]\nfailures = \"1000/1d\"\nusers = \"1/s\"\nrequests = \"20/10s burst 30\"\n\
         solicited = \"1d\"\n\
         [ban]\ntimes = [\"1s\", \"1s\", \"365d\"]\nremember = \"1d\"\nsubnet = 256\n",
    );
    let shown: Vec<String> = config.tripwires.iter().map(Tripwire::to_string).collect();
    assert_eq!(shown, ["admin", "100", "9000-9099"]);
    let shown: Vec<&str> = config.emergency.iter().map(User::as_str).collect();
    assert_eq!(shown, ["110"]);
    assert_eq!(config.trust.failures.to_string(), "1000/1d");
    assert_eq!(config.trust.users.to_string(), "1/1s");
    assert_eq!(config.trust.requests.to_string(), "20/10s burst 30");
    assert_eq!(config.trust.solicited, Duration::from_secs(86_400));
    assert_eq!(config.ban.remember, Duration::from_secs(86_400));
    assert_eq!(config.ban.subnet, 256);
    let lasts = [0, 1, 2, 3, u32::MAX].map(|earlier| config.ban.time(earlier).as_secs());
    assert_eq!(lasts, [1, 1, 31_536_000, 31_536_000, 31_536_000]);
    assert!(read("emergency = []").emergency.is_empty());
}

#[test]
fn a_mistake_in_trust_and_bans_names_its_place_and_the_cure() {
    for (text, expected) in [
        (
            "[trust]\nfailures = \"0/10m\"",
            "2:12: `failures`: `0` in `0/10m` is out of range; write a number from 1",
        ),
        (
            "[trust]\nfailures = \"1001/10m\"",
            "`failures` is out of range: `1001/10m`; write a count from 1 to 1000",
        ),
        (
            "[trust]\nusers = \"2000/10m\"",
            "`users` is out of range: `2000/10m`; write a count from 1 to 1000",
        ),
        ("[trust]\nusers = 8", "2:9: `users` must be a text"),
        (
            "[trust]\nusers = \"8/10m burst 2\"",
            "a threshold does not have",
        ),
        ("[trust]\nrequests = \"10\"", "is not a rate"),
        (
            "[trust]\nsolicited = \"999ms\"",
            "`solicited` is out of range: `999ms`; write a time from \"1s\" to \"1d\"",
        ),
        ("[trust]\nsolicited = \"25h\"", "from \"1s\" to \"1d\""),
        ("[trust]\nfailure = \"5/10m\"", "did you mean `failures`?"),
        ("failures = \"5/10m\"", "`failures` belongs in [trust]"),
        (
            "[trust]\ntripwires = []",
            "`tripwires` belongs above the first [table]",
        ),
        (
            "tripwires = \"admin\"",
            "must be a list, not a text; write tripwires = [\"admin\"]",
        ),
        (
            "tripwires = [9000]",
            "1:14: `tripwires` must be a text, not a number; write it between quotes: \"9000\"",
        ),
        (
            "tripwires = [\"admin\", \"9099-9000\"]",
            "1:23: `tripwires`: `9099-9000` ends before it begins; write \"9000-9099\"",
        ),
        (
            "tripwires = [\"sip:admin@example.com\"]",
            "write the user alone: \"admin\"",
        ),
        (
            "tripwires = [\"911\"]",
            "1:14: `tripwires`: `911` holds the emergency number `911`; leave `911` out here, or \
             out of `emergency`",
        ),
        (
            "tripwires = [\"9000\", \"100-199\"]",
            "1:22: `tripwires`: `100-199` holds the emergency number `112`",
        ),
        (
            "emergency = [\"sos\"]\ntripwires = [\"911\", \"sos\"]",
            "2:21: `tripwires`: `sos` holds the emergency number `sos`",
        ),
        (
            "emergency = [\"110-112\"]",
            "1:14: `emergency`: `110-112` is a range; write each number",
        ),
        ("emergency = [\"\"]", "is not a user"),
        (
            "[ban]\ntime = \"10m\"",
            "2:1: unknown key `time` in [ban]; did you mean `times`?",
        ),
        (
            "[ban]\ntimes = \"10m\"",
            "must be a list, not a text; write times = [\"10m\"]",
        ),
        (
            "[ban]\ntimes = []",
            "2:9: `times` of [ban] is empty; write at least one: times = [\"10m\"]",
        ),
        (
            "[ban]\ntimes = [\"0s\"]",
            "2:10: `times` is out of range: `0s`; write a time from \"1s\" to \"365d\"",
        ),
        ("[ban]\ntimes = [\"366d\"]", "from \"1s\" to \"365d\""),
        (
            "[ban]\ntimes = [\"1h\", \"1d\", \"2h\"]",
            "2:22: `times`: `2h` is shorter than the `1d` before it; write the shortest time first",
        ),
        (
            "[ban]\ntimes = [600]",
            "`times` must be a text, not a number; write \"600s\"",
        ),
        (
            "[ban]\nremember = \"23h\"",
            "`remember` is out of range: `23h`; write a time from \"1d\" to \"365d\"",
        ),
        ("[ban]\nremember = \"366d\"", "from \"1d\" to \"365d\""),
        (
            "[ban]\nsubnet = 1",
            "2:10: `subnet` is out of range: `1`; write 0, which bans no net, or a number from 2",
        ),
        ("[ban]\nsubnet = 257", "out of range: `257`"),
        ("[ban]\nsubnet = \"3\"", "must be a whole number"),
    ] {
        let shown = mistake(text);
        assert!(shown.contains(expected), "{text}\n{shown}");
    }
}

#[test]
fn the_lists_of_users_and_times_have_their_limits() {
    let list = |key: &str, texts: Vec<String>| format!("{key} = [\n\"{}\"]", texts.join("\",\n\""));
    let names = |many| (0..many).map(|n| format!("user{n}")).collect();
    let ranges = |many| (1..=many).map(|n| format!("{n}000-{n}099")).collect();
    let times = |many: usize| vec!["1h".to_owned(); many];
    read(&list("tripwires", names(64)));
    read(&list("tripwires", ranges(32)));
    read(&list("emergency", names(16)));
    read(&format!("[ban]\n{}", list("times", times(8))));
    for (text, expected) in [
        (
            list("tripwires", names(66)),
            "66:1: 66 names of tripwires are more than 64; write numbers that follow each other",
        ),
        (
            list("tripwires", ranges(33)),
            "34:1: 33 ranges of tripwires are more than 32; join those",
        ),
        (
            list("emergency", names(17)),
            "18:1: 17 emergency numbers are more than 16; leave out those",
        ),
        (
            format!("[ban]\n{}", list("times", times(9))),
            "11:1: 9 times of bans are more than 8; leave some out",
        ),
    ] {
        let shown = mistake(&text);
        assert!(shown.contains(expected), "{text}\n{shown}");
    }
}

#[test]
fn a_service_is_held_to_its_kind() {
    for (keys, expected) in [
        (
            "domains = [\"sip example.com\"]",
            "has a space in it; write each name as an entry",
        ),
        ("domains = [\"sip.example.com:5060\"]", "without the port"),
        (
            "kind = \"plain\"",
            "has no `ports`; add ports = [\"tcp/22\"]",
        ),
        (
            "kind = \"plain\"\nports = [\"tcp/22\"]\ndomains = [\"a.example\"]",
            "its kind is \"plain\"",
        ),
        (
            "kind = \"plain\"\nports = [\"tcp/22\"]\nrate = { INVITE = \"1/s\" }",
            "`rate` by class",
        ),
        (
            "kind = \"plain\"\nports = [\"tcp/22\"]\nfrom = { INVITE = \"anyone\" }",
            "`from` by method",
        ),
        (
            "kind = \"sips\"\nports = [\"udp/5061\"]",
            "tcp only; write \"tcp/5061\"",
        ),
        ("kind = \"iax2\"\nports = [\"tcp/4569\"]", "udp only"),
        (
            "kind = \"sips\"\ndomain_match = \"anywhere\"",
            "it is for the kind \"sip\"",
        ),
        (
            "kind = \"sips\"\nsni = \"require\"",
            "requires a name and none is given; add domains",
        ),
        ("sni = \"match\"", "it is for the kind \"sips\" or \"wss\""),
        ("domain_opens = [\"country\"]", "has no domain to go by"),
        ("kind = \"SIP\"", "did you mean \"sip\"?"),
        ("ports = []", "is empty"),
        ("ports = [5060]", "`ports` must be a text, not a number"),
        ("ports = [\"5060/udp\"]", "write \"udp/5060\""),
        ("rate = \"5/10s\"", "must be a table"),
        (
            "rate = { register = \"5/10s\" }",
            "did you mean `REGISTER`?",
        ),
        ("rate = { INVITE = 5 }", "write \"5/1s\""),
        ("rate = { INVITE = \"5/10\" }", "has no unit; write \"10s\""),
        (
            "from = { new-tcp = \"anyone\", default = \"anyone\" }",
            "unknown key `new-tcp` in from",
        ),
        (
            "from = \"countries\"",
            "no country is given; add the line countries = [\"GB\"]",
        ),
        ("from = { INVITE = \"anyone\" }", "no country is given"),
        (
            "countries = []\nfrom = \"countries\"",
            "no country is given",
        ),
        ("budget = \"lots\"", "is not a rate"),
    ] {
        let shown = mistake(&format!("[[service]]\nname = \"sip\"\n{keys}"));
        assert!(shown.contains(expected), "{keys}\n{shown}");
    }
}

#[test]
fn a_faulty_country_is_not_also_a_missing_one() {
    let text = "countries = [\"XX\"]\n[[service]]\nname = \"sip\"\nfrom = \"countries\"";
    assert!(mistake(text).contains("no country `XX`"));
}

#[test]
fn a_misspelt_key_is_not_also_a_missing_one() {
    for text in [
        "countrys = [\"GB\"]\n[[service]]\nname = \"sip\"\nfrom = \"countries\"",
        "[[service]]\nname = \"sip\"\nprots = [\"udp/1\"]\n[[service]]\nname = \"b\"\n",
        "[[service]]\nname = \"sip\"\ndomain = [\"a.example\"]\ndomain_opens = [\"country\"]",
        "[[trunk]]\nnmae = \"a\"\nhost = [\"a.example\"]",
        "permit = [{ adress = \"192.0.2.7\" }]",
        "emergencies = []\ntripwires = [\"911\"]",
    ] {
        let mistakes = mistakes(text);
        assert!(
            mistakes.iter().all(|m| m.fix().starts_with("did you mean")),
            "{mistakes}"
        );
    }
}

#[test]
fn services_are_held_to_each_other() {
    let text = "[[service]]\nname = \"a\"\nports = [\"udp/5060-5069\"]\n\
                [[service]]\nname = \"b\"\nports = [\"tcp/5060\", \"udp/5065\"]\n";
    assert_eq!(
        mistake(text),
        "ringfence.toml:6:22: `udp/5065` of service `b` overlaps `udp/5060-5069` of service `a` at \
         3:10; give each port to one service"
    );
    let default_ports = "[[service]]\nname = \"a\"\n[[service]]\nname = \"b\"\n";
    assert_eq!(mistakes(default_ports).iter().len(), 2);
    let same = "[[service]]\nname = \"a\"\n[[service]]\nname = \"a\"\nkind = \"sips\"\n";
    assert!(mistake(same).contains("4:8: the name `a` is taken since line 2"));
    let many: String = (0..32)
        .map(|i| {
            format!(
                "[[service]]\nname = \"s{i}\"\nports = [\"udp/{}\"]\n",
                6000 + i
            )
        })
        .collect();
    assert!(mistake(&many).contains("94:1: 32 services are more than 31"));
}

#[test]
fn all_mistakes_are_told_at_once_and_in_order() {
    let text = "mode = \"enforcing\"\n\
                countries = [\"GB\", \"QQ\"]\n\
                colour = \"red\"\n\
                [ban]\n\
                remember = \"10 minutes\"\n\
                [[service]]\n\
                name = \"a\"\n\
                domains = [\"sip example.com\"]\n\
                [[service]]\n\
                name = \"b\"\n\
                ports = [\"udp/5060\"]\n";
    let mistakes = mistakes(text);
    let lines: Vec<usize> = mistakes.iter().map(Mistake::line).collect();
    assert_eq!(lines, [1, 2, 3, 5, 8, 11], "{mistakes}");
    assert_eq!(mistakes.to_string().lines().count(), 6);
    assert!(
        mistakes
            .iter()
            .all(|m| !m.message().is_empty() && !m.fix().is_empty())
    );
}

#[test]
fn syntax_errors_are_told_with_the_mistakes_before_them() {
    let shown = mistakes("mode = \"of\"\npermit = [\n  \"192.0.2.300\",\n]\nstate = /var/lib\n");
    let lines: Vec<usize> = shown.iter().map(Mistake::line).collect();
    assert!(
        lines.starts_with(&[1, 3, 5]) && lines.iter().all(|l| *l <= 5),
        "{shown}"
    );
    assert!(shown.to_string().contains("not TOML: "), "{shown}");
    assert_eq!(
        mistake("mode = enforce\nstate = 5"),
        "ringfence.toml:1:8: not TOML: string values must be quoted; write texts between quotes: \
         key = \"value\""
    );
    for text in [
        "mode = ",
        "[[service]\nname = \"a\"\n",
        "a = \"",
        "x",
        "[a\n[b\n",
        "mode = 1\nmode = 2",
    ] {
        assert!(mistakes(text).to_string().contains("not TOML"), "{text}");
    }
    let missing_after_error = "[[service]]\nport = [\nname = \"sip\"";
    assert!(
        !mistakes(missing_after_error)
            .to_string()
            .contains("has no `name`")
    );
}

/// Tables whose keys are the user's own.
const FREE: [&str; 2] = ["[[signature]]", "[country.groups]"];

/// A document with an unknown key added to one of its tables, for each table.
fn with_bogus_keys(text: &str) -> Vec<String> {
    let mut all = vec![format!("zzqx = 1\n{text}")];
    for (at, _) in text.match_indices(['[', '{']) {
        let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let (before, after) = text.split_at(at);
        if after.starts_with("{ ") {
            all.push(format!("{before}{{ zzqx = 1,{}", &after[1..]));
        } else if line == at && !FREE.iter().any(|header| after.starts_with(header)) {
            let end = after.find('\n').unwrap_or(after.len());
            all.push(format!(
                "{before}{}\nzzqx = 1{}",
                &after[..end],
                &after[end..]
            ));
        }
    }
    all
}

#[test]
fn an_unknown_key_is_refused_in_every_table_of_every_example() {
    let mut tried = 0;
    for text in examples().iter().flat_map(|e| with_bogus_keys(e)) {
        let shown = mistake(&text);
        assert!(shown.contains("unknown key `zzqx`"), "{text}\n{shown}");
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
    let tables = uncommented();
    for header in [
        "[trust]",
        "[ban]",
        "[control]",
        "[audit]",
        "[host]",
        "[signatures]",
        "[agi]",
        "[fraud]",
        "[fraud.closed]",
        "[[trunk]]",
        "[[proxy]]",
        "[[service]]",
    ] {
        assert!(tables.contains(header), "{header}");
    }
}

#[test]
fn the_manual_and_the_commented_file_have_every_key_and_its_default() {
    for table in TABLES {
        let heading = format!("\n## {}\n", table.name);
        let (_, section) = MANUAL
            .split_once(&heading)
            .unwrap_or_else(|| panic!("{heading}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        for key in table.keys {
            let name = key.name;
            let default = match key.default {
                Preset::Toml(toml) => format!("`{toml}`"),
                Preset::Words(words) => words.to_owned(),
            };
            let row = format!("\n| `{name}` | {default} |");
            assert!(section.contains(&row), "{heading}{row}");
            let used = [
                format!("{name} = "),
                format!("[{name}]"),
                format!(".{name}]"),
                format!(".{name} = "),
                format!(".{name}]"),
            ];
            let class = table.name == "from";
            // Of the keys that name a secret a file has one, and the others stand in remarks.
            let other = ["_env", "_credential", "_file"];
            // And so does what means something for another source of country data.
            let sources = ["token", "variant", "url", "file", "base"];
            let source = table.name == "[country]" && sources.contains(&name);
            let text = match source || other.iter().any(|end| name.ends_with(end)) {
                true => COMMENTED.to_owned(),
                false => uncommented(),
            };
            assert!(
                class || used.iter().any(|u| text.contains(u)),
                "{heading}{name}"
            );
        }
        let rows = section.lines().filter(|l| l.starts_with("| `")).count();
        assert_eq!(rows, table.keys.len(), "{heading}");
    }
}

#[test]
fn a_default_that_is_written_is_a_default() {
    let same = |before: &str, table: &Table| {
        for key in table.keys {
            if let Preset::Toml(value) = key.default {
                let text = format!("{before}\n{} = {value}", key.name);
                assert_eq!(read(&text), read(before), "{text}");
            }
        }
    };
    same("", &keys::TOP);
    for table in [
        &keys::TRUST,
        &keys::BAN,
        &keys::CONTROL,
        &keys::SIGNATURES,
        &keys::AGI,
        &keys::NOTIFY,
        &keys::AUDIT,
        &keys::SHARE,
    ] {
        same(table.name, table);
    }
    same("[[service]]\nname = \"sip\"\n[service.rate]", &keys::RATE);
    for key in keys::SERVICE.keys {
        if let Preset::Toml(value) = key.default {
            let kind = if key.name == "sni" {
                "kind = \"sips\""
            } else {
                ""
            };
            let plain = format!("[[service]]\nname = \"sip\"\n{kind}\n");
            assert_eq!(
                read(&format!("{plain}{} = {value}", key.name)),
                read(&plain)
            );
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.toml");
    assert!(matches!(Config::load(&path), Err(LoadError::Read { .. })));
    std::fs::write(&path, b"mode = \"shadow\"\n# caf\xe9\n").unwrap();
    let Err(LoadError::Mistakes(mistakes)) = Config::load(&path) else {
        panic!("not refused")
    };
    assert!(
        mistakes
            .to_string()
            .contains("r.toml:2:6: the file is not UTF-8")
    );
    std::fs::write(&path, "mode = \"enforce\"").unwrap();
    assert_eq!(Config::load(&path).unwrap().mode, Mode::Enforce);
}

/// Reads a text that may hold anything; what is wrong with it must stand inside it.
fn survives(text: &str) {
    if let Err(mistakes) = Config::parse(text, FILE) {
        let lines = text.split('\n').count();
        for mistake in mistakes.iter() {
            assert!((1..=lines).contains(&mistake.line()) && mistake.column() > 0);
        }
        assert!(mistakes.iter().len() > 0);
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".{0,200}") {
        survives(&text);
    }

    #[test]
    fn any_tokens_are_answered(tokens in prop::collection::vec(prop::sample::select(vec![
        "[", "]", "[[", "]]", "{", "}", "\n", "=", ",", ".", "\"", "'", "\"\"\"", "#", " ",
        "service", "trunk", "signature", "permit", "ban", "times", "tripwires", "emergency", "trust", "name", "ports", "rate", "from", "kind",
        "\"udp/5060\"", "\"plain\"", "\"0.0.0.0/0\"", "\"1/1s\"", "\"9-99\"", "\"911\"", "1", "-1", "1e9", "true", "é",
        "1979-05-27", "0x", "\\u",
    ]), 0..60)) {
        survives(&tokens.concat());
    }

    #[test]
    fn mutated_examples_are_answered(
        example in prop::sample::select(examples()),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, ".{0,4}"), 1..4),
    ) {
        let mut text: Vec<char> = example.chars().collect();
        for (at, length, insert) in cuts {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }
}
