//! The daemon's end of the socket.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{Answer, Request};

/// The longest request, in bytes.
const LONGEST: u64 = 64 * 1024;
/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request on its way to the daemon's loop.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// Where the answers go: the first ones, and a stream of more.
    pub reply: oneshot::Sender<(Vec<Answer>, Option<broadcast::Receiver<Answer>>)>,
}

/// Whether a daemon listens at `path`.
pub fn is_answered(path: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

/// Listens at `path`, whose directory is made where it is not there. A socket that a killed daemon left is replaced; one
/// that answers is an error.
pub fn listen(path: &Path, asked: mpsc::Sender<Asked>) -> io::Result<tokio::task::JoinHandle<()>> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if is_answered(path) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another daemon answers there",
            ));
        }
        fs::remove_file(path)?;
    }
    if let Some(directory) = path.parent() {
        match DirBuilder::new().mode(0o755).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // The socket is born closed to others; the mask is put back before another file is made.
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(mask);
    let listener = listener?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let asked = asked.clone();
                    // A client that goes away ends its own task, and nothing else.
                    tokio::spawn(async move {
                        let _ = serve(stream, asked).await;
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }))
}

async fn serve(stream: UnixStream, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LONGEST));
    tokio::time::timeout(PATIENCE, read.read_line(&mut line))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    // A connection that only looks whether somebody listens.
    if line.is_empty() {
        return Ok(());
    }
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            return send(
                &mut write,
                &Answer::failed(format!("not a request: {error}")),
            )
            .await;
        }
    };
    let (reply, answers) = oneshot::channel();
    if asked.send(Asked { request, reply }).await.is_err() {
        return send(&mut write, &Answer::failed("the daemon is stopping")).await;
    }
    let Ok((first, more)) = answers.await else {
        return send(&mut write, &Answer::failed("the daemon is stopping")).await;
    };
    for answer in &first {
        send(&mut write, answer).await?;
    }
    let Some(mut more) = more else { return Ok(()) };
    loop {
        let answer = tokio::select! {
            answer = more.recv() => answer,
            // The client says nothing more: what can be read is its end.
            _ = read.fill_buf() => return Ok(()),
        };
        match answer {
            Ok(answer) => send(&mut write, &answer).await?,
            Err(broadcast::error::RecvError::Lagged(count)) => {
                let text = format!("{count} events were left out: they are not read fast enough");
                let left_out = Answer::done(text, serde_json::json!({ "left_out": count }));
                send(&mut write, &left_out).await?;
            }
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    write.write_all(line.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_slow_follower_is_told_what_it_missed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let (sender, mut asked) = mpsc::channel(1);
        let listening = listen(&path, sender).unwrap();
        assert!(listen(&path, mpsc::channel(1).0).is_err(), "it is taken");
        let mut client = UnixStream::connect(&path).await.unwrap();
        client
            .write_all(b"{\"command\":\"events\",\"follow\":true}\n")
            .await
            .unwrap();
        // Connections that only look may have come before.
        let request = asked.recv().await.unwrap();
        let (events, receiver) = broadcast::channel(16);
        request.reply.send((Vec::new(), Some(receiver))).unwrap();
        let long = "x".repeat(100_000);
        for _ in 0..100 {
            let _ = events.send(Answer::done(long.clone(), json!({})));
            tokio::task::yield_now().await;
        }
        drop(events);
        let mut lines = BufReader::new(client).lines();
        let mut left_out = 0;
        let mut heard = 0;
        while let Some(line) = lines.next_line().await.unwrap() {
            let answer: Answer = serde_json::from_str(&line).unwrap();
            match answer.data["left_out"].as_u64() {
                Some(count) => left_out += count,
                None => heard += 1,
            }
        }
        assert!(left_out > 0, "{heard} heard");
        assert_eq!(heard + left_out, 100);
        listening.abort();
    }
}
