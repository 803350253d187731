//! The two hosts, on loopback.

use crate::{
    encoding::pairs,
    recording::PIECE,
    rest::{Answer, Asked, Pace, Payload},
    world::World,
};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::Response,
};
use futures_util::stream;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The longest body of a request that is read. None needs more.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// How many pieces a slow body has at least.
const SLOW_PIECES: u64 = 4;

/// How long a half body is given to leave.
const FLUSH: Duration = Duration::from_millis(5);

/// How a host answers.
type Answers = fn(&mut World, &Asked) -> Answer;

/// Serves a host until the handle is aborted.
pub(crate) fn serve(listener: TcpListener, world: Arc<Mutex<World>>, answers: Answers) -> JoinHandle<()> {
    let respond = move |request: Request| {
        let world = Arc::clone(&world);
        async move {
            let asked = asked(request).await;
            let answer = answers(&mut world.lock().unwrap_or_else(PoisonError::into_inner), &asked);
            response(answer)
        }
    };
    let app = Router::new().fallback(respond);
    tokio::spawn(async move {
        // It ends when it is aborted, and not before.
        let _ = axum::serve(listener, app).await;
    })
}

async fn asked(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_REQUEST_BYTES).await.unwrap_or_default();
    Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        body: body.to_vec(),
    }
}

fn response(answer: Answer) -> Response<Body> {
    let Answer { status, headers, payload, pace } = answer;
    let length = payload.length();
    let mut builder = Response::builder().status(status).header("content-length", length);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let body = match pace {
        Pace::Usual if matches!(payload, Payload::Bytes(_)) => Body::from(payload.piece(0, length)),
        pace => Body::from_stream(pieces(payload, pace)),
    };
    // Statuses and headers are of our own making.
    builder.body(body).unwrap_or_default()
}

/// The body, made piece by piece as it is taken.
fn pieces(payload: Payload, pace: Pace) -> impl stream::Stream<Item = io::Result<Bytes>> {
    let length = payload.length();
    let size = match pace {
        Pace::Slow(_) => length.div_ceil(SLOW_PIECES).clamp(1, PIECE as u64),
        Pace::Usual | Pace::Half | Pace::Reset => PIECE as u64,
    };
    let end = match pace {
        Pace::Half => length / 2,
        Pace::Reset => 0,
        Pace::Usual | Pace::Slow(_) => length,
    };
    stream::unfold(Some(0), move |at| {
        let payload = payload.clone();
        async move {
            let at = at?;
            if let Pace::Slow(pause) = pace {
                tokio::time::sleep(pause).await;
            }
            if at >= end {
                let cut = matches!(pace, Pace::Half | Pace::Reset);
                if pace == Pace::Half {
                    // What was made so far leaves before the connection is closed.
                    tokio::time::sleep(FLUSH).await;
                }
                return cut.then(|| (Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
            }
            let next = end.min(at + size);
            Some((Ok(payload.piece(at, next)), Some(next)))
        }
    })
}

impl Payload {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Recording(_, range) => range.end - range.start,
            Self::Filler(length) => *length,
        }
    }

    fn piece(&self, from: u64, to: u64) -> Bytes {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self {
            Self::Bytes(bytes) => Bytes::copy_from_slice(bytes.get(index(from)..index(to)).unwrap_or_default()),
            Self::Recording(recording, range) => {
                let mut piece = vec![0; index(to - from)];
                recording.fill(range.start + from, &mut piece);
                piece.into()
            }
            Self::Filler(length) => {
                let byte = |at: u64| if at == 0 || at + 1 == *length { b'"' } else { b'x' };
                (from..to).map(byte).collect()
            }
        }
    }
}
