//! What applying and removing the rules leaves as it was.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ringfence::nft::Nft;
use ringfence_lab::{Lab, PBX_V4, Ringfence, needs_root};

use crate::{Met, PBX, answer, done, nft, tcp, until, write};

/// Nothing but SIP is open.
const POLICY: &str = "mode = \"enforce\"\n";

#[test]
fn connections_that_are_up_and_other_tables_stay() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    answer(&lab.pbx, &[3306], &[]);
    nft(&lab.pbx, "add table inet mine");
    nft(
        &lab.pbx,
        "add chain inet mine input { type filter hook input priority -5; policy accept; }",
    );
    nft(&lab.pbx, "add rule inet mine input tcp dport 9999 counter");
    let others = || nft(&lab.pbx, "-s list table inet mine");
    let before = others();
    let to = SocketAddr::from((PBX_V4, 3306));
    let stream = lab.attacker.inside(|| TcpStream::connect(to)).unwrap();
    let mut stream = stream.unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut echo = |byte: u8| {
        stream.write_all(&[byte]).unwrap();
        let mut heard = [0];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, [byte]);
    };
    echo(1);
    write(&fence, POLICY);
    // The link-local net of eth0 comes a moment after the interface, and is a neighbour.
    until("eth0 has all its routes", || {
        done(&fence, &["show"]).contains("neighbours at eth0")
    });
    let shown = done(&fence, &["show"]);
    let shut = done(&fence, &["apply"]);
    assert!(shut.contains("the rules stand: enforce"), "{shut}");
    echo(2);
    for to in PBX {
        assert_eq!(tcp(&lab.attacker, to, 3306), Met::Refused);
    }
    assert_eq!(others(), before);
    // What is shown is what stands.
    let file = fence.write("shown.nft", &shown).unwrap();
    let table = || nft(&lab.pbx, "-s list table inet ringfence_host");
    let applied = table();
    nft(&lab.pbx, &format!("-f {}", file.display()));
    assert_eq!(table(), applied);
    // The same again changes nothing; a batch that is refused does not either.
    done(&fence, &["apply"]);
    let bad = lab.pbx.inside(|| {
        Nft::default().run_text(
            "{\"nftables\": [{\"delete\": {\"table\": {\"family\": \"inet\", \"name\": \"ringfence_host\"}}}, \
             {\"add\": {\"chain\": {\"family\": \"inet\", \"table\": \"nowhere\", \"name\": \"x\"}}}]}",
        )
    });
    assert!(bad.unwrap().is_err());
    assert_eq!(table(), applied);
    echo(3);
    done(&fence, &["remove"]);
    echo(4);
    assert_eq!(nft(&lab.pbx, "-s list ruleset"), before);
    assert!(!fence.state().join("host").exists());
    assert_eq!(tcp(&lab.attacker, PBX[0], 3306), Met::Open);
    let again = done(&fence, &["remove"]);
    assert!(again.contains("there was no firewall"), "{again}");
}

#[test]
fn other_firewalls_are_told_of() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    nft(&lab.pbx, "add table ip filter");
    nft(
        &lab.pbx,
        "add chain ip filter INPUT { type filter hook input priority 0; policy drop; }",
    );
    nft(&lab.pbx, "add chain ip filter ufw-user-input");
    write(&fence, POLICY);
    let told = done(&fence, &["apply"]);
    assert!(
        told.contains("chain INPUT of table ip filter drops"),
        "{told}"
    );
    assert!(told.contains("ufw disable"), "{told}");
    done(&fence, &["remove"]);
    assert!(nft(&lab.pbx, "list ruleset").contains("ufw-user-input"));
}
