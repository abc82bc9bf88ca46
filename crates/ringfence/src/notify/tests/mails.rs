//! Mail, by servers of every manner.

use super::smtp::{Manner, start};
use super::{certificate, letter, way};

fn text(port: u16, more: &str) -> String {
    format!(
        "[notify.mail]\nto = [\"admin@example.com\", \"root\"]\nserver = \"localhost:{port}\"\n{more}"
    )
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (port, seen) = start(Manner::default()).await;
    way(&text(port, "")).deliver(&letter()).await.unwrap();
    for line in [
        "EHLO pbx.example.com",
        "MAIL FROM:<ringfence@pbx.example.com>",
        "RCPT TO:<admin@example.com>",
        "RCPT TO:<root@localhost>",
        "Subject: [ringfence pbx.example.com] banned 203.0.113.5 (failures)",
        "Auto-Submitted: auto-generated",
        "why",
        ".",
        "and where",
        "To undo it: ringfence unban 203.0.113.5",
    ] {
        assert!(seen.has(line), "{line}\n{:#?}", seen.lines());
    }
}

#[tokio::test]
async fn a_refusal_is_told_and_shows_nothing_that_a_terminal_obeys() {
    for (refuses, again) in [("550 no such\u{1b}[2J user", false), ("451 later", true)] {
        let refuses = Some(refuses);
        let (port, seen) = start(Manner {
            refuses,
            ..Manner::default()
        })
        .await;
        let error = way(&text(port, "")).deliver(&letter()).await.unwrap_err();
        assert_eq!(error.again, again, "{error}");
        let shown = error.to_string();
        assert!(shown.contains(&format!("localhost:{port}")), "{shown}");
        assert!(!shown.contains(char::is_control), "{shown}");
        assert!(!seen.has("DATA"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let error = way(&text(port, "")).deliver(&letter()).await.unwrap_err();
    assert!(
        error.again && error.to_string().contains(&format!("localhost:{port}")),
        "{error}"
    );
}

#[tokio::test]
async fn a_password_goes_under_tls_to_a_server_that_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let (ca, acceptor) = certificate(directory.path());
    let password = directory.path().join("password");
    std::fs::write(&password, "hush\n").unwrap();
    let login = format!("user = \"u\"\npassword_file = \"{}\"\n", password.display());
    let starttls = Manner {
        starttls: Some(acceptor.clone()),
        ..Manner::default()
    };
    let tls = Manner {
        tls: Some(acceptor),
        ..Manner::default()
    };
    for (manner, word) in [(starttls, "starttls"), (tls, "tls")] {
        let (port, seen) = start(manner).await;
        let secured = format!("tls = \"{word}\"\n{login}");
        // Nobody vouches for the certificate.
        let error = way(&text(port, &secured))
            .deliver(&letter())
            .await
            .unwrap_err();
        assert!(
            !seen.lines().iter().any(|l| l.starts_with("AUTH")),
            "{error}"
        );
        let believed = format!("{secured}ca = \"{ca}\"");
        way(&text(port, &believed))
            .deliver(&letter())
            .await
            .unwrap();
        // A NUL, the user, a NUL and the password in base64.
        assert!(seen.has("AUTH PLAIN AHUAaHVzaA=="), "{:#?}", seen.lines());
        assert!(seen.has("and where"));
    }
}

#[tokio::test]
async fn nothing_goes_in_clear_text_where_tls_is_asked_for() {
    let (port, seen) = start(Manner::default()).await;
    let error = way(&text(port, "tls = \"starttls\""))
        .deliver(&letter())
        .await;
    assert!(error.is_err());
    assert!(
        !seen.lines().iter().any(|l| l.starts_with("MAIL")),
        "{:#?}",
        seen.lines()
    );
}

#[tokio::test]
async fn a_password_that_is_not_there_is_told_before_anything_is_sent() {
    let (port, seen) = start(Manner::default()).await;
    let login = "user = \"u\"\npassword_file = \"/nowhere/at/all\"";
    let error = way(&text(port, login))
        .deliver(&letter())
        .await
        .unwrap_err();
    assert!(
        !error.again && error.to_string().contains("/nowhere/at/all"),
        "{error}"
    );
    assert!(seen.lines().is_empty());
}
