//! Who may send media where the range is no open door: phones behind a NAT that registered, and places that an SDP names.

use std::io::Write;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use ringfence_lab::{
    Agent, Kamailio, Lab, Netns, Phone, Ringfence, Subnets, Transport, needs_root,
    without_signatures,
};

use crate::{COUNTRIES, Met, PBX, SHORT, answer, met, nft, until};

/// A port of media at which somebody answers what he hears.
const MEDIA: u16 = 10_005;

fn policy(last: u16) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}\
         [[service]]\nname = \"sip\"\nfrom = \"countries\"\n\
         [host]\nenable = true\nrtp = \"10000-{last}\"\npinholes = true\n",
        without_signatures()
    )
}

/// Puts the phones behind a router that gives them its address and ports of its choice; the router.
fn behind_nat(lab: &mut Lab) -> Netns {
    let behind = Netns::create(78, "behind").unwrap();
    let router = mem::replace(&mut lab.phone, behind);
    let ip = |place: &Netns, words: &str| {
        let status = place.command("ip").args(words.split(' ')).status();
        assert!(status.unwrap().success(), "{words}");
    };
    let phones = &lab.phone;
    ip(
        &router,
        &format!(
            "link add inner type veth peer name eth0 netns {}",
            phones.name()
        ),
    );
    ip(&router, "link set inner up");
    ip(phones, "link set eth0 up");
    for (host, net) in [("192.168.77.", "/24"), ("fd77::", "/64")] {
        ip(&router, &format!("addr add {host}1{net} dev inner"));
        ip(phones, &format!("addr add {host}2{net} dev eth0"));
        ip(phones, &format!("route add default via {host}1"));
    }
    router.set("net/ipv4/ip_forward", "1").unwrap();
    router.set("net/ipv6/conf/all/forwarding", "1").unwrap();
    nft(&router, "add table inet nat");
    nft(
        &router,
        "add chain inet nat out { type nat hook postrouting priority 100 ; }",
    );
    nft(
        &router,
        "add rule inet nat out oifname eth0 masquerade random",
    );
    router
}

/// Sends media from a place and a port, 0 for any, and waits for its echo.
fn media(place: &Netns, from: (IpAddr, u16), to: IpAddr) -> Met {
    let tried = place.inside(|| {
        let socket = UdpSocket::bind(from)?;
        socket.set_read_timeout(Some(SHORT))?;
        socket.connect((to, MEDIA))?;
        socket.send(b"?")?;
        socket.recv(&mut [0; 8])
    });
    met(tried.unwrap().map(drop))
}

fn any(to: IpAddr) -> (IpAddr, u16) {
    let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
    (any.parse().unwrap(), 0)
}

fn refused(lab: &Lab) -> u64 {
    let listed = nft(&lab.pbx, "list counter inet ringfence_host rtp-refused");
    let words = listed.split("packets ").nth(1).unwrap();
    words.split(' ').next().unwrap().parse().unwrap()
}

/// An INVITE whose SDP names a place for audio, and one for video elsewhere, without RTCP.
fn invite(agent: &Agent, audio: SocketAddr, video: SocketAddr) -> String {
    let kind = |of: SocketAddr| if of.is_ipv4() { "IP4" } else { "IP6" };
    let sdp = format!(
        "v=0\r\no=- 1 1 IN {0} {1}\r\ns=-\r\nc=IN {0} {1}\r\nt=0 0\r\nm=audio {2} RTP/AVP 0\r\n\
         m=video {3} RTP/AVP 99\r\nc=IN {4} {5}\r\na=rtcp-mux\r\n",
        kind(audio),
        audio.ip(),
        audio.port(),
        video.port(),
        kind(video),
        video.ip()
    );
    let uri = format!("sip:1001@{}", Kamailio::DOMAIN);
    let request = agent.request("INVITE", &uri, "guest", "Content-Type: application/sdp\r\n");
    let length = format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    request.replace("Content-Length: 0\r\n\r\n", &length)
}

#[test]
fn media_comes_from_who_is_registered_and_from_where_an_sdp_says() {
    if needs_root() {
        return;
    }
    let mut lab = Lab::new().unwrap();
    let _router = behind_nat(&mut lab);
    let subnets = Subnets {
        v4: [198, 18, 1, 0].into(),
        v6: "2001:db8:77::".parse().unwrap(),
    };
    let guest = lab.add_place("guest", subnets).unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    answer(&lab.pbx, &[], &[MEDIA]);
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let countries = format!(
        "198.18.1.0,198.18.1.255,GB\n{COUNTRIES}2001:db8:77::,2001:db8:77:0:ffff:ffff:ffff:ffff,GB\n"
    );
    fence.guard(&policy(10_010), &countries).unwrap();
    until("it stands", || {
        media(&lab.attacker, any(PBX[0]), PBX[0]) == Met::Refused
    });
    let status = |fence: &Ringfence<'_>| fence.cli(&["status"]).unwrap().stdout;
    until("the pinholes are kept", || {
        status(&fence).contains("pinholes: 0 addresses, 0 places")
    });

    for (n, to) in PBX.into_iter().enumerate() {
        // Strangers.
        let counted = refused(&lab);
        stays_refused(|| media(&lab.attacker, any(to), to));
        stays_refused(|| media(&lab.phone, any(to), to));
        assert!(refused(&lab) >= counted + 2, "{to}");

        // A phone that registered through its NAT sends from whatever port it gives it.
        let inside: IpAddr = ["192.168.77.2", "fd77::2"][n].parse().unwrap();
        let phone = Phone {
            user: 1001 + n as u16,
            address: inside,
            port: 5062,
            transport: Transport::Udp,
        };
        let registered = phone.register(&lab, 1, 1).unwrap();
        assert!(registered.is_flawless(), "{registered:?}");
        until("the phone sends", || {
            media(&lab.phone, any(to), to) == Met::Open
        });
        assert_eq!(media(&lab.phone, (inside, 7_000), to), Met::Open);
        stays_refused(|| media(&lab.attacker, any(to), to));

        // An SDP of somebody who is not registered opens what it names, and nothing else.
        let own: IpAddr = match to {
            IpAddr::V4(_) => subnets.v4(10).into(),
            IpAddr::V6(_) => subnets.v6(0x10).into(),
        };
        let other: IpAddr = ["203.0.113.10", "2001:db8:bad::10"][n].parse().unwrap();
        stays_refused(|| media(&guest, (own, 4_000), to));
        let agent = Agent::open(&guest, SocketAddr::new(own, 5_060)).unwrap();
        let request = invite(&agent, (own, 4_000).into(), (other, 6_000).into());
        let said = agent.ask_for_final(&request, SHORT * 4).unwrap().unwrap();
        assert!(said.starts_with("SIP/2.0 407"), "{said}");
        until("the caller sends", || {
            media(&guest, (own, 4_000), to) == Met::Open
        });
        assert_eq!(media(&lab.attacker, (other, 6_000), to), Met::Open, "{to}");
        for (place, from) in [
            (&guest, (own, 4_002)),
            (&lab.attacker, (other, 4_000)),
            (&lab.attacker, (other, 6_001)),
        ] {
            assert_eq!(media(place, from, to), Met::Refused, "{from:?} {to}");
        }
    }
    until("they are counted", || {
        status(&fence).contains("pinholes: 2 addresses, 6 places")
    });
    let held = nft(&lab.pbx, "list set inet ringfence_host streams4");
    assert_eq!(held.matches(" timeout 5m expires ").count(), 3, "{held}");

    // Over TCP as well.
    let own = IpAddr::from(subnets.v4(10));
    let agent = Agent::open(&guest, SocketAddr::new(own, 5_070)).unwrap();
    let request = invite(&agent, (own, 4_500).into(), (own, 4_600).into());
    let stream = guest
        .inside(|| TcpStream::connect((PBX[0], 5_060)))
        .unwrap();
    let mut stream = stream.unwrap();
    stays_refused(|| media(&guest, (own, 4_600), PBX[0]));
    stream
        .write_all(request.replace("/UDP", "/TCP").as_bytes())
        .unwrap();
    until("the caller sends", || {
        media(&guest, (own, 4_600), PBX[0]) == Met::Open
    });
    stays_refused(|| media(&guest, (own, 4_601), PBX[0]));

    // Other rules: what was open is open. The port of RTCP has not sent yet, and no connection is tracked.
    fence.write("ringfence.toml", &policy(10_012)).unwrap();
    assert_eq!(fence.cli(&["reload"]).unwrap().code, 0);
    until("other rules stand", || {
        nft(&lab.pbx, "list chain inet ringfence_host input").contains("10000-10012")
    });
    for (to, own) in PBX
        .into_iter()
        .zip([IpAddr::from(subnets.v4(10)), subnets.v6(0x10).into()])
    {
        until("RTCP is open", || {
            media(&guest, (own, 4_001), to) == Met::Open
        });
        until("the phone sends", || {
            media(&lab.phone, any(to), to) == Met::Open
        });
        stays_refused(|| media(&guest, (own, 4_003), to));
    }

    // Nobody is told of any table that somebody changed.
    assert!(
        !fence.log().unwrap().contains("somebody had"),
        "{}",
        fence.log().unwrap()
    );

    // Who is not trusted any more is shut out; the other stays, also without the daemon.
    assert_eq!(
        fence
            .cli(&["trust", "forget", "198.51.100.10"])
            .unwrap()
            .code,
        0
    );
    until("it is shut", || {
        media(&lab.phone, any(PBX[0]), PBX[0]) == Met::Refused
    });
    assert_eq!(media(&lab.phone, any(PBX[1]), PBX[1]), Met::Open);
    fence.kill9().unwrap();
    assert_eq!(media(&lab.phone, any(PBX[1]), PBX[1]), Met::Open);
    stays_refused(|| media(&lab.attacker, any(PBX[1]), PBX[1]));
    drop(kamailio);
}

/// Waits until a sender hears that it is refused: the kernel tells it so only so often. It is never let in.
fn stays_refused(mut sent: impl FnMut() -> Met) {
    until("it is refused", || {
        let met = sent();
        assert_ne!(met, Met::Open);
        met == Met::Refused
    });
}
