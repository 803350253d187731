//! A host on this machine that answers as it is told, and says what it was asked.

use super::Patience;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Short, so that what hangs does not hold up a test.
pub(super) const SHORT: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(500),
    total: Duration::from_secs(5),
    attempts: 3,
    pause: Duration::from_millis(1),
    longest_pause: Duration::from_secs(5),
    stall: Duration::from_millis(300),
};

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Path and query.
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
}

/// A host.
pub(super) struct Host {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What to do with a connection after its request was read.
pub(super) enum Reply {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Send these bytes and then nothing.
    Hang(Vec<u8>),
}

impl Host {
    /// Answers by path and by how many requests came for that path before.
    pub(super) async fn answering(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (theirs, answer) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&theirs), Arc::clone(&answer)));
            }
        });
        Self { address, seen }
    }

    /// Answers 200 with a body for the paths of a table, 404 for others.
    pub(super) async fn serving(table: &'static [(&'static str, &'static str)]) -> Self {
        Self::answering(move |path, _| {
            let found = table.iter().find(|(known, _)| *known == path);
            Reply::Bytes(found.map_or_else(|| reply(404, &[], "{}"), |(_, body)| status_and_body(body)))
        })
        .await
    }

    /// Nobody listens there any more.
    pub(super) async fn closed() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Self { address, seen: Arc::default() }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked for, in order.
    pub(super) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }
}

/// A body alone, or `<status> <body>`.
fn status_and_body(text: &str) -> Vec<u8> {
    let split = text.split_once(' ').and_then(|(status, body)| Some((status.parse().ok()?, body)));
    let (status, body) = split.unwrap_or((200, text));
    reply(status, &[], body)
}

/// A whole answer.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<impl Fn(&str, usize) -> Reply + Send + Sync>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers = lines.filter_map(header).collect();
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|other| other.path == path).count();
        seen.push(Seen { path: path.clone(), headers });
        before
    };
    match answer(&path, before) {
        Reply::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Reply::Hang(bytes) => {
            drop(stream.write_all(&bytes).await);
            std::future::pending::<()>().await;
        }
    }
}
