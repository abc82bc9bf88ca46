//! A mail server that does as it is told (RFC 5321).

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How the server behaves.
#[derive(Clone, Default)]
pub struct Manner {
    /// The answer to RCPT in place of 250.
    pub refuses: Option<&'static str>,
    /// Offers STARTTLS with this certificate.
    pub starttls: Option<TlsAcceptor>,
    /// Speaks TLS from the beginning.
    pub tls: Option<TlsAcceptor>,
}

/// What arrived: every line that a client sent, those of mails without their dots.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|l| l == line)
    }

    fn add(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// A server on a port of the kernel's choice.
pub async fn start(manner: Manner) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let all = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (manner, seen) = (manner.clone(), all.clone());
            tokio::spawn(async move {
                // A client that goes away is no failure of the server.
                let _ = match manner.tls.clone() {
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => talk(stream, &manner, &seen, true).await.map(drop),
                        Err(error) => Err(error),
                    },
                    None => match talk(stream, &manner, &seen, true).await {
                        Ok(Some(stream)) => secure(stream, &manner, &seen).await,
                        ended => ended.map(drop),
                    },
                };
            });
        }
    });
    (port, seen)
}

async fn secure<S>(stream: S, manner: &Manner, seen: &Seen) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = manner.starttls.clone().unwrap();
    let stream = acceptor.accept(stream).await?;
    seen.add("(under TLS)");
    talk(stream, manner, seen, false).await.map(drop)
}

/// Talks until the client leaves; with the stream where it asks for TLS.
async fn talk<S>(stream: S, manner: &Manner, seen: &Seen, greet: bool) -> std::io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 mail.example.com\r\n").await?;
    }
    let offers = manner.starttls.is_some() && greet;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        seen.add(line);
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" if offers => "250-mail.example.com\r\n250 STARTTLS",
            "EHLO" => "250-mail.example.com\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => "235 welcome",
            "RCPT" => manner.refuses.unwrap_or("250 fine"),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await?;
                    let line = line.trim_end();
                    if line == "." {
                        break;
                    }
                    seen.add(line.strip_prefix('.').unwrap_or(line));
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
