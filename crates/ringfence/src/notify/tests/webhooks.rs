//! Webhooks, by servers of every manner.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::http::start;
use super::{certificate, letter, way};

#[tokio::test]
async fn a_request_arrives_signed() {
    let (port, seen) = start(&["204 No Content"], None).await;
    let text = format!(
        "[notify.webhook]\nurl = \"http://127.0.0.1:{port}/hook?token=hush\"\n\
         headers = [\"Authorization: Bearer x\"]\nsecret = \"key\""
    );
    let way = way(&text);
    way.deliver(&letter()).await.unwrap();
    let requests = seen.lock().unwrap().clone();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(request.head[0], "POST /hook?token=hush HTTP/1.1");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    mac.update(request.body.as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for line in [
        "content-type: application/json".to_owned(),
        "authorization: Bearer x".to_owned(),
        format!("x-ringfence-signature: sha256={hex}"),
    ] {
        assert!(request.head.contains(&line), "{line}\n{request:#?}");
    }
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["summary"], "banned 203.0.113.5 (failures)");
    assert_eq!(body["undo"], "ringfence unban 203.0.113.5");
    assert_eq!(body["host"], "pbx.example.com");
    assert!(!format!("{way:?} {}", way.name()).contains("hush"));
}

#[tokio::test]
async fn an_answer_says_whether_to_try_again() {
    for (answer, again) in [
        ("500 Internal Server Error", true),
        ("429 Too Many Requests", true),
        ("404 Not Found", false),
        ("301 Moved\r\nLocation: http://127.0.0.1:1/x", false),
    ] {
        let (port, seen) = start(&[answer], None).await;
        let url = format!("http://127.0.0.1:{port}");
        let text = format!("[notify.webhook]\nurl = \"{url}/hush\"");
        let error = way(&text).deliver(&letter()).await.unwrap_err();
        assert_eq!(error.again, again, "{answer}");
        let shown = error.to_string();
        let code = answer.split(' ').next().unwrap();
        assert!(shown.contains(&format!("{url} answered {code}")), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
        assert_eq!(seen.lock().unwrap().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_believed_is_told_without_the_path() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = socket.local_addr().unwrap().port();
    drop(socket);
    let directory = tempfile::tempdir().unwrap();
    let (ca, acceptor) = certificate(directory.path());
    let (port, seen) = start(&["200 OK"], Some(acceptor)).await;
    for url in [
        format!("http://127.0.0.1:{nobody}"),
        format!("https://localhost:{port}"),
    ] {
        let text = format!("[notify.webhook]\nurl = \"{url}/hush\"");
        let error = way(&text).deliver(&letter()).await.unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(&url) && !shown.contains("hush"), "{shown}");
    }
    assert!(seen.lock().unwrap().is_empty());
    let text = format!("[notify.webhook]\nurl = \"https://localhost:{port}/\"\nca = \"{ca}\"");
    way(&text).deliver(&letter()).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
    let text = "[notify.webhook]\nurl = \"https://localhost/\"\nca = \"/dev/null\"";
    let error = way(text).deliver(&letter()).await.unwrap_err();
    assert!(
        error.to_string().contains("no certificate in it"),
        "{error}"
    );
}
