use std::io::BufReader;

use proptest::prelude::*;

use super::*;

fn form(format: FeedFormat) -> Form {
    Form {
        format,
        column: Column::default(),
        path: JsonPath::default(),
        max: 1000,
    }
}

fn gathered(form: &Form, text: &[u8]) -> Result<(Vec<String>, u64), FeedError> {
    let mut gathered = Gathered::new(form.max);
    // A small buffer, so that lines are cut anywhere; the separator of a CSV is told by its first one.
    let capacity = if form.format == FeedFormat::Csv {
        8192
    } else {
        7
    };
    read(
        form,
        &mut BufReader::with_capacity(capacity, text),
        &mut gathered,
    )?;
    let (nets, unreadable) = gathered.finish()?;
    Ok((nets.iter().map(|net| net.to_string()).collect(), unreadable))
}

#[test]
fn blocklist_de_voipbl_and_firehol_are_plain() {
    let blocklist_de = b"1.15.0.1\n1.15.0.2\r\n2a01:4f8::1\n";
    let all = gathered(&form(FeedFormat::Plain), blocklist_de).unwrap();
    assert_eq!(all.0, ["1.15.0.1/32", "1.15.0.2/32", "2a01:4f8::1/128"]);
    let voipbl = b"# VoIPBL.org blacklist generated at 2024-05-01\n0.0.0.0/8\n1.0.132.109/32\n1.1.124.0/24\n";
    let all = gathered(&form(FeedFormat::Plain), voipbl).unwrap();
    assert_eq!(
        all,
        (
            vec![
                "1.0.132.109/32".into(),
                "0.0.0.0/8".into(),
                "1.1.124.0/24".into()
            ],
            0
        )
    );
    let firehol =
        b"#\n# firehol_level1\n#\n# ipv4 hash:net ipset\n#\n0.0.0.0/8\n1.10.16.0/20\n5.188.10.7\n";
    let all = gathered(&form(FeedFormat::Plain), firehol).unwrap();
    assert_eq!(all.0.len(), 3);
}

#[test]
fn lines_are_read_as_lists_have_them() {
    let text = b"\xef\xbb\xbf1.10.16.0/20 ; SBL256894\n\n  5.6.7.8 # remark\n1.2.3.4\tport 5060\n9.9.9.1 - 9.9.9.2\n\
        8.8.8.9/24\n4.4.4.0/255.255.255.0\n::ffff:6.6.6.6\n::ffff:7.7.7.0/120\n\"3.3.3.3\"\nexample.com\n1.2.3\n\
        1.2.3.4:5060\n5.5.5.5/33\n5.5.5.5/+8\n";
    let (all, unreadable) = gathered(&form(FeedFormat::Plain), text).unwrap();
    assert_eq!(
        all,
        [
            "1.2.3.4/32",
            "3.3.3.3/32",
            "5.6.7.8/32",
            "6.6.6.6/32",
            "9.9.9.1/32",
            "9.9.9.2/32",
            "1.10.16.0/20",
            "4.4.4.0/24",
            "7.7.7.0/24",
            "8.8.8.0/24",
        ]
    );
    assert_eq!(unreadable, 5);
}

#[test]
fn a_line_without_end_is_not_kept() {
    let mut text = vec![b'1'; 1 << 20];
    text.extend(b"\n1.2.3.4\n5.6.7.8\n");
    let (all, unreadable) = gathered(&form(FeedFormat::Plain), &text).unwrap();
    assert_eq!((all.len(), unreadable), (2, 1));
}

#[test]
fn an_error_page_is_no_list() {
    let page = b"<!DOCTYPE html>\n<html>\n<body>\n<h1>Blocked</h1>\nYour address is 1.2.3.4\n</body></html>\n";
    let error = gathered(&form(FeedFormat::Plain), page).unwrap_err();
    assert!(error.to_string().contains("<!DOCTYPE html>"), "{error}");
}

#[test]
fn ipset_saves_are_read() {
    let text = b"create blocked hash:net family inet hashsize 1024 maxelem 65536\nadd blocked 1.2.3.4\n\
        add blocked 5.6.7.0/24 timeout 300 comment \"x\"\nadd blocked 9.9.9.0/24 nomatch\nadd blocked 2.2.2.2,tcp:22\n\
        -A old 8.8.4.4\nadd six 2001:db8::/32\nCOMMIT\n";
    let (all, unreadable) = gathered(&form(FeedFormat::Ipset), text).unwrap();
    assert_eq!(
        all,
        ["1.2.3.4/32", "8.8.4.4/32", "5.6.7.0/24", "2001:db8::/32"]
    );
    assert_eq!(unreadable, 2);
}

#[test]
fn a_column_is_found_by_number_and_by_name() {
    let column = |text: &str| Form {
        column: text.parse().unwrap(),
        ..form(FeedFormat::Csv)
    };
    let text = b"# remark, with a comma\nfirst_seen,\"IP\",port\n\"2024-01-01\",\"1.2.3.4\",5060\n2024-01-02,5.6.7.8,5061\nx\n";
    for name in ["2", "ip"] {
        let (all, unreadable) = gathered(&column(name), text).unwrap();
        assert_eq!(
            (all, unreadable),
            (vec!["1.2.3.4/32".into(), "5.6.7.8/32".into()], 0)
        );
    }
    let error = gathered(&column("address"), text).unwrap_err();
    assert!(
        error.to_string().contains("no column \"address\""),
        "{error}"
    );
    let tabs = b"1.2.3.0\t1.2.3.255\t24\n5.6.7.0\t5.6.7.255\t24\n";
    assert_eq!(gathered(&column("1"), tabs).unwrap().0.len(), 2);
}

#[test]
fn json_is_read_along_a_path_and_by_the_line() {
    let path = |text: &str| Form {
        path: text.parse().unwrap(),
        ..form(FeedFormat::Json)
    };
    let text = br#"{"meta": {"ip": "9.9.9.9"}, "data": [{"ip": "1.2.3.4", "n": 1}, {"n": 2}, {"ip": 7}, {"ip": "5.6.7.8"}]}"#;
    let (all, unreadable) = gathered(&path("$.data[*].ip"), text).unwrap();
    assert_eq!(
        (all, unreadable),
        (vec!["1.2.3.4/32".into(), "5.6.7.8/32".into()], 1)
    );
    assert_eq!(gathered(&path("$.nothing[*]"), text).unwrap().0.len(), 0);
    assert_eq!(
        gathered(&path("$[*]"), br#"["1.2.3.4", "1.2.3.5"]"#)
            .unwrap()
            .0
            .len(),
        2
    );
    assert_eq!(
        gathered(&path("$.ips[*]"), br#"{"ips": {"a": "1.2.3.4"}}"#)
            .unwrap()
            .0
            .len(),
        1
    );
    let spamhaus = br#"{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}
{"cidr":"2a06:e480::/29","sblid":"SBL301771","rir":"ripencc"}
{"type":"metadata","timestamp":1700000000,"size":76000,"records":2,"copyright":"(c)","terms":"..."}
"#;
    let (all, _) = gathered(&path("$.cidr"), spamhaus).unwrap();
    assert_eq!(all, ["1.10.16.0/20", "2a06:e480::/29"]);
    for broken in [&b"{\"ip\": "[..], b"[1,", b"nonsense", b"{\"a\" 1}"] {
        assert!(gathered(&path("$[*]"), broken).is_err());
    }
    let deep = [b'['; 5000];
    assert!(gathered(&path("$[*]"), &deep).is_err());
}

#[test]
fn a_text_or_a_row_without_end_is_refused() {
    let row = "x\n".repeat(200 << 10);
    let escaped = r#"\""#.repeat(200 << 10);
    for (format, text) in [
        (
            FeedFormat::Json,
            format!("[\"{}\"]", row.replace('\n', " ")),
        ),
        (FeedFormat::Json, format!("[\"{escaped}\"]")),
        (FeedFormat::Json, format!("{{\"{escaped}\": 1}}")),
        (FeedFormat::Csv, format!("1.2.3.4,\"{row}\"\n")),
        (FeedFormat::Csv, ",".repeat(400 << 10)),
    ] {
        let error = gathered(&form(format), text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no end within"), "{error}");
    }
    // Long as a whole it may be.
    let long = |format| Form {
        max: 100_000,
        ..form(format)
    };
    let rows = "1.2.3.4,\"a remark\"\n".repeat(40_000);
    let read = gathered(&long(FeedFormat::Csv), rows.as_bytes()).unwrap();
    assert_eq!(read.0, ["1.2.3.4/32"]);
    let json = format!("[{}]", vec![r#""1.2.3.4""#; 40_000].join(","));
    let read = gathered(&long(FeedFormat::Json), json.as_bytes()).unwrap();
    assert_eq!(read.0, ["1.2.3.4/32"]);
    let json = format!("[{}]", vec![r#""1.2.3.4\\""#; 40_000].join(","));
    let error = gathered(&long(FeedFormat::Json), json.as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("40000 of"), "{error}");
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let lines: String = (0..1001)
        .map(|n| format!("1.2.{}.{}\n", n / 256, n % 256))
        .collect();
    let error = gathered(&form(FeedFormat::Plain), lines.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("more than 1000 entries"),
        "{error}"
    );
    let all: Vec<_> = lines.lines().map(|line| format!("\"{line}\"")).collect();
    let json = format!("[{}]", all.join(","));
    let error = gathered(&form(FeedFormat::Json), json.as_bytes()).unwrap_err();
    assert!(matches!(error, FeedError::TooMany { max: 1000 }), "{error}");
}

proptest! {
    /// Whatever a server sends, the answer is a list or an error.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for format in FeedFormat::ALL {
            let _ = gathered(&form(format), &bytes);
        }
    }

    /// The same for what looks like a list.
    #[test]
    fn any_text_of_the_right_characters_is_answered(text in "[0-9a-f:./ ,;#\\[\\]{}\"\n-]{0,300}") {
        for format in FeedFormat::ALL {
            let _ = gathered(&form(format), text.as_bytes());
        }
    }
}
