//! A web server that answers as it is told, one request a connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request: its head line by line, names in lower case, and its body.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: Vec<String>,
    pub body: String,
}

/// The requests that arrived.
pub type Seen = Arc<Mutex<Vec<Request>>>;

/// A server that answers with each of `answers` in turn, and then with the last.
pub async fn start(answers: &[&str], tls: Option<TlsAcceptor>) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let all = seen.clone();
    let answers: Vec<String> = answers.iter().map(|a| (*a).to_owned()).collect();
    tokio::spawn(async move {
        let mut turn = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answers[turn.min(answers.len() - 1)].clone();
            turn += 1;
            // A client that goes away is no failure of the server.
            let _ = match &tls {
                None => serve(stream, &answer, &all).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => serve(stream, &answer, &all).await,
                    Err(error) => Err(error),
                },
            };
        }
    });
    (port, seen)
}

async fn serve<S>(stream: S, answer: &str, seen: &Seen) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let line = match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
            None => line.to_owned(),
        };
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8(body).unwrap();
    seen.lock().unwrap().push(Request { head, body });
    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
