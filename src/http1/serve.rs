//! One connection from its first request to its end.

use super::{ReadError, Reader, Receipt, Request, Response};
use async_trait::async_trait;
use std::{future::pending, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    select,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Requests on one connection; the answer to the last of them closes it.
pub const REQUESTS_MAX: usize = 1000;
/// How long a connection may be kept between an answer and the first byte of the next request.
pub const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(60);
/// How long the peer may take to close its end after the last answer.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Bytes accepted from the peer after its last request (a body nobody wants) before we hang up.
const LEFTOVER_BYTES_MAX: usize = 64 * 1024;

/// The two addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Who asks.
    pub peer: SocketAddr,
    /// The address at which the client reached us.
    pub local: SocketAddr,
}

/// What answers requests.
#[async_trait]
pub trait Service: Send + Sync {
    /// The longest body that is read before [`Service::answer`], in bytes; a longer one is refused.
    /// `None`: the body is of no interest, and the answer will be the connection's last.
    fn body_bytes_max(&self, request: &Request) -> Option<usize>;

    /// Whether the answer to a client that has hung up meanwhile would be lost work or worse. Then
    /// [`Service::answer`] is cancelled as soon as it hangs up.
    fn is_for_nobody_else(&self, _request: &Request) -> bool {
        false
    }

    /// The answer. Cancelled if the connection is dropped.
    async fn answer(&self, request: Request, body: Zeroizing<Vec<u8>>, ends: Ends) -> Response;
}

/// Serves the requests of a connection one after the other and closes it: `io`'s write side is shut
/// down behind the last answer, then the peer gets 2 seconds for its end.
///
/// `deadline` is the time for a request to arrive with its body, and again for the answer to leave;
/// who misses it gets nothing. Between requests there are [`KEEP_ALIVE_WAIT`] besides. Dropping the
/// future closes the connection at once. `CONNECT` is refused, whatever the service.
///
/// After `draining` nobody is waited for any more; a request that has arrived is still answered.
pub async fn serve<T, S>(
    mut io: T,
    service: &S,
    ends: Ends,
    deadline: Duration,
    draining: &CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send,
    S: Service + ?Sized,
{
    let mut reader = Reader::default();
    let mut receipt: Option<Box<dyn Receipt>> = None;
    for left in (0..REQUESTS_MAX).rev() {
        if left + 1 < REQUESTS_MAX {
            let begun = select! {
                biased;
                begun = timeout(KEEP_ALIVE_WAIT, reader.begun(&mut io)) => begun,
                () = draining.cancelled() => return,
            };
            match begun {
                Ok(Ok(())) => {}
                Ok(Err(ReadError::Gone)) => return settle_at_end(receipt, &mut io).await,
                // A reset proves nothing: clients close like that with and without the answer.
                Ok(Err(_)) | Err(_) => return,
            }
        }
        let received = select! {
            // What has arrived is answered.
            biased;
            received = timeout(deadline, receive(&mut reader, &mut io, service)) => received,
            () = draining.cancelled() => return,
        };
        let Ok(received) = received else {
            tracing::debug!(address = %ends.peer, "request not complete in time");
            return;
        };
        let (mut response, keeps, with_body) = match received {
            Ok(Received { request, body, keeps }) => {
                if let Some(receipt) = receipt.take()
                    && receipt.is_proved_by(&request)
                {
                    receipt.settled(true);
                }
                let with_body = request.method != "HEAD";
                let watches = service.is_for_nobody_else(&request);
                let response = select! {
                    // An answer to somebody who is gone is not to be written.
                    biased;
                    () = hang_up(&mut reader, &mut io), if watches => return,
                    response = service.answer(request, body, ends) => response,
                };
                let keeps = keeps && response.keeps() && left > 0 && !draining.is_cancelled();
                (response, keeps, with_body)
            }
            Err(Refused::Gone) => return,
            Err(Refused::With(status)) => {
                tracing::debug!(address = %ends.peer, status, "request refused");
                (Response::new(status), false, true)
            }
        };
        receipt = response.take_receipt();
        let bytes = response.bytes(keeps, with_body);
        let sent = timeout(deadline, async {
            io.write_all(&bytes).await?;
            io.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
        if let Some(receipt) = &mut receipt {
            receipt.written();
        }
        if !keeps {
            break;
        }
    }
    let close = async {
        if close(&mut io).await
            && let Some(receipt) = receipt
        {
            receipt.settled(true);
        }
    };
    select! {
        // Running out of time only means that the peer keeps its end open.
        _ = timeout(CLOSE_WAIT, close) => {}
        () = draining.cancelled() => {}
    }
}

/// What the peer's orderly end says of the last answer. One that had left before the answer came
/// ended in order too. But then the system has heard that what we wrote found nobody, and tells who
/// writes again: this end is known to come before the answer, unlike that of a mere reset.
async fn settle_at_end<T: AsyncWrite + Unpin>(receipt: Option<Box<dyn Receipt>>, io: &mut T) {
    if let Some(receipt) = receipt {
        receipt.settled(io.write(&[]).await.is_ok());
    }
}

/// Ends when the peer does. One that sends ahead of its turn has not hung up, as far as we can see.
async fn hang_up<T: AsyncRead + Unpin>(reader: &mut Reader, io: &mut T) {
    if reader.begun(io).await.is_ok() {
        pending().await
    }
}

struct Received {
    request: Request,
    body: Zeroizing<Vec<u8>>,
    keeps: bool,
}

enum Refused {
    Gone,
    With(&'static str),
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone | ReadError::Reset => Self::Gone,
            ReadError::TooLarge | ReadError::Malformed => Self::With("400 Bad Request"),
        }
    }
}

async fn receive<T, S>(reader: &mut Reader, io: &mut T, service: &S) -> Result<Received, Refused>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service + ?Sized,
{
    let request = reader.request(io).await?;
    // To a client that takes us for its proxy, anything in the 200s is an open tunnel, into which
    // it sends what is meant for another server.
    if request.method == "CONNECT" {
        return Err(Refused::With("501 Not Implemented"));
    }
    let Some(body_max) = service.body_bytes_max(&request) else {
        return Ok(Received { request, body: Zeroizing::default(), keeps: false });
    };
    let length = request.body_bytes().ok_or(Refused::With("400 Bad Request"))?;
    if length > body_max {
        return Err(Refused::With("413 Request Entity Too Large"));
    }
    if length > reader.ahead() && request.expects_continue() {
        let asked = async {
            io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            io.flush().await
        };
        asked.await.map_err(|_| Refused::Gone)?;
    }
    let body = reader.body(io, length).await?;
    let keeps = request.keeps_connection();
    Ok(Received { request, body, keeps })
}

/// Says that nothing more comes, then waits for the peer to say so too: closing with unread bytes
/// would reset the connection and could take the answer away from the client. Whether the peer
/// closed in order.
async fn close<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) -> bool {
    if io.shutdown().await.is_err() {
        return false;
    }
    let mut leftover = Zeroizing::new([0; 512]);
    let mut taken = 0;
    while taken < LEFTOVER_BYTES_MAX {
        match io.read(&mut *leftover).await {
            Ok(0) => return true,
            Err(_) => return false,
            Ok(count) => taken += count,
        }
    }
    true
}

#[cfg(test)]
mod tests;
